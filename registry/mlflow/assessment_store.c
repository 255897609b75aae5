/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/mlflow/assessment.h"

#include "registry/mlflow/mlflow.h"
#include "registry/mlflow/trace_json.h"

#define TRACE_OF " t.tenant_id = current_tenant() AND t.project_id = $1::uuid AND t.id = $2"
#define ASSESSMENT_OF                                                                              \
    TRACE_OF " AND a.tenant_id = t.tenant_id AND a.trace_key = t.key AND a.id = $3"
#define SHOWN "SELECT json_build_object('assessment', " ASSESSMENT_JSON ") FROM "

/* Sent again with the same trace, the same words of the same moment are the same assessment. */
QUERY(assessment_create_sql,
      "WITH t AS (SELECT t.* FROM trace t WHERE" TRACE_OF " FOR SHARE OF t),"
      " o AS (UPDATE trace_assessment a SET valid = false FROM t WHERE a.tenant_id = t.tenant_id"
      "  AND a.trace_key = t.key AND a.id = $12 RETURNING a.id),"
      " a AS (INSERT INTO trace_assessment (tenant_id, trace_key, id, kind, name, source_type,"
      "  source_id, content, value, number, rationale, metadata, span_id, overrides, valid,"
      "  created_ms, updated_ms, created_by) SELECT t.tenant_id, t.key, $3, $4, $5, $6, $7,"
      "  $8::json, $9, $10::float8, $11, $13::jsonb, $14, $12, $15::boolean, $16::bigint,"
      "  $17::bigint, $18::uuid FROM t WHERE ($12::text IS NULL OR EXISTS (SELECT FROM o))"
      "  AND (NOT $19::boolean OR NOT EXISTS (SELECT FROM trace_assessment s"
      "  WHERE s.tenant_id = t.tenant_id AND s.trace_key = t.key AND (s.id = $3 OR (s.name = $5"
      "  AND s.source_id = $7 AND s.created_ms = $16::bigint AND s.content::text = $8::text))))"
      "  RETURNING *) " SHOWN "t, a");

static enum err create(struct db *db, const char *project_id, const char *trace,
                       const struct assessment *a, bool once, const char **json)
{
    return mlflow_json(db, &assessment_create_sql, json,
                       PARAMS(P_TEXT(project_id), P_TEXT(trace), P_TEXT(a->id), P_TEXT(a->kind),
                              P_TEXT(a->name), P_TEXT(a->source_type), P_TEXT(a->source_id),
                              P_JSON(a->content), P_TEXT(a->value), P_TEXT(a->number),
                              P_TEXT(a->rationale), P_TEXT(a->overrides), P_JSON(a->metadata),
                              P_TEXT(a->span_id), P_BOOL(a->valid), P_INT(a->created_ms),
                              P_INT(a->updated_ms), P_TEXT(a->by), P_BOOL(once)));
}

enum err assessment_create(struct db *db, const char *project_id, const char *trace,
                           const struct assessment *a, const char **json)
{
    return create(db, project_id, trace, a, false, json);
}

enum err assessment_create_once(struct db *db, const char *project_id, const char *trace,
                                const struct assessment *a)
{
    const char *json;
    enum err e = create(db, project_id, trace, a, true, &json);

    return e == ERR_NOT_FOUND ? OK : e;
}

QUERY(assessment_get_sql, SHOWN "trace t, trace_assessment a WHERE" ASSESSMENT_OF);

enum err assessment_get(struct db *db, const char *project_id, const char *trace, const char *id,
                        const char **json)
{
    return mlflow_json(db, &assessment_get_sql, json,
                       PARAMS(P_TEXT(project_id), P_TEXT(trace), P_TEXT(id)));
}

QUERY(assessment_update_sql,
      "UPDATE trace_assessment a SET name = coalesce($5, a.name),"
      " content = coalesce($6::json, a.content),"
      " value = CASE WHEN $6::json IS NULL THEN a.value ELSE $7 END,"
      " number = CASE WHEN $6::json IS NULL THEN a.number ELSE $8::float8 END,"
      " rationale = coalesce($9, a.rationale),"
      " metadata = a.metadata || coalesce($10::jsonb, '{}'), updated_ms = $11::bigint"
      " FROM trace t WHERE" ASSESSMENT_OF " AND a.kind = coalesce($4, a.kind)"
      " RETURNING json_build_object('assessment', " ASSESSMENT_JSON ")");

enum err assessment_update(struct db *db, const char *project_id, const char *trace,
                           const struct assessment *a, const char **json)
{
    return mlflow_json(db, &assessment_update_sql, json,
                       PARAMS(P_TEXT(project_id), P_TEXT(trace), P_TEXT(a->id), P_TEXT(a->kind),
                              P_TEXT(a->name), P_JSON(a->content), P_TEXT(a->value),
                              P_TEXT(a->number), P_TEXT(a->rationale), P_JSON(a->metadata),
                              P_INT(a->updated_ms)));
}

QUERY(assessment_remove_sql,
      "WITH d AS (DELETE FROM trace_assessment a USING trace t WHERE" ASSESSMENT_OF
      "  RETURNING a.tenant_id, a.trace_key, a.overrides),"
      " u AS (UPDATE trace_assessment a SET valid = true FROM d WHERE a.tenant_id = d.tenant_id"
      "  AND a.trace_key = d.trace_key AND a.id = d.overrides AND NOT EXISTS (SELECT FROM"
      "  trace_assessment s WHERE s.tenant_id = a.tenant_id AND s.trace_key = a.trace_key"
      "  AND s.overrides = a.id AND s.id <> $3))"
      " SELECT 'gone' FROM d");

enum err assessment_remove(struct db *db, const char *project_id, const char *trace, const char *id)
{
    const char *gone;

    return mlflow_json(db, &assessment_remove_sql, &gone,
                       PARAMS(P_TEXT(project_id), P_TEXT(trace), P_TEXT(id)));
}
