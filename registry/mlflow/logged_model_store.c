/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/mlflow/logged_model.h"

#include "registry/mlflow/mlflow.h"

#define OF_MODEL                                                                                   \
    " WHERE m.tenant_id = current_tenant() AND m.project_id = $1::uuid AND m.id = $2::uuid"        \
    " AND m.deleted_ms IS NULL"
#define NOW_MS "(extract(epoch FROM clock_timestamp()) * 1000)::bigint"

QUERY(
    logged_model_create_sql,
    "INSERT INTO logged_model (tenant_id, project_id, id, experiment_id, name, model_type, run_id,"
    " params, tags, created_by) SELECT e.tenant_id, e.project_id, $2::uuid, e.id, $4, $5,"
    " $6::uuid, $7::jsonb, $8::jsonb, $9::uuid FROM experiment e"
    " WHERE e.tenant_id = current_tenant() AND e.project_id = $1::uuid AND e.id = $3::bigint"
    " AND e.stage = 'active' AND ($6::uuid IS NULL OR EXISTS (SELECT FROM run r"
    "  WHERE r.tenant_id = e.tenant_id AND r.project_id = e.project_id AND r.id = $6::uuid))");

enum err logged_model_create(struct db *db, const char *project_id,
                             const struct logged_model_draft *d)
{
    return db_change(db, &logged_model_create_sql,
                     PARAMS(P_TEXT(project_id), P_TEXT(d->id), P_INT(d->experiment_id),
                            P_TEXT(d->name), P_TEXT(d->type), P_TEXT(d->run_id), P_JSON(d->params),
                            P_JSON(d->tags), P_TEXT(d->by)));
}

QUERY(logged_model_get_sql,
      "SELECT json_build_object('model', " LOGGED_MODEL_JSON ") FROM logged_model m" OF_MODEL);

enum err logged_model_get(struct db *db, const char *project_id, const char *id, const char **json)
{
    return mlflow_json(db, &logged_model_get_sql, json, PARAMS(P_TEXT(project_id), P_TEXT(id)));
}

QUERY(logged_model_finish_sql,
      "UPDATE logged_model m SET status = $3, updated_ms = " NOW_MS OF_MODEL);

enum err logged_model_finish(struct db *db, const char *project_id, const char *id,
                             const char *status)
{
    return db_change(db, &logged_model_finish_sql,
                     PARAMS(P_TEXT(project_id), P_TEXT(id), P_TEXT(status)));
}

QUERY(logged_model_delete_sql, "UPDATE logged_model m SET deleted_ms = " NOW_MS OF_MODEL);

enum err logged_model_delete(struct db *db, const char *project_id, const char *id)
{
    return db_change(db, &logged_model_delete_sql, PARAMS(P_TEXT(project_id), P_TEXT(id)));
}

QUERY(logged_model_add_sql,
      "UPDATE logged_model m SET params = m.params || coalesce($3::jsonb, '{}'),"
      " tags = m.tags || coalesce($4::jsonb, '{}'), updated_ms = " NOW_MS OF_MODEL);

enum err logged_model_add(struct db *db, const char *project_id, const char *id,
                          const json_t *params, const json_t *tags)
{
    return db_change(db, &logged_model_add_sql,
                     PARAMS(P_TEXT(project_id), P_TEXT(id), P_JSON(params), P_JSON(tags)));
}

QUERY(logged_model_untag_sql,
      "UPDATE logged_model m SET tags = m.tags - $3::text" OF_MODEL " AND m.tags ? $3::text");

enum err logged_model_remove_tag(struct db *db, const char *project_id, const char *id,
                                 const char *key)
{
    return db_change(db, &logged_model_untag_sql,
                     PARAMS(P_TEXT(project_id), P_TEXT(id), P_TEXT(key)));
}

QUERY(logged_model_run_sql, "SELECT coalesce(m.run_id::text, '') FROM logged_model m" OF_MODEL);

enum err logged_model_run(struct db *db, const char *project_id, const char *id,
                          const char **run_id)
{
    TRY(mlflow_json(db, &logged_model_run_sql, run_id, PARAMS(P_TEXT(project_id), P_TEXT(id))));
    if (**run_id == '\0')
        *run_id = NULL;
    return OK;
}

QUERY(logged_model_of_run_sql,
      "SELECT m.id FROM logged_model m WHERE m.tenant_id = current_tenant()"
      " AND m.project_id = $1::uuid AND m.run_id = $2::uuid AND m.name = $3"
      " AND m.deleted_ms IS NULL ORDER BY m.created_ms DESC, m.id LIMIT 1");

enum err logged_model_of_run(struct db *db, const char *project_id, const char *run_id,
                             const char *name, const char **id)
{
    return mlflow_json(db, &logged_model_of_run_sql, id,
                       PARAMS(P_TEXT(project_id), P_TEXT(run_id), P_TEXT(name)));
}
