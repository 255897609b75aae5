/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/mlflow/registered_model.h"

#include "registry/asset.h"
#include "registry/mlflow/mlflow.h"

QUERY(registered_model_kind_sql,
      "SELECT a.kind FROM asset a WHERE a.tenant_id = current_tenant()"
      " AND a.project_id = $1::uuid AND a.kind IN ('model', 'prompt') AND a.name = $2"
      " AND a.state <> 'purged' ORDER BY a.state, a.kind LIMIT 1");

enum err registered_model_kind(struct db *db, const char *project_id, const char *name,
                               const char **kind)
{
    return mlflow_json(db, &registered_model_kind_sql, kind,
                       PARAMS(P_TEXT(project_id), P_TEXT(name)));
}

#define OF_MODEL                                                                                   \
    " FROM asset a WHERE a.tenant_id = current_tenant() AND a.project_id = $1::uuid"               \
    " AND a.kind = $2 AND a.name = $3 AND a.state = 'active'"

QUERY(registered_model_get_sql,
      "SELECT json_build_object('registered_model', " REGISTERED_MODEL_JSON ")" OF_MODEL);
QUERY(registered_model_latest_sql,
      "SELECT json_build_object('model_versions', (SELECT coalesce(json_agg(x.j ORDER BY x.n),"
      " '[]') FROM json_array_elements(" LATEST_VERSIONS_JSON ") WITH ORDINALITY x (j, n)"
      " WHERE $4::text[] = '{}' OR lower(x.j ->> 'current_stage') = ANY ($4::text[])))" OF_MODEL);

enum err registered_model_get(struct db *db, const char *project_id, const struct version_key *key,
                              const char **json)
{
    return mlflow_json(db, &registered_model_get_sql, json,
                       PARAMS(P_TEXT(project_id), P_TEXT(key->kind), P_TEXT(key->asset)));
}

enum err registered_model_latest(struct db *db, const char *project_id,
                                 const struct version_key *key, const struct texts *stages,
                                 const char **json)
{
    return mlflow_json(db, &registered_model_latest_sql, json,
                       PARAMS(P_TEXT(project_id), P_TEXT(key->kind), P_TEXT(key->asset),
                              P_TEXTS(stages->items, stages->count)));
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

QUERY(registered_model_rename_sql,
      "UPDATE asset a SET name = $2, updated_at = now(), revision = revision + 1"
      " WHERE a.tenant_id = current_tenant() AND a.id = $1::uuid AND NOT EXISTS (SELECT FROM asset"
      " o WHERE o.tenant_id = a.tenant_id AND o.project_id = a.project_id AND o.kind = a.kind"
      " AND o.name = $2)");
QUERY(registered_model_leave_sql,
      "INSERT INTO asset (tenant_id, id, project_id, kind, name, versions, state, created_by)"
      " SELECT a.tenant_id, $2::uuid, a.project_id, a.kind, $3, a.versions, 'purged', $4::uuid"
      " FROM asset a WHERE a.tenant_id = current_tenant() AND a.id = $1::uuid");

enum err registered_model_rename(struct db *db, const struct asset *a, const char *name,
                                 const char *by)
{
    char id[ID_SIZE];
    enum err e = db_change(db, &registered_model_rename_sql, PARAMS(P_TEXT(a->id), P_TEXT(name)));

    if (e == ERR_NOT_FOUND)
        return ERR_EXISTS;
    TRY(e);
    id_new(id);
    return db_change(db, &registered_model_leave_sql,
                     PARAMS(P_TEXT(a->id), P_TEXT(id), P_TEXT(a->name), P_TEXT(by)));
}

QUERY(
    stage_set_sql,
    "INSERT INTO stage_move (tenant_id, asset_id, version_id, stage, archive, approval_id, set_by)"
    " VALUES (current_tenant(), $1::uuid, $2::uuid, $3, $4::boolean, $5::uuid, $6::uuid)");

enum err stage_set(struct db *db, const struct stage_move *m)
{
    return db_change(db, &stage_set_sql,
                     PARAMS(P_TEXT(m->asset_id), P_TEXT(m->version_id), P_TEXT(m->stage),
                            P_BOOL(m->archive), P_TEXT(m->approval_id), P_TEXT(m->by)));
}
