/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/where.h"

#include "auth/auth.h"
#include "registry/handlers.h"
#include "registry/mlflow/logged_model.h"
#include "registry/mlflow/mlflow.h"

#include <string.h>

enum { EXPERIMENTS_MAX = 1000, ORDERS_MAX = 8, USUAL_PAGE = 100, PAGE_LONGEST = 1000 };

static const struct where_attribute attributes[] = {
    {" name model_name ", "m.name", false},
    {" model_id ", "('m-' || " RUN_HEX("m.id") ")", false},
    {" model_type ", "m.model_type", false},
    {" status ", "replace(m.status, 'LOGGED_MODEL_', '')", false},
    {" source_run_id ", RUN_HEX("m.run_id"), false},
    {" creation_timestamp creation_time creation_timestamp_ms ", "m.created_ms", true},
    {" last_updated_timestamp last_updated_time last_updated_timestamp_ms ", "m.updated_ms", true},
    {.names = NULL},
};
static const struct where_named named[] = {
    {" metrics ",
     "EXISTS (SELECT FROM logged_model_metric x WHERE x.tenant_id = m.tenant_id"
     " AND x.model_id = m.id AND x.key = $%d AND x.value <> 'NaN' AND ",
     "x.value", true},
    {" params ", "EXISTS (SELECT FROM jsonb_each_text(m.params) x WHERE x.key = $%d AND ",
     "x.value", false},
    {" tags ", "EXISTS (SELECT FROM jsonb_each_text(m.tags) x WHERE x.key = $%d AND ", "x.value",
     false},
    {.entities = NULL},
};
static const struct where_subject subject = {attributes, named, " attributes attribute attr "};

/* The newest value of a metric, of a dataset if one is named. */
static const char *metric_column(struct where *w, const char *key, const json_t *order)
{
    const char *name = mlflow_member(order, "dataset_name");
    const char *digest = mlflow_member(order, "dataset_digest");

    return arena_printf(
        w->arena,
        "(SELECT x.value FROM logged_model_metric x WHERE x.tenant_id = m.tenant_id AND"
        " x.model_id = m.id AND x.key = $%d AND x.dataset_name = coalesce($%d::text,"
        " x.dataset_name) AND x.dataset_digest = coalesce($%d::text, x.dataset_digest)"
        " ORDER BY x.step DESC, x.at DESC LIMIT 1)",
        where_bind(w, P_TEXT(key)), where_bind(w, P_TEXT(name)), where_bind(w, P_TEXT(digest)));
}

static enum err add_order(struct request *rq, struct where *w, const json_t *order)
{
    const json_t *ascending = json_object_get(order, "ascending");
    const char *text = mlflow_member(order, "field_name");
    const struct where_attribute *a;
    struct filter_order o;
    const char *column;
    const char *why;

    if (text == NULL)
        return mlflow_missing(rq, "field_name");
    if (filter_order_parse(rq->arena, text, &o, &why) != OK)
        return fail(rq, ERR_INVALID, "%s", why);
    a = where_attribute_of(&subject, o.entity, o.key);
    if (a == NULL && !where_lists(" metrics ", o.entity))
        return fail(rq, ERR_INVALID, "Invalid order by field name: %s", text);
    column = a == NULL ? metric_column(w, o.key, order) : a->column;
    where_add(w, "%s%s NULLS LAST, ", column, json_is_false(ascending) ? " DESC" : "");
    return OK;
}

static enum err add_orders(struct request *rq, struct where *w)
{
    const json_t *orders, *order;
    size_t i;

    TRY(mlflow_list(rq, "order_by", ORDERS_MAX, &orders));
    where_add(w, " ORDER BY ");
    json_array_foreach(orders, i, order) TRY(add_order(rq, w, order));
    where_add(w, "m.created_ms DESC, m.id");
    return OK;
}

static enum err begin(struct request *rq, struct where *w)
{
    struct texts experiments;
    int64_t *ids;

    TRY(mlflow_texts(rq, "experiment_ids", EXPERIMENTS_MAX, &experiments));
    ids = arena_alloc(rq->arena, (experiments.count + 1) * sizeof(*ids));
    for (size_t i = 0; i < experiments.count; i++)
        TRY(mlflow_experiment_id(rq, experiments.items[i], &ids[i]));
    where_add(w,
              "WITH found AS (SELECT m.*, row_number() OVER () AS n FROM (SELECT m.* FROM"
              " logged_model m WHERE m.tenant_id = current_tenant() AND m.project_id = $%d::uuid",
              where_bind(w, P_TEXT(auth_project_id(rq))));
    where_add(w, " AND m.experiment_id = ANY ($%d::bigint[]) AND m.deleted_ms IS NULL",
              where_bind(w, P_INTS(ids, experiments.count)));
    return OK;
}

static void finish(struct where *w, int64_t limit, int64_t offset)
{
    where_add(w, " LIMIT $%d::bigint OFFSET $%d::bigint) m)", where_bind(w, P_INT(limit + 1)),
              where_bind(w, P_INT(offset)));
    where_add(w,
              " SELECT json_build_object('models', coalesce(json_agg(" LOGGED_MODEL_JSON
              " ORDER BY n) FILTER (WHERE n <= $%d::bigint), '[]')",
              where_bind(w, P_INT(limit)));
    where_add(w,
              ", 'next_page_token', CASE WHEN count(*) > $%d::bigint THEN '+' || $%d::bigint END)"
              " FROM found m",
              where_bind(w, P_INT(limit)), where_bind(w, P_INT(offset + limit)));
}

/* POST …/logged-models/search */
enum err post_mlflow_logged_model_search(struct request *rq)
{
    struct where *w = where_new(rq->arena);
    struct filter *f = arena_alloc(rq->arena, sizeof(*f));
    int64_t limit = USUAL_PAGE;
    int64_t offset = 0;
    const char *why = "";
    const char *text;
    const char *json;

    TRY(mlflow_int(rq, "max_results", 1, PAGE_LONGEST, &limit));
    TRY(mlflow_offset(rq, &offset));
    TRY(mlflow_text(rq, "filter", FILTER_TEXT_MAX, &text));
    if (filter_parse(rq->arena, text, f, &why) != OK)
        return fail(rq, ERR_INVALID, "%s", why);
    TRY(begin(rq, w));
    TRY(where_filter(rq, w, &subject, f));
    TRY(add_orders(rq, w));
    finish(w, limit, offset);
    TRY(where_json(rq->db, w, &json));
    return mlflow_reply(rq, json);
}
