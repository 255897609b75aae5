/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/where.h"

#include "auth/auth.h"
#include "registry/handlers.h"
#include "registry/mlflow.h"
#include "registry/run.h"

#include <stdlib.h>
#include <string.h>

enum { EXPERIMENTS_MAX = 1000, ORDERS_MAX = 8, USUAL_PAGE = 1000 };

static const struct where_attribute attributes[] = {
    {" start_time created Created ", "r.start_ms", true},
    {" end_time ", "r.end_ms", true},
    {" run_id ", RUN_HEX("r.id"), false},
    {" run_name run name Run name Run Name ", "r.name", false},
    {" user_id ", "r.user_name", false},
    {" status ", "r.status", false},
    {" artifact_uri ",
     "('mlflow-artifacts:/' || r.experiment_id || '/' || " RUN_HEX("r.id") " || '/artifacts')",
     false},
    {.names = NULL},
};

#define OF_RUN " x WHERE x.tenant_id = r.tenant_id AND x.run_id = r.id AND "

static const struct where_named named[] = {
    {" metric metrics ",
     "EXISTS (SELECT FROM metric_latest" OF_RUN "x.key = $%d AND x.value <> 'NaN' AND ", "x.value",
     true},
    {" param params parameter parameters ",
     "EXISTS (SELECT FROM run_param" OF_RUN "x.key = $%d AND ", "x.value", false},
    {" tag tags ", "EXISTS (SELECT FROM run_tag" OF_RUN "x.key = $%d AND ", "x.value", false},
    {.entities = NULL},
};

static const struct where_subject subject = {attributes, named, " attr attribute attributes run "};

/* Datasets are searched by three names, which are columns or a tag. */
static const struct where_attribute dataset_attributes[] = {
    {" name ", "x.name", false},
    {" digest ", "x.digest", false},
    {" context ",
     "(SELECT t ->> 'value' FROM json_array_elements(x.tags) t"
     " WHERE t ->> 'key' = 'mlflow.data.context' LIMIT 1)",
     false},
    {.names = NULL},
};
static const struct where_named nothing[] = {{.entities = NULL}};
static const struct where_subject datasets = {dataset_attributes, nothing, " dataset datasets "};

static bool of_dataset(const struct filter_clause *c)
{
    return where_lists(datasets.entities, c->entity);
}

static enum err add_clause(struct request *rq, struct where *w, const struct filter_clause *clause)
{
    struct filter one = {.count = 1};

    one.clauses[0] = *clause;
    if (!of_dataset(clause))
        return where_filter(rq, w, &subject, &one);
    where_add(w, " AND EXISTS (SELECT FROM run_input" OF_RUN "true");
    TRY(where_filter(rq, w, &datasets, &one));
    where_add(w, ")");
    return OK;
}

static enum err add_filter(struct request *rq, struct where *w, const struct filter *f)
{
    for (size_t i = 0; i < f->count; i++)
        TRY(add_clause(rq, w, &f->clauses[i]));
    return OK;
}

/* Nothing and, among metrics, what is not a number come last, whichever way the order goes. */
static void add_order(struct where *w, const char *column, const struct filter_order *o, bool real)
{
    if (real)
        where_add(w, "CASE WHEN %s IS NULL THEN 2 WHEN %s = 'NaN' THEN 1 ELSE 0 END, ", column,
                  column);
    else
        where_add(w, "%s IS NULL, ", column);
    where_add(w, "%s%s, ", column, o->descending ? " DESC" : "");
}

static const char *named_column(struct where *w, const char *table, const char *key)
{
    return arena_printf(w->arena, "(SELECT x.value FROM %s" OF_RUN "x.key = $%d)", table,
                        where_bind(w, P_TEXT(key)));
}

static enum err order_by(struct request *rq, struct where *w, const char *text)
{
    static const char *const tables[] = {"metric_latest", "run_param", "run_tag"};
    const struct where_attribute *attribute;
    const struct where_named *n;
    struct filter_order o;
    const char *why;

    if (filter_order_parse(rq->arena, text, &o, &why) != OK)
        return fail(rq, ERR_INVALID, "%s", why);
    n = where_named_of(&subject, o.entity);
    attribute = where_attribute_of(&subject, o.entity, o.key);
    if (n != NULL)
        add_order(w, named_column(w, tables[n - named], o.key), &o, n->numeric);
    else if (attribute != NULL)
        add_order(w, attribute->column, &o, false);
    else
        return fail(rq, ERR_INVALID, "Invalid order_by: %s", text);
    return OK;
}

static enum err add_orders(struct request *rq, struct where *w, const struct texts *orders)
{
    where_add(w, " ORDER BY ");
    for (size_t i = 0; i < orders->count; i++) {
        for (size_t j = 0; j < i; j++)
            if (strcmp(orders->items[i], orders->items[j]) == 0)
                return fail(rq, ERR_INVALID, "`order_by` contains duplicate fields: %s",
                            orders->items[i]);
        TRY(order_by(rq, w, orders->items[i]));
    }
    where_add(w, "r.start_ms DESC, r.id");
    return OK;
}

/* In the usual order the place of the last run, "start:id"; in any other "+" and how many runs. */
static enum err read_token(struct request *rq, struct where *w, bool usual, int64_t *offset)
{
    const char *token;
    uint64_t number = 0;
    char *end;
    long long start;

    *offset = 0;
    TRY(mlflow_text(rq, "page_token", 128, &token));
    if (token == NULL)
        return OK;
    if (!usual) {
        if (*token != '+' || !uint_parse(token + 1, 1 << 30, &number))
            return mlflow_invalid(rq, "page_token", token);
        *offset = (int64_t)number;
        return OK;
    }
    start = strtoll(token, &end, 10);
    if (end == token || *end != ':' || !id_valid(end + 1))
        return mlflow_invalid(rq, "page_token", token);
    where_add(w, " AND r.start_ms <= $%d::bigint", where_bind(w, P_INT(start)));
    where_add(w, " AND (r.start_ms < $%d::bigint OR r.id > $%d::uuid)", where_bind(w, P_INT(start)),
              where_bind(w, P_TEXT(end + 1)));
    return OK;
}

static const char *stages_of(struct request *rq)
{
    const char *type = NULL;

    if (mlflow_text(rq, "run_view_type", 32, &type) != OK)
        return NULL;
    if (type == NULL || strcmp(type, "ACTIVE_ONLY") == 0 || strcmp(type, "1") == 0)
        return "{active}";
    if (strcmp(type, "DELETED_ONLY") == 0 || strcmp(type, "2") == 0)
        return "{deleted}";
    return strcmp(type, "ALL") == 0 || strcmp(type, "3") == 0 ? "{active,deleted}" : NULL;
}

static enum err begin(struct request *rq, struct where *w)
{
    const char *stages = stages_of(rq);
    struct texts experiments;
    int64_t id;
    int64_t *ids;

    if (stages == NULL)
        return mlflow_invalid(rq, "run_view_type", "of no view type");
    TRY(mlflow_texts(rq, "experiment_ids", EXPERIMENTS_MAX, &experiments));
    ids = arena_alloc(rq->arena, (experiments.count + 1) * sizeof(*ids));
    for (size_t i = 0; i < experiments.count; i++) {
        TRY(mlflow_experiment_id(rq, experiments.items[i], &id));
        ids[i] = id;
    }
    where_add(w, " FROM run r WHERE r.tenant_id = current_tenant() AND r.project_id = $%d::uuid",
              where_bind(w, P_TEXT(auth_project_id(rq))));
    where_add(w, " AND r.experiment_id = ANY ($%d::bigint[]) AND r.stage = ANY ($%d::text[])",
              where_bind(w, P_INTS(ids, experiments.count)), where_bind(w, P_TEXT(stages)));
    return OK;
}

static void finish(struct where *w, bool usual, int64_t limit, int64_t offset)
{
    where_add(w, " LIMIT $%d::bigint OFFSET $%d::bigint) r) ", where_bind(w, P_INT(limit + 1)),
              where_bind(w, P_INT(offset)));
    where_add(w,
              "SELECT json_build_object('runs', coalesce(json_agg(" RUN_JSON
              " ORDER BY n) FILTER (WHERE n <= $%d::bigint), '[]')",
              where_bind(w, P_INT(limit)));
    where_add(w, ", 'next_page_token', CASE WHEN count(*) > $%d::bigint THEN ",
              where_bind(w, P_INT(limit)));
    if (usual)
        where_add(w, "max(r.start_ms || ':' || r.id) FILTER (WHERE n = $%d::bigint)",
                  where_bind(w, P_INT(limit)));
    else
        where_add(w, "'+' || $%d::bigint", where_bind(w, P_INT(offset + limit)));
    where_add(w, " END) FROM found r");
}

/* POST …/runs/search */
enum err post_mlflow_run_search(struct request *rq)
{
    struct where *w = where_new(rq->arena);
    struct filter *f = arena_alloc(rq->arena, sizeof(*f));
    int64_t limit = USUAL_PAGE;
    struct texts orders;
    const char *why = "";
    const char *filter;
    const char *json;
    int64_t offset = 0;
    bool usual;

    TRY(mlflow_int(rq, "max_results", 1, MLFLOW_PAGE_MAX, &limit));
    TRY(mlflow_texts(rq, "order_by", ORDERS_MAX, &orders));
    TRY(mlflow_text(rq, "filter", FILTER_TEXT_MAX, &filter));
    if (filter_parse(rq->arena, filter, f, &why) != OK)
        return fail(rq, ERR_INVALID, "%s", why);
    usual = orders.count == 0;
    where_add(w,
              "WITH found AS MATERIALIZED (SELECT r.*, row_number() OVER () AS n FROM (SELECT r.*");
    TRY(begin(rq, w));
    TRY(add_filter(rq, w, f));
    TRY(read_token(rq, w, usual, &offset));
    TRY(add_orders(rq, w, &orders));
    finish(w, usual, limit, offset);
    TRY(where_json(rq->db, w, &json));
    return mlflow_reply(rq, json);
}
