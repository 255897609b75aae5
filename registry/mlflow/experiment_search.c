/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/where.h"

#include "auth/auth.h"
#include "registry/handlers.h"
#include "registry/mlflow/experiment.h"
#include "registry/mlflow/mlflow.h"

#include <string.h>

enum { ORDERS_MAX = 8, USUAL_PAGE = 1000 };

static const struct where_attribute attributes[] = {
    {" name ", "e.name", false},
    {" experiment_id ", "e.id::text", false},
    {" creation_time ", "e.created_ms", true},
    {" last_update_time ", "e.updated_ms", true},
    {.names = NULL},
};
static const struct where_named named[] = {
    {" tag tags ", "EXISTS (SELECT FROM jsonb_each_text(e.tags) x WHERE x.key = $%d AND ",
     "x.value", false},
    {.entities = NULL},
};
static const struct where_subject subject = {attributes, named, " attr attribute attributes "};

static const char *stages_of(const char *type)
{
    if (type == NULL || strcmp(type, "ACTIVE_ONLY") == 0 || strcmp(type, "1") == 0)
        return "{active}";
    if (strcmp(type, "DELETED_ONLY") == 0 || strcmp(type, "2") == 0)
        return "{deleted}";
    return strcmp(type, "ALL") == 0 || strcmp(type, "3") == 0 ? "{active,deleted}" : NULL;
}

static enum err add_orders(struct request *rq, struct where *w)
{
    struct texts orders;

    TRY(mlflow_texts(rq, "order_by", ORDERS_MAX, &orders));
    where_add(w, " ORDER BY ");
    TRY(where_orders(rq, w, &subject, &orders));
    where_add(w, "e.created_ms DESC, e.id");
    return OK;
}

static enum err search(struct request *rq, const struct filter *f, const char *stages,
                       const char **json)
{
    struct where *w = where_new(rq->arena);
    int64_t limit = USUAL_PAGE;
    int64_t offset = 0;

    TRY(mlflow_int(rq, "max_results", 1, MLFLOW_PAGE_MAX, &limit));
    TRY(mlflow_offset(rq, &offset));
    where_add(w,
              "WITH found AS (SELECT e.*, row_number() OVER () AS n FROM (SELECT e.* FROM"
              " experiment e WHERE e.tenant_id = current_tenant() AND e.project_id = $%d::uuid",
              where_bind(w, P_TEXT(auth_project_id(rq))));
    where_add(w, " AND e.stage = ANY ($%d::text[])", where_bind(w, P_TEXT(stages)));
    TRY(where_filter(rq, w, &subject, f));
    TRY(add_orders(rq, w));
    where_add(w, " LIMIT $%d::bigint OFFSET $%d::bigint) e)", where_bind(w, P_INT(limit + 1)),
              where_bind(w, P_INT(offset)));
    where_add(w,
              " SELECT json_build_object('experiments', coalesce(json_agg(" EXPERIMENT_JSON
              " ORDER BY n) FILTER (WHERE n <= $%d::bigint), '[]')",
              where_bind(w, P_INT(limit)));
    where_add(w,
              ", 'next_page_token', CASE WHEN count(*) > $%d::bigint THEN '+' || $%d::bigint END)"
              " FROM found e",
              where_bind(w, P_INT(limit)), where_bind(w, P_INT(offset + limit)));
    return where_json(rq->db, w, json);
}

/* GET and POST …/experiments/search */
enum err search_mlflow_experiments(struct request *rq)
{
    struct filter *f = arena_alloc(rq->arena, sizeof(*f));
    const char *why = "";
    const char *stages;
    const char *text;
    const char *json;

    TRY(mlflow_text(rq, "view_type", 32, &text));
    stages = stages_of(text);
    if (stages == NULL)
        return mlflow_invalid(rq, "view_type", text);
    TRY(mlflow_text(rq, "filter", FILTER_TEXT_MAX, &text));
    if (filter_parse(rq->arena, text, f, &why) != OK)
        return fail(rq, ERR_INVALID, "%s", why);
    TRY(search(rq, f, stages, &json));
    return mlflow_reply(rq, json);
}
