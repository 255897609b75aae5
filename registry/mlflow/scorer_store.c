/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/mlflow/scorer.h"

#include "registry/mlflow/mlflow.h"

/* MLflow's message has 32 bits for the experiment's id: a longer one would be refused by clients.
 */
#define VERSION_JSON                                                                               \
    "json_strip_nulls(json_build_object('experiment_id', CASE WHEN s.experiment_id < 2147483648"   \
    " THEN s.experiment_id END, 'scorer_name', s.name, 'scorer_version', v.version,"               \
    " 'serialized_scorer', v.serialized, 'creation_time', v.created_ms, 'scorer_id', s.id::text))"
#define VERSIONS                                                                                   \
    " FROM scorer s JOIN scorer_version v ON v.tenant_id = s.tenant_id AND v.scorer_id = s.id"     \
    " WHERE s.tenant_id = current_tenant() AND s.project_id = $1::uuid"
#define OF_NAME " AND s.experiment_id = $2::bigint AND s.name = $3"

QUERY(
    scorer_register_sql,
    "WITH s AS (INSERT INTO scorer AS o (tenant_id, project_id, experiment_id, id, name, versions)"
    "  SELECT e.tenant_id, e.project_id, e.id, $3::uuid, $4, 1 FROM experiment e"
    "  WHERE e.tenant_id = current_tenant() AND e.project_id = $1::uuid AND e.id = $2::bigint"
    "  AND e.stage = 'active' ON CONFLICT (tenant_id, project_id, experiment_id, name)"
    "  DO UPDATE SET versions = o.versions + 1 RETURNING o.*),"
    " v AS (INSERT INTO scorer_version (tenant_id, scorer_id, version, serialized, created_by)"
    "  SELECT s.tenant_id, s.id, s.versions, $5, $6::uuid FROM s RETURNING *)"
    " SELECT json_build_object('version', v.version, 'scorer_id', s.id::text, 'experiment_id',"
    " s.experiment_id::text, 'name', s.name, 'serialized_scorer', v.serialized,"
    " 'creation_time', v.created_ms) FROM s, v");

enum err scorer_register(struct db *db, const char *project_id, const struct scorer_draft *d,
                         const char **json)
{
    return mlflow_json(db, &scorer_register_sql, json,
                       PARAMS(P_TEXT(project_id), P_INT(d->experiment_id), P_TEXT(d->id),
                              P_TEXT(d->name), P_TEXT(d->serialized), P_TEXT(d->by)));
}

QUERY(scorer_list_sql,
      "SELECT json_build_object('scorers', coalesce(json_agg(" VERSION_JSON
      " ORDER BY s.name, s.id), '[]'))" VERSIONS
      " AND ($2::bigint < 0 OR s.experiment_id = $2::bigint) AND v.version = (SELECT max(x.version)"
      " FROM scorer_version x WHERE x.tenant_id = s.tenant_id AND x.scorer_id = s.id)");

enum err scorer_list(struct db *db, const char *project_id, int64_t experiment_id,
                     const char **json)
{
    return mlflow_json(db, &scorer_list_sql, json,
                       PARAMS(P_TEXT(project_id), P_INT(experiment_id)));
}

QUERY(scorer_versions_sql, "SELECT json_build_object('scorers', json_agg(" VERSION_JSON
                           " ORDER BY v.version))" VERSIONS OF_NAME " HAVING count(*) > 0");

enum err scorer_versions(struct db *db, const char *project_id, int64_t experiment_id,
                         const char *name, const char **json)
{
    return mlflow_json(db, &scorer_versions_sql, json,
                       PARAMS(P_TEXT(project_id), P_INT(experiment_id), P_TEXT(name)));
}

QUERY(scorer_get_sql, "SELECT json_build_object('scorer', " VERSION_JSON ")" VERSIONS OF_NAME
                      " AND ($4::bigint = 0 OR v.version = $4::bigint)"
                      " ORDER BY v.version DESC LIMIT 1");

enum err scorer_get(struct db *db, const char *project_id, int64_t experiment_id, const char *name,
                    int64_t version, const char **json)
{
    return mlflow_json(
        db, &scorer_get_sql, json,
        PARAMS(P_TEXT(project_id), P_INT(experiment_id), P_TEXT(name), P_INT(version)));
}

/* The scorer's row stays for its count. */
QUERY(scorer_delete_sql,
      "DELETE FROM scorer_version v USING scorer s WHERE s.tenant_id = current_tenant()"
      " AND s.project_id = $1::uuid" OF_NAME " AND v.tenant_id = s.tenant_id AND v.scorer_id = s.id"
      " AND ($4::bigint = 0 OR v.version = $4::bigint)");

enum err scorer_delete(struct db *db, const char *project_id, int64_t experiment_id,
                       const char *name, int64_t version)
{
    int64_t gone = 0;

    TRY(db_run(db, &scorer_delete_sql, &gone,
               PARAMS(P_TEXT(project_id), P_INT(experiment_id), P_TEXT(name), P_INT(version))));
    return gone == 0 ? ERR_NOT_FOUND : OK;
}
