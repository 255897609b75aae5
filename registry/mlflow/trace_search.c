/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/mlflow/trace_search.h"

#include "auth/auth.h"
#include "registry/handlers.h"
#include "registry/mlflow/mlflow.h"
#include "registry/mlflow/trace.h"
#include "registry/mlflow/trace_json.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { LOCATIONS_MAX = 100, ORDERS_MAX = 8, USUAL_PAGE = 100, TAGGED_MAX = 5000 };

#define OF_TRACE " x WHERE x.tenant_id = t.tenant_id AND x.trace_key = t.key AND "

/* mlflow/utils/search_utils.py, SearchTraceUtils. The first is what pages go by. */
static const struct where_attribute attributes[] = {
    {" timestamp timestamp_ms request_time ", "t.start_ms", true},
    {" execution_time execution_time_ms execution_duration ", "t.duration_ms", true},
    {" end_time end_time_ms ", "(t.start_ms + t.duration_ms)", true},
    {" request_id trace_id ", "t.id", false},
    {" client_request_id ", "t.client_request_id", false},
    {" status state ", "t.state", false},
    {" name ", "t.name", false},
    {" prompt ", "(t.tags ->> 'mlflow.linkedPrompts')", false},
    {" experiment_id ", "t.experiment_id::text", false},
    {.names = NULL},
};
static const struct where_named named[] = {
    {" tag tags ", "EXISTS (SELECT FROM (SELECT t.tags ->> $%d AS value) x WHERE ", "x.value",
     false},
    {" request_metadata metadata ",
     "EXISTS (SELECT FROM (SELECT t.metadata ->> $%d AS value) x WHERE ", "x.value", false},
    {.entities = NULL},
};
static const struct where_subject subject = {attributes, named,
                                             " attr attribute attributes trace "};

static const struct where_attribute span_attributes[] = {
    {" name ", "x.name", false},
    {" type ", "x.type", false},
    {" status ", "x.status", false},
    {" content ", "(x.name || ' ' || x.attributes::text)", false},
    {.names = NULL},
};
static const struct where_named span_named[] = {
    {" attributes ", "EXISTS (SELECT FROM (SELECT x.attributes ->> $%d AS value) v WHERE ",
     "v.value", false},
    {.entities = NULL},
};
static const struct where_subject spans = {span_attributes, span_named, " span "};

/* Some span has what is asked for. "attributes." and what follows it names one of its attributes.
 */
static enum err add_span(struct request *rq, struct where *w, struct filter_clause *c)
{
    struct filter one = {.count = 1};

    where_add(w, " AND %sEXISTS (SELECT FROM trace_span" OF_TRACE "true",
              c->op == FILTER_NULL ? "NOT " : "");
    if (c->op == FILTER_NULL)
        c->op = FILTER_NOT_NULL;
    if (strncmp(c->key, "attributes.", 11) == 0) {
        c->entity = "attributes";
        c->key += 11;
    }
    one.clauses[0] = *c;
    TRY(where_filter(rq, w, &spans, &one));
    where_add(w, ")");
    return OK;
}

/* A number is compared with numbers, a text with what any value is as a text. */
static enum err add_assessment(struct request *rq, struct where *w, const struct filter_clause *c)
{
    bool number = c->type == FILTER_NUMBER;

    if (*c->key == '\0')
        return fail(rq, ERR_INVALID, "Assessment field name cannot be empty");
    where_add(w, " AND %sEXISTS (SELECT FROM trace_assessment" OF_TRACE,
              c->op == FILTER_NULL ? "NOT " : "");
    where_add(w, "x.valid AND x.kind = $%d AND ", where_bind(w, P_TEXT(c->entity)));
    where_add(w, "x.name = $%d AND ", where_bind(w, P_TEXT(c->key)));
    TRY(where_test(rq, w, number ? "x.number" : "x.value", number, c));
    where_add(w, ")");
    return OK;
}

static enum err add_run(struct request *rq, struct where *w, const struct filter_clause *c)
{
    where_add(w, " AND %sEXISTS (SELECT FROM trace_run" OF_TRACE,
              c->op == FILTER_NULL || c->op == FILTER_NE ? "NOT " : "");
    if (c->op == FILTER_NE)
        where_add(w, "x.run = $%d", where_bind(w, P_TEXT(c->text == NULL ? "" : c->text)));
    else
        TRY(where_test(rq, w, "x.run", false, c));
    where_add(w, ")");
    return OK;
}

/* As integers, so that the index by time is of use. */
static bool add_time(struct where *w, const struct filter_clause *c)
{
    static const char *const signs[] = {"=", "<>", "<", "<=", ">", ">="};

    if (c->type != FILTER_NUMBER || c->op > FILTER_GE || fabs(c->number) > 9e15 ||
        c->number != floor(c->number))
        return false;
    where_add(w, " AND t.start_ms %s $%d::bigint", signs[c->op],
              where_bind(w, P_INT((int64_t)c->number)));
    return true;
}

static enum err add_attribute(struct request *rq, struct where *w, struct filter_clause *c)
{
    struct filter one = {.count = 1};

    if (strcmp(c->key, "run_id") == 0)
        return add_run(rq, w, c);
    if (strcmp(c->key, "text") == 0) {
        c->entity = "";
        c->key = "content";
        return add_span(rq, w, c);
    }
    if (where_attribute_of(&subject, "", c->key) == attributes && add_time(w, c))
        return OK;
    one.clauses[0] = *c;
    return where_filter(rq, w, &subject, &one);
}

/* Sessions are looked for one at a time: their texts have a column and an index. */
static bool of_session(const struct filter_clause *c)
{
    return strcmp(c->key, "mlflow.trace.session") == 0 && c->op == FILTER_EQ &&
           c->type == FILTER_STRING && strlen(c->text) <= MLFLOW_KEY_MAX;
}

struct tagged {
    const char *key;
};

static const struct field tagged_fields[] = {TEXT(struct tagged, key, 36), FIELDS_END};

QUERY(trace_tagged_sql, "SELECT key FROM trace_tagged($1::uuid, $2::bigint[], $3, $4, $5::bigint)");

/* A tag that few have leads to them; one that many have is soon met on the way along the time. The
 * tag itself is compared in either case. */
static enum err add_tagged(struct request *rq, struct where *w, const struct trace_place *in,
                           const struct filter_clause *c)
{
    const struct tagged *found;
    struct texts keys;
    struct rows rows;

    if (c->op != FILTER_EQ || c->type != FILTER_STRING)
        return OK;
    TRY(db_list(rq->db, &trace_tagged_sql, tagged_fields, sizeof(struct tagged), &rows,
                PARAMS(P_TEXT(auth_project_id(rq)), P_INTS(in->experiments, in->count),
                       P_TEXT(c->key), P_TEXT(c->text), P_INT(TAGGED_MAX + 1))));
    if (rows.count > TAGGED_MAX)
        return OK;
    found = rows.items;
    keys = (struct texts){arena_alloc(rq->arena, (rows.count + 1) * sizeof(char *)), rows.count};
    for (size_t i = 0; i < rows.count; i++)
        keys.items[i] = found[i].key;
    where_add(w, " AND t.key = ANY ($%d::text[]::uuid[])",
              where_bind(w, P_TEXTS(keys.items, keys.count)));
    return OK;
}

static enum err add_clause(struct request *rq, struct where *w, const struct trace_place *in,
                           struct filter_clause *c)
{
    struct filter one = {.count = 1};

    if (*c->entity == '\0' || where_lists(subject.entities, c->entity))
        return add_attribute(rq, w, c);
    if (strcmp(c->entity, "span") == 0) {
        c->entity = "";
        return add_span(rq, w, c);
    }
    if (where_lists(" feedback expectation issue ", c->entity))
        return add_assessment(rq, w, c);
    if (where_lists(named[0].entities, c->entity))
        TRY(add_tagged(rq, w, in, c));
    one.clauses[0] = *c;
    if (where_lists(named[1].entities, c->entity) && of_session(c))
        where_add(w, " AND t.session = $%d::text", where_bind(w, P_TEXT(c->text)));
    return where_filter(rq, w, &subject, &one);
}

enum err trace_where(struct request *rq, struct where *w, const struct trace_place *in,
                     const char *text)
{
    struct filter *f = arena_alloc(rq->arena, sizeof(*f));
    const char *why = "";

    w->patterns = true;
    if (filter_parse(rq->arena, text, f, &why) != OK)
        return fail(rq, ERR_INVALID, "%s", why);
    for (size_t i = 0; i < f->count; i++)
        TRY(add_clause(rq, w, in, &f->clauses[i]));
    return OK;
}

void trace_where_begin(struct request *rq, struct where *w, const struct trace_place *in)
{
    where_add(w, " FROM trace t WHERE t.tenant_id = current_tenant() AND t.project_id = $%d::uuid",
              where_bind(w, P_TEXT(auth_project_id(rq))));
    where_add(w,
              in->count == 1 ? " AND t.experiment_id = ($%d::bigint[])[1]"
                             : " AND t.experiment_id = ANY ($%d::bigint[])",
              where_bind(w, P_INTS(in->experiments, in->count)));
}

/* Which way pages go by time: a single order by it, or none. */
enum way { NEWEST_FIRST, OLDEST_FIRST, OTHERWISE };

static enum err read_way(struct request *rq, const struct texts *orders, enum way *way)
{
    struct filter_order o;
    const char *why;

    *way = orders->count == 0 ? NEWEST_FIRST : OTHERWISE;
    if (orders->count != 1)
        return OK;
    if (filter_order_parse(rq->arena, orders->items[0], &o, &why) != OK)
        return fail(rq, ERR_INVALID, "%s", why);
    if (where_attribute_of(&subject, o.entity, o.key) == attributes)
        *way = o.descending ? NEWEST_FIRST : OLDEST_FIRST;
    return OK;
}

static enum err add_order(struct request *rq, struct where *w, const char *text)
{
    const struct where_attribute *a;
    struct filter_order o;
    const char *why;

    if (filter_order_parse(rq->arena, text, &o, &why) != OK)
        return fail(rq, ERR_INVALID, "%s", why);
    a = where_attribute_of(&subject, o.entity, o.key);
    if (a != NULL)
        where_add(w, "%s%s NULLS LAST, ", a->column, o.descending ? " DESC" : "");
    else if (strcmp(o.key, "run_id") == 0)
        where_add(w, "t.metadata ->> 'mlflow.sourceRun'%s NULLS LAST, ",
                  o.descending ? " DESC" : "");
    else
        return fail(rq, ERR_INVALID, "Invalid order_by: %s", text);
    return OK;
}

static enum err add_orders(struct request *rq, struct where *w, const struct texts *orders,
                           enum way way)
{
    where_add(w, " ORDER BY ");
    for (size_t i = 0; way == OTHERWISE && i < orders->count; i++)
        TRY(add_order(rq, w, orders->items[i]));
    where_add(w, way == OLDEST_FIRST ? "t.start_ms, t.id DESC" : "t.start_ms DESC, t.id");
    return OK;
}

/* By time the place of the last trace, "start:id"; in any other order "+" and how many traces. */
static enum err read_token(struct request *rq, struct where *w, enum way way, int64_t *offset)
{
    const char *token;
    uint64_t number = 0;
    long long start;
    char *end;
    int at;

    TRY(mlflow_text(rq, "page_token", 128, &token));
    if (token == NULL)
        return OK;
    if (way == OTHERWISE) {
        if (*token != '+' || !uint_parse(token + 1, 1 << 30, &number))
            return mlflow_invalid(rq, "page_token", token);
        *offset = (int64_t)number;
        return OK;
    }
    start = strtoll(token, &end, 10);
    if (end == token || *end != ':' || !trace_id_valid(end + 1))
        return mlflow_invalid(rq, "page_token", token);
    at = where_bind(w, P_INT(start));
    where_add(w, " AND t.start_ms %s $%d::bigint AND (t.start_ms <> $%d::bigint OR t.id %s ",
              way == NEWEST_FIRST ? "<=" : ">=", at, at, way == NEWEST_FIRST ? ">" : "<");
    where_add(w, "$%d::text)", where_bind(w, P_TEXT(end + 1)));
    return OK;
}

/* {"mlflow_experiment":{"experiment_id":…}}, or the id itself. */
static enum err read_locations(struct request *rq, int64_t **ids, size_t *count)
{
    const json_t *list;
    const json_t *item;
    size_t i;

    TRY(mlflow_list(rq, "locations", LOCATIONS_MAX, &list));
    if (json_array_size(list) == 0)
        return mlflow_missing(rq, "locations");
    *ids = arena_alloc(rq->arena, json_array_size(list) * sizeof(**ids));
    *count = 0;
    json_array_foreach(list, i, item)
    {
        const char *id = mlflow_member(json_object_get(item, "mlflow_experiment"), "experiment_id");

        if (id == NULL)
            return mlflow_invalid(rq, "locations", "that names no experiment");
        TRY(mlflow_experiment_id(rq, id, &(*ids)[(*count)++]));
    }
    return OK;
}

static void finish(struct where *w, enum way way, int64_t limit, int64_t offset)
{
    where_add(w, " LIMIT $%d::bigint OFFSET $%d::bigint) t) ", where_bind(w, P_INT(limit + 1)),
              where_bind(w, P_INT(offset)));
    where_add(w,
              "SELECT json_strip_nulls(json_build_object('traces', coalesce(json_agg(" TRACE_JSON
              " ORDER BY n) FILTER (WHERE n <= $%d::bigint), '[]')",
              where_bind(w, P_INT(limit)));
    where_add(w, ", 'next_page_token', CASE WHEN count(*) > $%d::bigint THEN ",
              where_bind(w, P_INT(limit)));
    if (way != OTHERWISE)
        where_add(w, "max(t.start_ms || ':' || t.id) FILTER (WHERE n = $%d::bigint)",
                  where_bind(w, P_INT(limit)));
    else
        where_add(w, "'+' || $%d::bigint", where_bind(w, P_INT(offset + limit)));
    where_add(w, " END)) FROM found t");
}

/* POST …/traces/search */
enum err post_mlflow_trace_search(struct request *rq)
{
    struct where *w = where_new(rq->arena);
    int64_t limit = USUAL_PAGE;
    struct texts orders;
    const char *filter;
    int64_t offset = 0;
    const char *json;
    int64_t *ids = NULL;
    size_t count = 0;
    enum way way;

    TRY(mlflow_int(rq, "max_results", 1, TRACE_PAGE_MAX, &limit));
    TRY(mlflow_texts(rq, "order_by", ORDERS_MAX, &orders));
    TRY(mlflow_text(rq, "filter", FILTER_TEXT_MAX, &filter));
    TRY(read_locations(rq, &ids, &count));
    TRY(read_way(rq, &orders, &way));
    where_add(w, "WITH found AS MATERIALIZED (SELECT t.*, row_number() OVER () AS n"
                 " FROM (SELECT t.*");
    trace_where_begin(rq, w, &(struct trace_place){ids, count});
    TRY(trace_where(rq, w, &(struct trace_place){ids, count}, filter));
    TRY(read_token(rq, w, way, &offset));
    TRY(add_orders(rq, w, &orders, way));
    finish(w, way, limit, offset);
    TRY(where_json(rq->db, w, &json));
    return mlflow_reply(rq, json);
}
