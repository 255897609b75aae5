/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/mlflow/run.h"

#include "core/text.h"
#include "registry/mlflow/mlflow.h"

#define OF_RUN                                                                                     \
    " WHERE r.tenant_id = current_tenant() AND r.project_id = $1::uuid AND r.id = $2::uuid"

QUERY(run_get_sql, "SELECT json_build_object('run', " RUN_JSON ") FROM run r" OF_RUN);

enum err run_get(struct db *db, const char *project_id, const char *id, const char **json)
{
    return mlflow_json(db, &run_get_sql, json, PARAMS(P_TEXT(project_id), P_TEXT(id)));
}

QUERY(runs_tell_sql,
      "SELECT json_build_object('runs', coalesce(json_agg(" RUN_JSON " ORDER BY l.n), '[]'),"
      " 'next_page_token', $2::text) FROM unnest($1::uuid[]) WITH ORDINALITY AS l (id, n)"
      " JOIN run r ON r.tenant_id = current_tenant() AND r.id = l.id");

enum err runs_tell(struct db *db, const char *const *ids, size_t count, const char *token,
                   const char **json)
{
    return mlflow_json(db, &runs_tell_sql, json, PARAMS(P_TEXTS(ids, count), P_TEXT(token)));
}

QUERY(run_create_sql,
      "WITH r AS (INSERT INTO run (tenant_id, project_id, id, experiment_id, name, user_name,"
      "  start_ms, created_by) SELECT e.tenant_id, e.project_id, $2::uuid, e.id, $4, $5,"
      "  $6::bigint, $9::uuid FROM experiment e WHERE e.tenant_id = current_tenant()"
      "  AND e.project_id = $1::uuid AND e.id = $3::bigint AND e.stage = 'active'"
      "  RETURNING tenant_id, id),"
      " t AS (INSERT INTO run_tag (tenant_id, run_id, key, value) SELECT r.tenant_id, r.id,"
      "  x.key, x.value FROM r, unnest($7::text[], $8::text[]) AS x (key, value))"
      " SELECT '{}' FROM r");

enum err run_create(struct db *db, const char *project_id, const struct run_draft *d)
{
    const char *made;

    return mlflow_json(db, &run_create_sql, &made,
                       PARAMS(P_TEXT(project_id), P_TEXT(d->id), P_INT(d->experiment_id),
                              P_TEXT(d->name), P_TEXT(d->user), P_INT(d->start_ms),
                              P_TEXTS(d->keys->items, d->keys->count),
                              P_TEXTS(d->values->items, d->values->count), P_TEXT(d->by)));
}

QUERY(run_update_sql,
      "UPDATE run r SET status = coalesce($3, status), end_ms = coalesce(nullif($4::bigint, 0),"
      " end_ms), name = coalesce($5, name)" OF_RUN
      " AND stage = 'active' RETURNING json_build_object('run_info', (" RUN_JSON ") -> 'info')");
QUERY(run_name_tag_sql,
      "INSERT INTO run_tag (tenant_id, run_id, key, value)"
      " SELECT r.tenant_id, r.id, 'mlflow.runName', $3::text FROM run r" OF_RUN
      " AND $3::text IS NOT NULL ON CONFLICT (tenant_id, run_id, key) DO UPDATE SET "
      "value = excluded.value");

enum err run_update(struct db *db, const char *project_id, const char *id,
                    const struct run_change *c, const char **json)
{
    TRY(db_defer_any(db, &run_name_tag_sql,
                     PARAMS(P_TEXT(project_id), P_TEXT(id), P_TEXT(c->name))));
    return mlflow_json(db, &run_update_sql, json,
                       PARAMS(P_TEXT(project_id), P_TEXT(id), P_TEXT(c->status), P_INT(c->end_ms),
                              P_TEXT(c->name)));
}

QUERY(run_stage_now, "SELECT r.stage FROM run r" OF_RUN " FOR UPDATE OF r");

enum err run_stage(struct db *db, const char *project_id, const char *id, const char **stage)
{
    return mlflow_json(db, &run_stage_now, stage, PARAMS(P_TEXT(project_id), P_TEXT(id)));
}

QUERY(run_stage_sql, "UPDATE run r SET stage = $3, deleted_ms = CASE WHEN $3 = 'deleted'"
                     " THEN (extract(epoch FROM clock_timestamp()) * 1000)::bigint END" OF_RUN);

enum err run_set_stage(struct db *db, const char *project_id, const char *id, const char *stage)
{
    return db_change(db, &run_stage_sql, PARAMS(P_TEXT(project_id), P_TEXT(id), P_TEXT(stage)));
}

QUERY(run_tag_remove_sql, "DELETE FROM run_tag t USING run r" OF_RUN " AND r.stage = 'active'"
                          " AND t.tenant_id = r.tenant_id AND t.run_id = r.id AND t.key = $3");

enum err run_remove_tag(struct db *db, const char *project_id, const char *id, const char *key)
{
    return db_change(db, &run_tag_remove_sql, PARAMS(P_TEXT(project_id), P_TEXT(id), P_TEXT(key)));
}

/* One statement, one round trip. A parameter that is there is written over with itself, so that the
 * row is locked and seen: if it was there (xmax), with another value, that is the clash. */
QUERY(run_log_sql,
      "WITH r AS (SELECT r.tenant_id, r.id FROM run r" OF_RUN " AND r.stage = 'active'),"
      " m AS (SELECT x.* FROM unnest($3::text[], $4::float8[], $5::bigint[], $6::bigint[])"
      "  AS x (key, value, at, step)),"
      " i AS (INSERT INTO metric (tenant_id, run_id, key, at, step, value)"
      "  SELECT r.tenant_id, r.id, m.key, m.at, m.step, m.value FROM r, m ON CONFLICT DO NOTHING),"
      " l AS (INSERT INTO metric_latest AS o (tenant_id, run_id, key, at, step, value)"
      "  SELECT DISTINCT ON (m.key) r.tenant_id, r.id, m.key, m.at, m.step, m.value FROM r, m"
      "  ORDER BY m.key, m.step DESC, m.at DESC, m.value DESC"
      "  ON CONFLICT (tenant_id, run_id, key) DO UPDATE SET at = excluded.at,"
      "  step = excluded.step, value = excluded.value"
      "  WHERE (excluded.step, excluded.at, excluded.value) > (o.step, o.at, o.value)),"
      " p AS (INSERT INTO run_param AS o (tenant_id, run_id, key, value)"
      "  SELECT r.tenant_id, r.id, x.key, x.value FROM r,"
      "  unnest($7::text[], $8::text[]) AS x (key, value)"
      "  ON CONFLICT (tenant_id, run_id, key) DO UPDATE SET value = o.value"
      "  WHERE o.value <> excluded.value RETURNING key, value, xmax <> 0 AS clash),"
      " t AS (INSERT INTO run_tag (tenant_id, run_id, key, value)"
      "  SELECT r.tenant_id, r.id, x.key, x.value FROM r,"
      "  unnest($9::text[], $10::text[]) AS x (key, value)"
      "  ON CONFLICT (tenant_id, run_id, key) DO UPDATE SET value = excluded.value),"
      " n AS (UPDATE run u SET name = $11 FROM r WHERE u.tenant_id = r.tenant_id AND u.id = r.id"
      "  AND $11::text IS NOT NULL)"
      " SELECT p.key, p.value FROM r LEFT JOIN p ON p.clash LIMIT 1");

enum err run_log(struct db *db, const char *project_id, const char *id, const struct run_batch *b,
                 const char **key, const char **old)
{
    PGresult *rows;

    TRY(db_rows(db, &run_log_sql, &rows,
                PARAMS(P_TEXT(project_id), P_TEXT(id), P_TEXTS(b->keys.items, b->keys.count),
                       P_TEXTS(b->values.items, b->values.count), P_INTS(b->at, b->keys.count),
                       P_INTS(b->steps, b->keys.count), P_TEXTS(b->params.items, b->params.count),
                       P_TEXTS(b->param_values.items, b->param_values.count),
                       P_TEXTS(b->tags.items, b->tags.count),
                       P_TEXTS(b->tag_values.items, b->tag_values.count), P_TEXT(b->name))));
    if (PQntuples(rows) == 0)
        return ERR_NOT_FOUND;
    if (PQgetisnull(rows, 0, 0))
        return OK;
    *key = PQgetvalue(rows, 0, 0);
    *old = PQgetvalue(rows, 0, 1);
    return ERR_CONFLICT;
}

QUERY(run_measured_sql,
      "INSERT INTO logged_model_metric (tenant_id, model_id, run_id, key, at, step, value,"
      " dataset_name, dataset_digest)"
      " SELECT l.tenant_id, l.id, r.id, x.key, x.at, x.step, x.value, x.name, x.digest"
      " FROM unnest($2::text[], $3::float8[], $4::bigint[], $5::bigint[], $6::text[], $7::text[],"
      " $8::text[]) AS x (key, value, at, step, model, name, digest)"
      " JOIN run r ON r.tenant_id = current_tenant() AND r.id = $1::uuid"
      " JOIN logged_model l ON l.tenant_id = r.tenant_id AND l.project_id = r.project_id"
      " AND l.id = nullif(x.model, '')::uuid ON CONFLICT DO NOTHING");

enum err run_log_measured(struct db *db, const char *id, const struct run_batch *b,
                          const struct run_measured *m)
{
    return db_defer_any(db, &run_measured_sql,
                        PARAMS(P_TEXT(id), P_TEXTS(b->keys.items, b->keys.count),
                               P_TEXTS(b->values.items, b->values.count),
                               P_INTS(b->at, b->keys.count), P_INTS(b->steps, b->keys.count),
                               P_TEXTS(m->models.items, m->models.count),
                               P_TEXTS(m->names.items, m->names.count),
                               P_TEXTS(m->digests.items, m->digests.count)));
}

QUERY(run_experiment_sql,
      "SELECT r.experiment_id FROM run r" OF_RUN " AND r.stage = 'active' FOR SHARE OF r");

enum err run_experiment(struct db *db, const char *project_id, const char *id,
                        int64_t *experiment_id)
{
    uint64_t number = 0;
    const char *text;

    TRY(mlflow_json(db, &run_experiment_sql, &text, PARAMS(P_TEXT(project_id), P_TEXT(id))));
    (void)uint_parse(text, INT64_MAX, &number);
    *experiment_id = (int64_t)number;
    return OK;
}

QUERY(run_input_sql,
      "INSERT INTO run_input (tenant_id, run_id, name, digest, dataset, tags)"
      " VALUES (current_tenant(), $1::uuid, $2::json ->> 'name', $2::json ->> 'digest', $2::json,"
      " coalesce($3::json, '[]')) ON CONFLICT DO NOTHING");

enum err run_add_input(struct db *db, const char *id, const json_t *dataset, const json_t *tags)
{
    return db_defer_any(db, &run_input_sql, PARAMS(P_TEXT(id), P_JSON(dataset), P_JSON(tags)));
}

QUERY(run_model_sql,
      "INSERT INTO run_model (tenant_id, run_id, model_id, output, step)"
      " SELECT r.tenant_id, r.id, l.id, $4::boolean, $5::bigint FROM run r JOIN logged_model l"
      " ON l.tenant_id = r.tenant_id AND l.project_id = r.project_id AND l.id = $3::uuid" OF_RUN
      " ON CONFLICT (tenant_id, run_id, model_id, output, step) DO NOTHING");

enum err run_add_model(struct db *db, const char *project_id, const char *id, const char *model_id,
                       bool output, int64_t step)
{
    return db_defer_any(
        db, &run_model_sql,
        PARAMS(P_TEXT(project_id), P_TEXT(id), P_TEXT(model_id), P_BOOL(output), P_INT(step)));
}
