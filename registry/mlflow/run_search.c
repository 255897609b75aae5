/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/where.h"

#include "auth/auth.h"
#include "registry/handlers.h"
#include "registry/mlflow/mlflow.h"
#include "registry/mlflow/run.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { EXPERIMENTS_MAX = 1000, EXPERIMENTS_APART = 16, ORDERS_MAX = 8, USUAL_PAGE = 1000 };

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

/* What is asked for. ranked: the first order is by a metric, and only runs that have it are looked
 * for, along the index of its values. Others come after these, so a full page of them is the
 * answer. apart: each experiment is searched by itself, so that its runs come from the index in
 * their order and the search ends with a full page; so it is for a single one anyway.
 */
struct search {
    struct filter *filter;
    struct texts orders;
    struct filter_order first;
    int64_t *experiments;
    size_t experiment_count;
    int64_t limit;
    int64_t offset;
    bool usual;
    bool ranked;
    bool apart;
};

static enum err add_orders(struct request *rq, struct where *w, const struct search *s)
{
    const struct texts *orders = &s->orders;

    where_add(w, " ORDER BY ");
    if (s->ranked)
        where_add(w, "o.value%s, ", s->first.descending ? " DESC" : "");
    for (size_t i = s->ranked ? 1 : 0; i < orders->count; i++) {
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
static enum err read_token(struct request *rq, struct where *w, struct search *s)
{
    const char *token;
    long long start;
    char *end;

    s->offset = 0;
    if (!s->usual)
        return mlflow_offset(rq, &s->offset);
    TRY(mlflow_text(rq, "page_token", 128, &token));
    if (token == NULL)
        return OK;
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

static enum err read_experiments(struct request *rq, struct search *s)
{
    struct texts texts;

    TRY(mlflow_texts(rq, "experiment_ids", EXPERIMENTS_MAX, &texts));
    s->experiments = arena_alloc(rq->arena, (texts.count + 1) * sizeof(*s->experiments));
    s->experiment_count = texts.count;
    for (size_t i = 0; i < texts.count; i++)
        TRY(mlflow_experiment_id(rq, texts.items[i], &s->experiments[i]));
    s->apart = s->usual && texts.count > 1 && texts.count <= EXPERIMENTS_APART;
    return OK;
}

static enum err begin(struct request *rq, struct where *w, const struct search *s)
{
    const char *stages = stages_of(rq);
    int ids = where_bind(w, P_INTS(s->experiments, s->experiment_count));

    if (stages == NULL)
        return mlflow_invalid(rq, "run_view_type", "of no view type");
    if (s->apart)
        where_add(w, " FROM (SELECT DISTINCT unnest($%d::bigint[]) AS id) e, LATERAL (SELECT r.*",
                  ids);
    where_add(w, " FROM run r");
    if (s->ranked)
        where_add(w,
                  " JOIN metric_latest o ON o.tenant_id = current_tenant() AND o.run_id = r.id"
                  " AND o.value <> 'NaN' AND o.key = $%d",
                  where_bind(w, P_TEXT(s->first.key)));
    where_add(w, " WHERE r.tenant_id = current_tenant() AND r.project_id = $%d::uuid",
              where_bind(w, P_TEXT(auth_project_id(rq))));
    if (s->apart)
        where_add(w, " AND r.experiment_id = e.id");
    else if (s->experiment_count == 1)
        where_add(w, " AND r.experiment_id = ($%d::bigint[])[1]", ids);
    else
        where_add(w, " AND r.experiment_id = ANY ($%d::bigint[])", ids);
    where_add(w, " AND r.stage = ANY ($%d::text[])", where_bind(w, P_TEXT(stages)));
    return OK;
}

/* One more than a page, which tells whether there is another. */
static void finish(struct where *w, const struct search *s)
{
    int limit = where_bind(w, P_INT(s->limit));

    if (s->apart)
        where_add(w, " LIMIT $%d::bigint + 1) r ORDER BY r.start_ms DESC, r.id", limit);
    where_add(w, " LIMIT $%d::bigint + 1 OFFSET $%d::bigint", limit,
              where_bind(w, P_INT(s->offset)));
}

struct found_run {
    const char *id;
    int64_t start_ms;
};

static const struct field found_fields[] = {
    TEXT(struct found_run, id, 36),
    INT(struct found_run, start_ms, INT64_MIN, INT64_MAX),
    FIELDS_END,
};

/* What read_token reads. */
static const char *next_token(struct request *rq, const struct search *s, const struct rows *found)
{
    const struct found_run *last;

    if (found->count <= (size_t)s->limit)
        return NULL;
    last = (const struct found_run *)found->items + s->limit - 1;
    if (s->usual)
        return arena_printf(rq->arena, "%" PRId64 ":%s", last->start_ms, last->id);
    return arena_printf(rq->arena, "+%" PRId64, s->offset + s->limit);
}

static enum err tell(struct request *rq, const struct search *s, const struct rows *found,
                     const char **json)
{
    const char *token = next_token(rq, s, found);
    size_t count = token == NULL ? found->count : (size_t)s->limit;
    const char **ids = arena_alloc(rq->arena, (count + 1) * sizeof(*ids));

    for (size_t i = 0; i < count; i++)
        ids[i] = ((const struct found_run *)found->items + i)->id;
    return runs_tell(rq->db, ids, count, token, json);
}

/* Found by a statement that is planned each time, told by one that is not. */
static enum err search(struct request *rq, struct search *s, const char **json)
{
    struct where *w = where_new(rq->arena);
    struct rows found;

    where_add(w, "SELECT r.id, r.start_ms");
    TRY(begin(rq, w, s));
    TRY(add_filter(rq, w, s->filter));
    TRY(read_token(rq, w, s));
    TRY(add_orders(rq, w, s));
    finish(w, s);
    TRY(where_list(rq->db, w, found_fields, sizeof(struct found_run), &found));
    if (s->ranked && found.count <= (size_t)s->limit)
        return ERR_NOT_FOUND;
    return tell(rq, s, &found, json);
}

static bool by_metric(struct request *rq, struct search *s)
{
    const struct where_named *n;
    const char *why;

    if (s->usual || filter_order_parse(rq->arena, s->orders.items[0], &s->first, &why) != OK)
        return false;
    n = where_named_of(&subject, s->first.entity);
    return n != NULL && n->numeric;
}

/* POST …/runs/search */
enum err post_mlflow_run_search(struct request *rq)
{
    struct search s = {.limit = USUAL_PAGE};
    const char *why = "";
    const char *filter;
    const char *json;
    enum err e = ERR_NOT_FOUND;

    s.filter = arena_alloc(rq->arena, sizeof(*s.filter));
    TRY(mlflow_int(rq, "max_results", 1, MLFLOW_PAGE_MAX, &s.limit));
    TRY(mlflow_texts(rq, "order_by", ORDERS_MAX, &s.orders));
    TRY(mlflow_text(rq, "filter", FILTER_TEXT_MAX, &filter));
    if (filter_parse(rq->arena, filter, s.filter, &why) != OK)
        return fail(rq, ERR_INVALID, "%s", why);
    s.usual = s.orders.count == 0;
    s.ranked = by_metric(rq, &s);
    TRY(read_experiments(rq, &s));
    if (s.ranked)
        e = search(rq, &s, &json);
    s.ranked = false;
    if (e == ERR_NOT_FOUND)
        e = search(rq, &s, &json);
    TRY(e);
    return mlflow_reply(rq, json);
}
