/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/mlflow/trace_span.h"

#include "registry/mlflow/mlflow.h"
#include "registry/mlflow/trace.h"
#include "registry/mlflow/trace_json.h"
#include "registry/mlflow/trace_value.h"
#include "registry/reply.h"

#include <stdlib.h>
#include <string.h>

/* A trace is what its root says of it, until the client describes it itself (told). */
QUERY(trace_spans_keep_sql,
      "WITH e AS (SELECT e.tenant_id, e.project_id, e.id FROM experiment e"
      "  WHERE e.tenant_id = current_tenant() AND e.project_id = $1::uuid AND e.id = $2::bigint"
      "  AND e.stage = 'active'),"
      " x AS MATERIALIZED (SELECT DISTINCT ON (trace, id) * FROM json_to_recordset($3::json) AS x"
      "  (trace text, id text, parent text, name text, status text, message text, kind int,"
      "  start bigint, \"end\" bigint, attributes json, events json, links json)),"
      " g AS (SELECT trace, min(start) AS start FROM x GROUP BY trace),"
      " r AS (SELECT DISTINCT ON (trace) * FROM x WHERE parent IS NULL ORDER BY trace, start),"
      " t AS (INSERT INTO trace AS o (tenant_id, project_id, experiment_id, id, state, start_ms,"
      "  duration_ms, request_preview, response_preview, metadata, tags, spanned, created_by)"
      "  SELECT e.tenant_id, e.project_id, e.id, g.trace, CASE WHEN r.id IS NULL THEN"
      "  'IN_PROGRESS' WHEN r.status = 'ERROR' THEN 'ERROR' ELSE 'OK' END, g.start / 1000000,"
      "  greatest(r.\"end\" - r.start, 0) / 1000000,"
      "  left((r.attributes -> 'mlflow.spanInputs')::text, 1000),"
      "  left((r.attributes -> 'mlflow.spanOutputs')::text, 1000),"
      "  jsonb_strip_nulls(jsonb_build_object("
      "  'mlflow.trace.session', left(r.attributes ->> 'session.id', 250),"
      "  'mlflow.trace.user', left(r.attributes ->> 'user.id', 250))),"
      "  jsonb_strip_nulls(jsonb_build_object('mlflow.traceName', left(r.name, 8000)))"
      "  || coalesce((SELECT jsonb_object_agg(left(substr(k, 17), 250), left(v, 8000))"
      "  FROM json_each_text(r.attributes) AS a (k, v) WHERE k LIKE 'mlflow.traceTag._%'"
      "  AND v IS NOT NULL), '{}') - '{mlflow.artifactLocation,mlflow.trace.spansLocation,"
      "mlflow.trace.archiveLocation}'::text[], true, $5::uuid"
      "  FROM e, g LEFT JOIN r ON r.trace = g.trace ORDER BY g.trace"
      "  ON CONFLICT (tenant_id, project_id, id) DO UPDATE SET spanned = true,"
      "  state = CASE WHEN o.told OR excluded.state = 'IN_PROGRESS' THEN o.state"
      "  ELSE excluded.state END, start_ms = CASE WHEN o.told THEN o.start_ms"
      "  ELSE least(o.start_ms, excluded.start_ms) END, duration_ms = CASE WHEN o.told"
      "  THEN o.duration_ms ELSE coalesce(excluded.duration_ms, o.duration_ms) END,"
      "  request_preview = coalesce(o.request_preview, excluded.request_preview),"
      "  response_preview = coalesce(o.response_preview, excluded.response_preview),"
      "  metadata = excluded.metadata || o.metadata, tags = excluded.tags || o.tags"
      "  WHERE o.experiment_id = excluded.experiment_id RETURNING o.tenant_id, o.key, o.id),"
      " l AS (INSERT INTO trace_run (tenant_id, trace_key, run) SELECT t.tenant_id, t.key, $4"
      "  FROM t WHERE $4::text IS NOT NULL ON CONFLICT DO NOTHING),"
      " s AS (INSERT INTO trace_span (tenant_id, trace_key, id, parent_id, name, type, status,"
      "  message, kind, start_ns, end_ns, attributes, events, links)"
      "  SELECT t.tenant_id, t.key, x.id, x.parent, x.name,"
      "  coalesce(x.attributes ->> 'mlflow.spanType', 'UNKNOWN'), x.status, x.message, x.kind,"
      "  x.start, x.\"end\", x.attributes, x.events, x.links FROM x JOIN t ON t.id = x.trace"
      "  ORDER BY t.key, x.id"
      "  ON CONFLICT (tenant_id, trace_key, id) DO UPDATE SET parent_id = excluded.parent_id,"
      "  name = excluded.name, type = excluded.type, status = excluded.status,"
      "  message = excluded.message, kind = excluded.kind, start_ns = excluded.start_ns,"
      "  end_ns = excluded.end_ns, attributes = excluded.attributes, events = excluded.events,"
      "  links = excluded.links RETURNING 1)"
      " SELECT (SELECT count(*) FROM x JOIN t ON t.id = x.trace)::text FROM e");

enum err trace_spans_keep(struct db *db, const char *project_id, const struct trace_spans *s,
                          int64_t *kept)
{
    uint64_t count = 0;
    const char *text;

    TRY(mlflow_json(db, &trace_spans_keep_sql, &text,
                    PARAMS(P_TEXT(project_id), P_INT(s->experiment_id), P_TEXT(s->records),
                           P_TEXT(s->run), P_TEXT(s->by))));
    if (!uint_parse(text, INT64_MAX, &count))
        return ERR_INTERNAL;
    *kept = (int64_t)count;
    return OK;
}

/* One row a span, with its trace's JSON in the first row of the trace; in the order of ids. */
QUERY(trace_whole_sql,
      "SELECT CASE WHEN row_number() OVER (PARTITION BY t.key ORDER BY s.start_ns, s.id) = 1"
      "  THEN " TRACE_JSON " END, t.id, s.id, s.parent_id, s.name, s.kind, s.start_ns, s.end_ns,"
      "  s.status, s.message, s.attributes, s.events, s.links"
      " FROM trace t LEFT JOIN trace_span s ON s.tenant_id = t.tenant_id AND s.trace_key = t.key"
      " WHERE t.tenant_id = current_tenant() AND t.project_id = $1::uuid"
      " AND t.id = ANY ($2::text[])"
      " ORDER BY array_position($2::text[], t.id), t.key, s.start_ns, s.id");

enum column {
    TRACE_INFO,
    TRACE_ID,
    SPAN_ID,
    SPAN_PARENT,
    SPAN_NAME,
    SPAN_KIND,
    SPAN_START,
    SPAN_END,
    SPAN_STATUS,
    SPAN_MESSAGE,
    SPAN_ATTRIBUTES,
    SPAN_EVENTS,
    SPAN_LINKS
};

struct row {
    struct arena *arena;
    const PGresult *rows;
    int number;
};

static const char *cell(const struct row *r, enum column c)
{
    return PQgetisnull(r->rows, r->number, (int)c) ? NULL : PQgetvalue(r->rows, r->number, (int)c);
}

/* An id of hexadecimal digits as protobuf's JSON has bytes. */
static void put_id(struct arena *a, struct text *out, const char *name, const char *hex)
{
    size_t length = hex == NULL ? 0 : strlen(hex) / 2;
    uint8_t bytes[16];

    if (length > 0 && length <= sizeof(bytes) && hex_decode(hex, bytes, length))
        text_printf(out, "\"%s\":\"%s\",", name, base64_encode(a, bytes, length));
}

static const char *hex_of_trace(const char *id)
{
    return id != NULL && strncmp(id, "tr-", 3) == 0 ? id + 3 : id;
}

/* Events and links are lists of objects: what is kept of them but the attributes stays. */
static void put_parts(struct arena *a, struct text *out, const char *text)
{
    json_t *list = json_loads(text, 0, NULL);
    const json_t *item;
    size_t i;

    arena_own(a, list, json_release);
    json_array_foreach(list, i, item)
    {
        const char *name = json_string_value(json_object_get(item, "name"));

        text_puts(out, i == 0 ? "{" : ",{");
        put_id(a, out, "trace_id", json_string_value(json_object_get(item, "trace_id")));
        put_id(a, out, "span_id", json_string_value(json_object_get(item, "span_id")));
        if (name != NULL) {
            text_printf(out, "\"time_unix_nano\":%lld,\"name\":",
                        (long long)json_integer_value(json_object_get(item, "time_unix_nano")));
            field_write_text(name, out);
            text_puts(out, ",");
        }
        text_puts(out, "\"attributes\":");
        value_write_pairs(out, json_object_get(item, "attributes"));
        text_puts(out, "}");
    }
}

static void put_span(const struct row *r, struct text *out)
{
    json_t *attributes = json_loads(cell(r, SPAN_ATTRIBUTES), 0, NULL);
    const char *message = cell(r, SPAN_MESSAGE);

    arena_own(r->arena, attributes, json_release);
    text_puts(out, "{");
    put_id(r->arena, out, "trace_id", hex_of_trace(cell(r, TRACE_ID)));
    put_id(r->arena, out, "span_id", cell(r, SPAN_ID));
    put_id(r->arena, out, "parent_span_id", cell(r, SPAN_PARENT));
    text_puts(out, "\"name\":");
    field_write_text(cell(r, SPAN_NAME), out);
    text_printf(out, ",\"kind\":%s,\"start_time_unix_nano\":%s,\"end_time_unix_nano\":%s",
                cell(r, SPAN_KIND), cell(r, SPAN_START), cell(r, SPAN_END));
    text_printf(out, ",\"status\":{\"code\":\"STATUS_CODE_%s\"", cell(r, SPAN_STATUS));
    if (message != NULL) {
        text_puts(out, ",\"message\":");
        field_write_text(message, out);
    }
    text_puts(out, "},\"attributes\":");
    value_write_pairs(out, attributes);
    text_puts(out, ",\"events\":[");
    put_parts(r->arena, out, cell(r, SPAN_EVENTS));
    text_puts(out, "],\"links\":[");
    put_parts(r->arena, out, cell(r, SPAN_LINKS));
    text_puts(out, "]}");
}

enum err trace_whole(struct db *db, const char *project_id, const struct texts *ids,
                     struct text *out)
{
    struct row r = {.arena = db->arena};
    PGresult *rows;
    int count;

    TRY(db_rows(db, &trace_whole_sql, &rows,
                PARAMS(P_TEXT(project_id), P_TEXTS(ids->items, ids->count))));
    r.rows = rows;
    count = PQntuples(rows);
    for (; r.number < count && !out->failed; r.number++) {
        bool first = cell(&r, TRACE_INFO) != NULL;

        if (first) {
            text_puts(out, r.number == 0 ? "{\"trace_info\":" : "]},{\"trace_info\":");
            text_puts(out, cell(&r, TRACE_INFO));
            text_puts(out, ",\"spans\":[");
        }
        if (cell(&r, SPAN_ID) != NULL) {
            text_puts(out, first ? "" : ",");
            put_span(&r, out);
        }
    }
    text_puts(out, count > 0 ? "]}" : "");
    return OK;
}
