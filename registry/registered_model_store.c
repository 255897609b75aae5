/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/registered_model.h"

#include "registry/mlflow.h"

#define OF_MODEL                                                                                   \
    " FROM asset a WHERE a.tenant_id = current_tenant() AND a.project_id = $1::uuid"               \
    " AND a.kind = 'model' AND a.name = $2 AND a.state = 'active'"

QUERY(registered_model_get_sql,
      "SELECT json_build_object('registered_model', " REGISTERED_MODEL_JSON ")" OF_MODEL);
QUERY(registered_model_latest_sql,
      "SELECT json_build_object('model_versions', (" REGISTERED_MODEL_JSON
      ") -> 'latest_versions')" OF_MODEL);

enum err registered_model_get(struct db *db, const char *project_id, const char *name,
                              const char **json)
{
    return mlflow_json(db, &registered_model_get_sql, json,
                       PARAMS(P_TEXT(project_id), P_TEXT(name)));
}

enum err registered_model_latest(struct db *db, const char *project_id, const char *name,
                                 const char **json)
{
    return mlflow_json(db, &registered_model_latest_sql, json,
                       PARAMS(P_TEXT(project_id), P_TEXT(name)));
}

QUERY(model_version_show_sql,
      "SELECT json_build_object('model_version', " MODEL_VERSION_JSON ") FROM version v"
      " JOIN asset a ON a.tenant_id = v.tenant_id AND a.id = v.asset_id"
      " WHERE v.tenant_id = current_tenant() AND v.id = $1::uuid");

enum err model_version_show(struct db *db, const char *version_id, const char **json)
{
    return mlflow_json(db, &model_version_show_sql, json, PARAMS(P_TEXT(version_id)));
}

QUERY(promotion_pending_sql,
      "SELECT x.id FROM approval x WHERE x.tenant_id = current_tenant()"
      " AND x.version_id = $1::uuid AND x.alias = $2 AND x.action = 'promote'"
      " AND x.state = 'pending' AND x.expires_at > now() LIMIT 1");

enum err promotion_pending(struct db *db, const char *version_id, const char *alias,
                           const char **approval_id)
{
    return mlflow_json(db, &promotion_pending_sql, approval_id,
                       PARAMS(P_TEXT(version_id), P_TEXT(alias)));
}
