/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/mlflow/evaluation_dataset.h"

#include "registry/mlflow/mlflow.h"

#define OF_DATASET                                                                                 \
    " WHERE d.tenant_id = current_tenant() AND d.project_id = $1::uuid AND d.id = $2::uuid"
#define NOW_MS "(extract(epoch FROM clock_timestamp()) * 1000)::bigint"

QUERY(evaluation_create_sql,
      "INSERT INTO evaluation_dataset (tenant_id, project_id, id, name, tags, created_by,"
      " updated_by) VALUES (current_tenant(), $1::uuid, $2::uuid, $3, $4::jsonb, $5::uuid,"
      " $5::uuid)");

enum err evaluation_create(struct db *db, const char *project_id, const struct evaluation_draft *d)
{
    return db_change(
        db, &evaluation_create_sql,
        PARAMS(P_TEXT(project_id), P_TEXT(d->id), P_TEXT(d->name), P_JSON(d->tags), P_TEXT(d->by)));
}

QUERY(evaluation_get_sql, "SELECT json_build_object('dataset', " EVALUATION_DATASET_JSON
                          ") FROM evaluation_dataset d" OF_DATASET);

enum err evaluation_get(struct db *db, const char *project_id, const char *id, const char **json)
{
    return mlflow_json(db, &evaluation_get_sql, json, PARAMS(P_TEXT(project_id), P_TEXT(id)));
}

QUERY(evaluation_delete_sql, "DELETE FROM evaluation_dataset d" OF_DATASET);

enum err evaluation_delete(struct db *db, const char *project_id, const char *id)
{
    return db_change(db, &evaluation_delete_sql, PARAMS(P_TEXT(project_id), P_TEXT(id)));
}

QUERY(evaluation_tag_sql,
      "UPDATE evaluation_dataset d SET tags = (d.tags || coalesce($3::jsonb, '{}'))"
      " - coalesce($4::text, ''), updated_ms = " NOW_MS ", updated_by = $5::uuid" OF_DATASET);

enum err evaluation_tag(struct db *db, const char *project_id, const char *id, const json_t *tags,
                        const char *key, const char *by)
{
    return db_change(db, &evaluation_tag_sql,
                     PARAMS(P_TEXT(project_id), P_TEXT(id), P_JSON(tags), P_TEXT(key), P_TEXT(by)));
}

/* One that is there already is no less there. */
QUERY(evaluation_join_sql,
      "WITH e AS (SELECT d.tenant_id, d.id AS dataset, e.project_id, e.id FROM evaluation_dataset d"
      "  JOIN experiment e ON e.tenant_id = d.tenant_id AND e.project_id = d.project_id"
      "  AND e.id = ANY ($3::bigint[])" OF_DATASET "),"
      " i AS (INSERT INTO evaluation_experiment (tenant_id, dataset_id, project_id, experiment_id)"
      "  SELECT e.tenant_id, e.dataset, e.project_id, e.id FROM e ON CONFLICT DO NOTHING)"
      " SELECT (SELECT count(*) FROM e)::text FROM evaluation_dataset d" OF_DATASET);

enum err evaluation_join(struct db *db, const char *project_id, const char *id,
                         const int64_t *experiments, size_t number, int64_t *count)
{
    uint64_t found = 0;
    const char *text;

    TRY(mlflow_json(db, &evaluation_join_sql, &text,
                    PARAMS(P_TEXT(project_id), P_TEXT(id), P_INTS(experiments, number))));
    if (!uint_parse(text, INT64_MAX, &found))
        return ERR_INTERNAL;
    *count = (int64_t)found;
    return OK;
}

QUERY(evaluation_leave_sql,
      "DELETE FROM evaluation_experiment x USING evaluation_dataset d" OF_DATASET
      " AND x.tenant_id = d.tenant_id AND x.dataset_id = d.id"
      " AND x.experiment_id = ANY ($3::bigint[])");

enum err evaluation_leave(struct db *db, const char *project_id, const char *id,
                          const int64_t *experiments, size_t number)
{
    return db_run(db, &evaluation_leave_sql, NULL,
                  PARAMS(P_TEXT(project_id), P_TEXT(id), P_INTS(experiments, number)));
}

QUERY(evaluation_experiments_sql,
      "SELECT json_build_object('experiment_ids', (SELECT coalesce(json_agg(x.experiment_id::text"
      " ORDER BY x.experiment_id), '[]') FROM evaluation_experiment x"
      " WHERE x.tenant_id = d.tenant_id AND x.dataset_id = d.id))"
      " FROM evaluation_dataset d" OF_DATASET);

enum err evaluation_experiments(struct db *db, const char *project_id, const char *id,
                                const char **json)
{
    return mlflow_json(db, &evaluation_experiments_sql, json,
                       PARAMS(P_TEXT(project_id), P_TEXT(id)));
}

/* What was expected, and tags, are added to; the rest is replaced by what is given. */
#define MERGED(column)                                                                             \
    column " = CASE WHEN o." column " IS NULL THEN excluded." column " WHEN excluded." column      \
           " IS NULL THEN o." column " ELSE (o." column "::jsonb || excluded." column              \
           "::jsonb)::json END, "

QUERY(
    evaluation_upsert_sql,
    "WITH d AS (UPDATE evaluation_dataset d SET updated_ms = " NOW_MS
    ", updated_by = $4::uuid" OF_DATASET " RETURNING d.tenant_id, d.id),"
    " u AS (INSERT INTO evaluation_record AS o (tenant_id, dataset_id, id, inputs, inputs_hash,"
    "  outputs, expectations, tags, source, created_by, updated_by) SELECT d.tenant_id, d.id, x.id,"
    "  x.inputs, decode(x.hash, 'hex'), x.outputs, x.expectations, x.tags, x.source, $4::uuid,"
    "  $4::uuid FROM d, json_to_recordset($3::json) AS x (id uuid, hash text, inputs json,"
    "  outputs json, expectations json, tags json, source json)"
    "  ON CONFLICT (tenant_id, dataset_id, inputs_hash) DO UPDATE SET " MERGED("expectations")
        MERGED("tags") "outputs = coalesce(excluded.outputs, o.outputs),"
                       "  source = coalesce(excluded.source, o.source), updated_ms = " NOW_MS
                       ", updated_by = excluded.updated_by RETURNING xmax = 0 AS made)"
                       " SELECT json_build_object('inserted_count', (SELECT count(*) FROM u"
                       " WHERE made), 'updated_count', (SELECT count(*) FROM u WHERE NOT made))"
                       " FROM d");

enum err evaluation_upsert(struct db *db, const char *project_id, const char *id,
                           const json_t *records, const char *by, const char **json)
{
    return mlflow_json(db, &evaluation_upsert_sql, json,
                       PARAMS(P_TEXT(project_id), P_TEXT(id), P_JSON(records), P_TEXT(by)));
}

/* Ids increase, so that pages go by them. Nulls inside examples stay. */
QUERY(evaluation_records_sql,
      "WITH found AS (SELECT r.*, row_number() OVER (ORDER BY r.id) AS n FROM evaluation_record r"
      "  WHERE r.tenant_id = current_tenant() AND r.dataset_id = $2::uuid"
      "  AND ($3::uuid IS NULL OR r.id > $3::uuid) ORDER BY r.id LIMIT $4::bigint + 1)"
      " SELECT json_build_object('records', (SELECT coalesce(json_agg(json_build_object("
      "'dataset_record_id', 'dr-' || replace(r.id::text, '-', ''), 'dataset_id',"
      " 'd-' || replace(r.dataset_id::text, '-', ''), 'inputs', r.inputs, 'outputs', r.outputs,"
      " 'expectations', r.expectations, 'tags', r.tags, 'source', r.source, 'source_type',"
      " r.source ->> 'source_type', 'source_id', r.source -> 'source_data' ->> 'trace_id',"
      " 'created_time', r.created_ms, 'last_update_time', r.updated_ms, 'created_by', c.name,"
      " 'last_updated_by', u.name) ORDER BY n), '[]') FROM found r"
      " JOIN principal c ON c.tenant_id = r.tenant_id AND c.id = r.created_by"
      " JOIN principal u ON u.tenant_id = r.tenant_id AND u.id = r.updated_by"
      " WHERE n <= $4::bigint)::text, 'next_page_token', (SELECT p.id::text FROM found p"
      " WHERE p.n = $4::bigint AND EXISTS (SELECT FROM found q WHERE q.n > $4::bigint)))"
      " FROM evaluation_dataset d" OF_DATASET);

enum err evaluation_records(struct db *db, const char *project_id, const char *id,
                            const char *after, int64_t limit, const char **json)
{
    return mlflow_json(db, &evaluation_records_sql, json,
                       PARAMS(P_TEXT(project_id), P_TEXT(id), P_TEXT(after), P_INT(limit)));
}

QUERY(evaluation_forget_sql,
      "WITH d AS (UPDATE evaluation_dataset d SET updated_ms = " NOW_MS OF_DATASET
      " RETURNING d.tenant_id, d.id),"
      " x AS (DELETE FROM evaluation_record r USING d WHERE r.tenant_id = d.tenant_id"
      "  AND r.dataset_id = d.id AND r.id = ANY ($3::uuid[]) RETURNING 1)"
      " SELECT json_build_object('deleted_count', (SELECT count(*) FROM x)) FROM d");

enum err evaluation_forget(struct db *db, const char *project_id, const char *id,
                           const struct texts *records, const char **json)
{
    return mlflow_json(
        db, &evaluation_forget_sql, json,
        PARAMS(P_TEXT(project_id), P_TEXT(id), P_TEXTS(records->items, records->count)));
}
