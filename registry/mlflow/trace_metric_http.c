/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/mlflow/trace_search.h"

#include "auth/auth.h"
#include "registry/handlers.h"
#include "registry/mlflow/mlflow.h"

#include <math.h>
#include <string.h>

enum { PLACES_MAX = 100, AGGREGATIONS_MAX = 10, DIMENSIONS_MAX = 5, FILTERS_MAX = 10 };
enum { POINTS_MAX = 1000, INTERVAL_MAX = 366 * 86400 };

/* A number in what clients wrote as JSON into a text, without trusting it to be JSON. */
#define NUMBER_IN(text, name)                                                                      \
    "substring(" text " from '\"" name                                                             \
    "\"\\s*:\\s*(-?[0-9]{1,15}(?:\\.[0-9]{1,17})?(?:[eE][+-]?[0-9]{1,2})?)')::float8"
#define TOKENS(name) NUMBER_IN("(t.metadata ->> 'mlflow.trace.tokenUsage')", name)
#define COST(name)   NUMBER_IN("(s.attributes ->> 'mlflow.llm.cost')", name)
#define AMOUNTS      " SUM AVG PERCENTILE "
#define MODELS       " span_model_name span_model_provider "

/* mlflow/store/tracking/utils/sql_trace_metrics_utils.py: what can be asked of what. */
struct view {
    const char *name;
    const char *join;   /* to t */
    const char *at;     /* milliseconds */
    const char *entity; /* in filters */
};
static const struct view views[] = {
    {"TRACES", "", "t.start_ms", "trace"},
    {"SPANS", " JOIN trace_span s ON s.tenant_id = t.tenant_id AND s.trace_key = t.key",
     "(s.start_ns / 1000000)", "span"},
    {"ASSESSMENTS",
     " JOIN trace_assessment s ON s.tenant_id = t.tenant_id AND s.trace_key = t.key AND s.valid",
     "s.created_ms", "assessment"},
};
struct measure {
    const struct view *view;
    const char *name;
    const char *column;
    const char *aggregations;
    const char *dimensions;
};
static const struct measure measures[] = {
    {&views[0], "trace_count", "t.id", " COUNT ", " trace_name trace_status "},
    {&views[0], "session_count", "DISTINCT t.session", " COUNT ", ""},
    {&views[0], "latency", "t.duration_ms", " AVG PERCENTILE ", " trace_name "},
    {&views[0], "input_tokens", TOKENS("input_tokens"), AMOUNTS, " trace_name "},
    {&views[0], "output_tokens", TOKENS("output_tokens"), AMOUNTS, " trace_name "},
    {&views[0], "total_tokens", TOKENS("total_tokens"), AMOUNTS, " trace_name "},
    {&views[0], "cache_read_input_tokens", TOKENS("cache_read_input_tokens"), AMOUNTS,
     " trace_name "},
    {&views[0], "cache_creation_input_tokens", TOKENS("cache_creation_input_tokens"), AMOUNTS,
     " trace_name "},
    {&views[1], "span_count", "s.id", " COUNT ", " span_name span_type span_status" MODELS},
    {&views[1], "latency", "((s.end_ns - s.start_ns) / 1000000)", " AVG PERCENTILE ",
     " span_name span_status "},
    {&views[1], "input_cost", COST("input_cost"), AMOUNTS, MODELS},
    {&views[1], "output_cost", COST("output_cost"), AMOUNTS, MODELS},
    {&views[1], "total_cost", COST("total_cost"), AMOUNTS, MODELS},
    {&views[2], "assessment_count", "s.id", " COUNT ", " assessment_name assessment_value "},
    {&views[2], "assessment_value",
     "CASE WHEN s.number IS NOT NULL THEN s.number WHEN s.value IN ('true', 'yes') THEN 1"
     " WHEN s.value IN ('false', 'no') THEN 0 END",
     " AVG PERCENTILE ", " assessment_name "},
};
static const struct {
    const char *name;
    const char *column;
} dimensions[] = {
    {"trace_name", "t.name"},
    {"trace_status", "t.state"},
    {"span_name", "s.name"},
    {"span_type", "s.type"},
    {"span_status", "s.status"},
    {"span_model_name", "btrim(s.attributes ->> 'mlflow.llm.model', '\"')"},
    {"span_model_provider", "btrim(s.attributes ->> 'mlflow.llm.provider', '\"')"},
    {"assessment_name", "s.name"},
    {"assessment_value", "(s.content -> 'value')::text"},
};

/* What is asked for. */
struct asked {
    const struct measure *measure;
    struct trace_place in;
    struct texts dimensions;
    const json_t *aggregations;
    struct texts filters;
    int64_t interval_ms; /* 0 for none */
    int64_t start_ms;
    int64_t end_ms;
    int64_t limit;
};

static enum err read_measure(struct request *rq, struct asked *q)
{
    static const char *const numbered[] = {"TRACES", "SPANS", "ASSESSMENTS"};
    const char *view, *name;
    bool known = false;

    TRY(mlflow_need(rq, "view_type", 32, &view));
    TRY(mlflow_need(rq, "metric_name", 64, &name));
    if (*view >= '1' && *view <= '3' && view[1] == '\0')
        view = numbered[*view - '1'];
    for (size_t i = 0; i < sizeof(measures) / sizeof(measures[0]) && !known; i++) {
        q->measure = &measures[i];
        known = strcmp(measures[i].view->name, view) == 0 && strcmp(measures[i].name, name) == 0;
    }
    if (!known)
        return fail(rq, ERR_INVALID, "There is no metric %s of view_type %s", name, view);
    TRY(mlflow_texts(rq, "dimensions", DIMENSIONS_MAX, &q->dimensions));
    for (size_t i = 0; i < q->dimensions.count; i++)
        if (!where_lists(q->measure->dimensions, q->dimensions.items[i]))
            return fail(rq, ERR_INVALID, "Found invalid dimension %s. Supported dimensions:%s",
                        mlflow_cut(rq->arena, q->dimensions.items[i], 100), q->measure->dimensions);
    return OK;
}

static enum err read_asked(struct request *rq, struct asked *q)
{
    struct texts names;
    int64_t seconds = 0;
    int64_t *ids;

    TRY(mlflow_texts(rq, "experiment_ids", PLACES_MAX, &names));
    if (names.count == 0)
        return mlflow_missing(rq, "experiment_ids");
    ids = arena_alloc(rq->arena, names.count * sizeof(*ids));
    for (size_t i = 0; i < names.count; i++)
        TRY(mlflow_experiment_id(rq, names.items[i], &ids[i]));
    q->in = (struct trace_place){ids, names.count};
    TRY(read_measure(rq, q));
    TRY(mlflow_texts(rq, "filters", FILTERS_MAX, &q->filters));
    TRY(mlflow_int(rq, "time_interval_seconds", 0, INTERVAL_MAX, &seconds));
    q->interval_ms = seconds * 1000;
    q->start_ms = q->end_ms = -1;
    TRY(mlflow_int(rq, "start_time_ms", -1, INT64_MAX, &q->start_ms));
    TRY(mlflow_int(rq, "end_time_ms", -1, INT64_MAX, &q->end_ms));
    if (seconds > 0 && (q->start_ms < 0 || q->end_ms < 0))
        return fail(rq, ERR_INVALID,
                    "start_time_ms and end_time_ms are required if time_interval_seconds is set");
    q->limit = POINTS_MAX;
    TRY(mlflow_int(rq, "max_results", 1, POINTS_MAX, &q->limit));
    TRY(mlflow_list(rq, "aggregations", AGGREGATIONS_MAX, &q->aggregations));
    return json_array_size(q->aggregations) > 0 ? OK : mlflow_missing(rq, "aggregations");
}

static const char *column_of(const char *dimension)
{
    for (size_t i = 0; i < sizeof(dimensions) / sizeof(dimensions[0]); i++)
        if (strcmp(dimensions[i].name, dimension) == 0)
            return dimensions[i].column;
    return "NULL"; /* not reached: read_measure knows them all */
}

/* How many columns d0, d1, … there are. */
static size_t add_dimensions(struct where *w, const struct asked *q)
{
    size_t n = 0;

    if (q->interval_ms > 0) {
        int every = where_bind(w, P_INT(q->interval_ms));

        where_add(w,
                  "to_char(to_timestamp((%s / $%d::bigint * $%d::bigint) / 1000) AT TIME ZONE "
                  "'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"+00:00\"') AS d%zu, ",
                  q->measure->view->at, every, every, n++);
    }
    for (size_t i = 0; i < q->dimensions.count; i++)
        where_add(w, "%s AS d%zu, ", column_of(q->dimensions.items[i]), n++);
    return n;
}

/* The name that a value has in the answer: "P50.0" for a percentile. */
static enum err read_aggregation(struct request *rq, const struct measure *m, const json_t *item,
                                 const char **name, double *percent)
{
    static const char *const numbered[] = {"COUNT", "SUM", "AVG", "PERCENTILE", "MIN", "MAX"};
    const json_t *type = json_object_get(item, "aggregation_type");
    const json_t *value = json_object_get(item, "percentile_value");
    json_int_t number = json_integer_value(type);

    *name = json_string_value(type);
    if (number >= 1 && number <= 6)
        *name = numbered[number - 1];
    if (*name == NULL || !where_lists(m->aggregations, *name))
        return fail(rq, ERR_INVALID,
                    "Found invalid aggregation_type. Supported aggregation types:%s",
                    m->aggregations);
    *percent = json_number_value(value);
    if (strcmp(*name, "PERCENTILE") != 0)
        return OK;
    if (!json_is_number(value) || !(*percent >= 0 && *percent <= 100))
        return fail(rq, ERR_INVALID, "percentile_value must be a number from 0 to 100");
    *name = arena_printf(rq->arena, *percent == floor(*percent) ? "P%.1f" : "P%.15g", *percent);
    return OK;
}

/* The columns v0, v1, …; their names into names. */
static enum err add_values(struct request *rq, struct where *w, const struct asked *q,
                           const char **names)
{
    const json_t *item;
    size_t i;

    json_array_foreach(q->aggregations, i, item)
    {
        const char *column = q->measure->column;
        double percent;

        TRY(read_aggregation(rq, q->measure, item, &names[i], &percent));
        where_add(w, i == 0 ? "" : ", ");
        if (*names[i] == 'P')
            where_add(w, "percentile_cont($%d::float8) WITHIN GROUP (ORDER BY (%s)::float8)",
                      where_bind(w, P_REAL(percent / 100)), column);
        else if (strcmp(names[i], "COUNT") == 0)
            where_add(w, "count(%s)::float8", column);
        else
            where_add(w, "%s(%s)::float8", strcmp(names[i], "SUM") == 0 ? "sum" : "avg", column);
        where_add(w, " AS v%zu", i);
    }
    return OK;
}

static const struct {
    const char *entity;
    const char *key;
    const char *column;
} filterable[] = {
    {"trace", "status", "t.state"},   {"span", "name", "s.name"},
    {"span", "status", "s.status"},   {"span", "type", "s.type"},
    {"assessment", "name", "s.name"}, {"assessment", "type", "s.kind"},
};

/* The expression that a filter's name stands for; NULL for none. */
static const char *filtered(struct where *w, const struct view *v, const struct filter_clause *c)
{
    bool tag = strncmp(c->key, "tag.", 4) == 0;

    if (strcmp(c->entity, "trace") == 0 && (tag || strncmp(c->key, "metadata.", 9) == 0))
        return arena_printf(w->arena, "t.%s ->> $%d::text", tag ? "tags" : "metadata",
                            where_bind(w, P_TEXT(strchr(c->key, '.') + 1)));
    for (size_t i = 0; i < sizeof(filterable) / sizeof(filterable[0]); i++)
        if (strcmp(c->entity, filterable[i].entity) == 0 &&
            strcmp(c->key, filterable[i].key) == 0 &&
            (strcmp(c->entity, "trace") == 0 || strcmp(c->entity, v->entity) == 0))
            return filterable[i].column;
    return NULL;
}

/* trace.tag.`a.b` is trace.tag.a.b */
static const char *without_ticks(struct arena *a, const char *text)
{
    char *out = arena_text(a, text);
    char *end = out;

    for (const char *c = text; *c != '\0'; c++)
        if (*c != '`' || memchr(text, '=', (size_t)(c - text)) != NULL)
            *end++ = *c;
    *end = '\0';
    return out;
}

/* One clause each: trace.status, trace.tag.KEY, trace.metadata.KEY, span.name, assessment.name… */
static enum err add_filter(struct request *rq, struct where *w, const struct asked *q,
                           const char *text)
{
    struct filter *f = arena_alloc(rq->arena, sizeof(*f));
    const struct filter_clause *c = &f->clauses[0];
    const char *column;
    const char *why;

    if (filter_parse(rq->arena, without_ticks(rq->arena, text), f, &why) != OK || f->count != 1 ||
        c->op != FILTER_EQ || c->type != FILTER_STRING)
        return fail(rq, ERR_INVALID, "Invalid filter '%s': one NAME = 'value' is taken", text);
    column = filtered(w, q->measure->view, c);
    if (column == NULL)
        return fail(rq, ERR_INVALID, "Invalid filter '%s' for view_type %s", text,
                    q->measure->view->name);
    where_add(w, " AND %s = $%d", column, where_bind(w, P_TEXT(c->text)));
    return OK;
}

/* " FROM … WHERE …" */
static enum err add_rows(struct request *rq, struct where *w, const struct asked *q)
{
    where_add(w, " FROM (SELECT t.*");
    trace_where_begin(rq, w, &q->in);
    if (q->start_ms >= 0)
        where_add(w, " AND t.start_ms >= $%d::bigint", where_bind(w, P_INT(q->start_ms)));
    if (q->end_ms >= 0)
        where_add(w, " AND t.start_ms <= $%d::bigint", where_bind(w, P_INT(q->end_ms)));
    where_add(w, ") t%s WHERE true", q->measure->view->join);
    for (size_t i = 0; i < q->filters.count; i++)
        TRY(add_filter(rq, w, q, q->filters.items[i]));
    return OK;
}

/* "d0, d1": all of the first so many. */
static void add_numbered(struct where *w, const char *before, size_t count)
{
    for (size_t i = 0; i < count; i++)
        where_add(w, "%sd%zu", i == 0 ? before : ", ", i);
}

static enum err add_groups(struct request *rq, struct where *w, const struct asked *q,
                           const char **names, size_t *count)
{
    where_add(w, "WITH g AS (SELECT ");
    *count = add_dimensions(w, q);
    TRY(add_values(rq, w, q, names));
    TRY(add_rows(rq, w, q));
    add_numbered(w, " GROUP BY ", *count);
    add_numbered(w, " ORDER BY ", *count);
    where_add(w, " LIMIT $%d::bigint)", where_bind(w, P_INT(q->limit)));
    return OK;
}

/* A group without a name, or without any value, is none. */
static void add_points(struct where *w, const struct asked *q, const char *const *names,
                       size_t count)
{
    size_t first = q->interval_ms > 0 ? 1 : 0;
    size_t values = json_array_size(q->aggregations);

    where_add(w,
              " SELECT json_build_object('data_points', coalesce(json_agg(json_build_object("
              "'metric_name', $%d::text, 'dimensions', json_build_object(",
              where_bind(w, P_TEXT(q->measure->name)));
    for (size_t i = 0; i < count; i++)
        where_add(w, "%s$%d::text, d%zu", i == 0 ? "" : ", ",
                  where_bind(w, P_TEXT(i < first ? "time_bucket" : q->dimensions.items[i - first])),
                  i);
    where_add(w, "), 'values', json_strip_nulls(json_build_object(");
    for (size_t i = 0; i < values; i++)
        where_add(w, "%s$%d::text, v%zu", i == 0 ? "" : ", ", where_bind(w, P_TEXT(names[i])), i);
    where_add(w, ")))");
    add_numbered(w, " ORDER BY ", count);
    where_add(w, ") FILTER (WHERE (");
    for (size_t i = 0; i < values; i++)
        where_add(w, "%sv%zu IS NOT NULL", i == 0 ? "" : " OR ", i);
    where_add(w, ")");
    for (size_t i = 0; i < count; i++)
        where_add(w, " AND d%zu IS NOT NULL", i);
    where_add(w, "), '[]')) FROM g");
}

/* POST …/traces/metrics */
enum err post_mlflow_trace_metrics(struct request *rq)
{
    struct where *w = where_new(rq->arena);
    const char *names[AGGREGATIONS_MAX] = {NULL};
    struct asked q = {.measure = measures};
    const char *json;
    size_t count = 0;

    TRY(read_asked(rq, &q));
    TRY(add_groups(rq, w, &q, names, &count));
    add_points(w, &q, names, count);
    TRY(where_json(rq->db, w, &json));
    return mlflow_reply(rq, json);
}
