/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/mlflow/trace.h"

#include "registry/mlflow/mlflow.h"
#include "registry/mlflow/trace_json.h"

#define OF_TRACE " WHERE t.tenant_id = current_tenant() AND t.project_id = $1::uuid AND t.id = $2"

QUERY(trace_get_sql, "SELECT json_build_object('trace', json_build_object('trace_info', " TRACE_JSON
                     ")) FROM trace t" OF_TRACE);

enum err trace_get(struct db *db, const char *project_id, const char *id, const char **json)
{
    return mlflow_json(db, &trace_get_sql, json, PARAMS(P_TEXT(project_id), P_TEXT(id)));
}

QUERY(trace_key_sql,
      "SELECT t.key::text FROM trace t" OF_TRACE " AND t.experiment_id = $3::bigint");

enum err trace_key(struct db *db, const char *project_id, const char *id, int64_t experiment_id,
                   const char **key)
{
    return mlflow_json(db, &trace_key_sql, key,
                       PARAMS(P_TEXT(project_id), P_TEXT(id), P_INT(experiment_id)));
}

QUERY(trace_infos_sql, "SELECT json_build_object('trace_infos', coalesce(json_agg(" TRACE_JSON
                       " ORDER BY array_position($2::text[], t.id)), '[]')) FROM trace t"
                       " WHERE t.tenant_id = current_tenant() AND t.project_id = $1::uuid"
                       " AND t.id = ANY ($2::text[])");

enum err trace_infos(struct db *db, const char *project_id, const struct texts *ids,
                     const char **json)
{
    return mlflow_json(db, &trace_infos_sql, json,
                       PARAMS(P_TEXT(project_id), P_TEXTS(ids->items, ids->count)));
}

/* The run a trace says it was made by is one it is found by. */
QUERY(
    trace_start_sql,
    "WITH t AS (INSERT INTO trace AS o (tenant_id, project_id, experiment_id, id, state, start_ms,"
    "  duration_ms, client_request_id, request_preview, response_preview, metadata, tags, told,"
    "  created_by) SELECT e.tenant_id, e.project_id, e.id, $2, $4, $5::bigint,"
    "  nullif($6::bigint, -1), $7, $8, $9, $10::jsonb, $11::jsonb, true, $12::uuid"
    "  FROM experiment e WHERE e.tenant_id = current_tenant() AND e.project_id = $1::uuid"
    "  AND e.id = $3::bigint AND e.stage = 'active'"
    "  ON CONFLICT (tenant_id, project_id, id) DO UPDATE SET state = excluded.state,"
    "  start_ms = excluded.start_ms, duration_ms = excluded.duration_ms,"
    "  client_request_id = excluded.client_request_id,"
    "  request_preview = coalesce(excluded.request_preview, o.request_preview),"
    "  response_preview = coalesce(excluded.response_preview, o.response_preview),"
    "  metadata = o.metadata || excluded.metadata, tags = o.tags || excluded.tags, told = true"
    "  WHERE o.experiment_id = excluded.experiment_id RETURNING o.tenant_id, o.key, o.metadata),"
    " r AS (INSERT INTO trace_run (tenant_id, trace_key, run) SELECT t.tenant_id, t.key,"
    "  left(t.metadata ->> 'mlflow.sourceRun', 256) FROM t"
    "  WHERE t.metadata ->> 'mlflow.sourceRun' <> '' ON CONFLICT DO NOTHING)"
    " SELECT CASE WHEN EXISTS (SELECT FROM t) THEN 'made' ELSE 'elsewhere' END"
    " FROM experiment e WHERE e.tenant_id = current_tenant() AND e.project_id = $1::uuid"
    " AND e.id = $3::bigint AND e.stage = 'active'");

enum err trace_start(struct db *db, const char *project_id, const struct trace_draft *d)
{
    const char *outcome;

    TRY(mlflow_json(db, &trace_start_sql, &outcome,
                    PARAMS(P_TEXT(project_id), P_TEXT(d->id), P_INT(d->experiment_id),
                           P_TEXT(d->state), P_INT(d->start_ms), P_INT(d->duration_ms),
                           P_TEXT(d->client_request_id), P_TEXT(d->request_preview),
                           P_TEXT(d->response_preview), P_JSON(d->metadata), P_JSON(d->tags),
                           P_TEXT(d->by))));
    return *outcome == 'm' ? OK : ERR_EXISTS;
}

QUERY(trace_tag_sql,
      "WITH o AS (SELECT t.key, t.tags ? $3 AS had FROM trace t" OF_TRACE " FOR UPDATE OF t),"
      " u AS (UPDATE trace t SET tags = CASE WHEN $4::text IS NULL THEN t.tags - $3"
      "  ELSE t.tags || jsonb_build_object($3, $4::text) END FROM o" OF_TRACE " AND t.key = o.key"
      "  AND ($4::text IS NOT NULL OR o.had))"
      " SELECT CASE WHEN o.had OR $4::text IS NOT NULL THEN 'done' ELSE 'none' END FROM o");

enum err trace_set_tag(struct db *db, const char *project_id, const char *id, const char *key,
                       const char *value)
{
    const char *outcome;

    TRY(mlflow_json(db, &trace_tag_sql, &outcome,
                    PARAMS(P_TEXT(project_id), P_TEXT(id), P_TEXT(key), P_TEXT(value))));
    return *outcome == 'd' ? OK : ERR_CONFLICT;
}

QUERY(trace_link_sql,
      "INSERT INTO trace_run (tenant_id, trace_key, run) SELECT t.tenant_id, t.key, $3"
      " FROM trace t WHERE t.tenant_id = current_tenant() AND t.project_id = $1::uuid"
      " AND t.id = ANY ($2::text[]) ON CONFLICT DO NOTHING");

enum err trace_link_run(struct db *db, const char *project_id, const struct texts *ids,
                        const char *run)
{
    return db_run(db, &trace_link_sql, NULL,
                  PARAMS(P_TEXT(project_id), P_TEXTS(ids->items, ids->count), P_TEXT(run)));
}

/* The rest goes with the trace (ON DELETE CASCADE); artifacts name it by its key. */
QUERY(trace_delete_sql,
      "WITH d AS (SELECT t.tenant_id, t.key FROM trace t WHERE t.tenant_id = current_tenant()"
      "  AND t.project_id = $1::uuid AND t.experiment_id = $2::bigint AND CASE"
      "  WHEN cardinality($3::text[]) > 0 THEN t.id = ANY ($3::text[])"
      "  ELSE t.start_ms <= $4::bigint END AND t.created_ms <= $6::bigint ORDER BY t.start_ms, "
      "t.id LIMIT $5::bigint),"
      " a AS (DELETE FROM artifact f USING d WHERE f.tenant_id = d.tenant_id AND f.owner = 'trace'"
      "  AND f.owner_id = replace(d.key::text, '-', ''))"
      " DELETE FROM trace t USING d WHERE t.tenant_id = d.tenant_id AND t.key = d.key");

enum err trace_delete(struct db *db, const char *project_id, const struct trace_deletion *d,
                      int64_t *deleted)
{
    return db_run(db, &trace_delete_sql, deleted,
                  PARAMS(P_TEXT(project_id), P_INT(d->experiment_id),
                         P_TEXTS(d->ids->items, d->ids->count), P_INT(d->until_ms), P_INT(d->most),
                         P_INT(d->kept_ms)));
}

QUERY(trace_kept_sql,
      "SELECT count(*)::text FROM trace t WHERE t.tenant_id = current_tenant()"
      " AND t.project_id = $1::uuid AND t.experiment_id = $2::bigint AND t.id = ANY ($3::text[])"
      " AND t.created_ms > $4::bigint");

enum err trace_count_kept(struct db *db, const char *project_id, const struct trace_deletion *d,
                          int64_t *count)
{
    uint64_t number = 0;
    const char *text;

    TRY(mlflow_json(db, &trace_kept_sql, &text,
                    PARAMS(P_TEXT(project_id), P_INT(d->experiment_id),
                           P_TEXTS(d->ids->items, d->ids->count), P_INT(d->kept_ms))));
    if (!uint_parse(text, INT64_MAX, &number))
        return ERR_INTERNAL;
    *count = (int64_t)number;
    return OK;
}
