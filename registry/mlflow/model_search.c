/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/mlflow/registered_model.h"

#include "auth/auth.h"
#include "registry/handlers.h"
#include "registry/mlflow/mlflow.h"
#include "registry/where.h"

#include <string.h>

enum { ORDERS_MAX = 8, MODELS_USUAL = 100, MODELS_MOST = 1000, VERSIONS_USUAL = 10000 };
enum { VERSIONS_MOST = 200000 };

static const struct where_attribute model_attributes[] = {
    {" name ", "a.name", false},
    {.names = NULL},
};
static const struct where_named model_tags[] = {
    {" tag tags ", "EXISTS (SELECT FROM jsonb_each_text(a.tags) x WHERE x.key = $%d AND ",
     "x.value", false},
    {.entities = NULL},
};
static const struct where_attribute version_attributes[] = {
    {" name ", "a.name", false},
    {" version_number version ", "v.number", true},
    {" run_id ", "(v.manifest -> 'mlflow' ->> 'run_id')", false},
    {" source_path ", MODEL_VERSION_SOURCE, false},
    {.names = NULL},
};
static const struct where_named version_tags[] = {
    {" tag tags ",
     "EXISTS (SELECT FROM jsonb_each_text(" MODEL_VERSION_TAGS ") x WHERE x.key = $%d AND ",
     "x.value", false},
    {.entities = NULL},
};

/* What is searched, and how it is shown. Order columns are of MLflow's names. */
struct finding {
    struct where_subject subject;
    const struct where_attribute *orders;
    const char *from;
    const char *usual; /* the order when none is given, and behind every other */
    const char *rows;  /* the rows that are ordered */
    const char *shown;
    const char *member; /* of the answer */
    int64_t limit;
    int64_t most;
};

static const struct where_attribute model_orders[] = {
    {" name ", "a.name", false},
    {" timestamp last_updated_timestamp ", "a.updated_at", true},
    {" creation_timestamp ", "a.created_at", true},
    {.names = NULL},
};
static const struct where_attribute version_orders[] = {
    {" name ", "a.name", false},
    {" version_number version ", "v.number", true},
    {" creation_timestamp ", "v.created_at", true},
    {" last_updated_timestamp timestamp ", "coalesce(v.ready_at, v.created_at)", true},
    {.names = NULL},
};

static const struct finding models = {
    .subject = {model_attributes, model_tags, " attr attribute attributes "},
    .orders = model_orders,
    .from = " FROM asset a WHERE",
    .usual = "a.name COLLATE \"C\"",
    .rows = "a.*",
    .shown =
        " SELECT json_build_object('registered_models', coalesce(json_agg(" REGISTERED_MODEL_JSON
        " ORDER BY a.n) FILTER (WHERE a.n <= ",
    .member = "found a",
    .limit = MODELS_USUAL,
    .most = MODELS_MOST,
};
static const struct finding versions = {
    .subject = {version_attributes, version_tags, " attr attribute attributes "},
    .orders = version_orders,
    .from = " FROM version v JOIN asset a ON a.tenant_id = v.tenant_id AND a.id = v.asset_id"
            " WHERE v.tenant_id = current_tenant() AND v.state <> 'deleted' AND",
    .usual = "coalesce(v.ready_at, v.created_at) DESC, a.name COLLATE \"C\", v.number DESC",
    .rows = "v.*",
    .shown = " SELECT json_build_object('model_versions', coalesce(json_agg(" MODEL_VERSION_JSON
             " ORDER BY v.n) FILTER (WHERE v.n <= ",
    .member = "found v JOIN asset a ON a.tenant_id = v.tenant_id AND a.id = v.asset_id",
    .limit = VERSIONS_USUAL,
    .most = VERSIONS_MOST,
};

/* Prompts are found by those who ask for them by their tag; who does not gets models. */
enum kinds { KIND_MODEL = 1, KIND_PROMPT = 2 };

static bool asks_for_prompts(const struct filter_clause *c)
{
    return where_lists(" tag tags ", c->entity) && strcmp(c->key, "mlflow.prompt.is_prompt") == 0 &&
           c->type == FILTER_STRING && (c->op == FILTER_EQ || c->op == FILTER_NE);
}

/* Take the clauses on that tag out of the filter and say which kinds are left. */
static unsigned take_kinds(struct filter *f)
{
    unsigned kinds = KIND_MODEL | KIND_PROMPT;
    bool asked = false;
    size_t kept = 0;

    for (size_t i = 0; i < f->count; i++) {
        const struct filter_clause *c = &f->clauses[i];
        bool prompts = strcmp(c->text == NULL ? "" : c->text, "true") == 0;

        if (!asks_for_prompts(c)) {
            f->clauses[kept++] = *c;
            continue;
        }
        asked = true;
        if (c->op == FILTER_EQ)
            kinds &= prompts ? KIND_PROMPT : 0;
        else
            kinds &= prompts ? KIND_MODEL : KIND_MODEL | KIND_PROMPT;
    }
    f->count = kept;
    return asked ? kinds : KIND_MODEL;
}

static void add_kind(struct request *rq, struct where *w, const char *kind)
{
    struct readable readable;

    auth_readable(rq, ASSET_READ, arena_printf(rq->arena, "%ss/", kind), &readable);
    where_add(w, " OR (a.kind = '%s'", kind);
    where_readable(w, "a.name", &readable);
    where_add(w, ")");
}

static void begin(struct request *rq, struct where *w, const struct finding *of, unsigned kinds)
{
    where_add(w, "WITH found AS MATERIALIZED (SELECT y.*, row_number() OVER () AS n FROM (SELECT ");
    where_add(w, "%s%s", of->rows, of->from);
    where_add(w,
              " a.tenant_id = current_tenant() AND a.project_id = $%d::uuid AND a.state ="
              " 'active' AND (false",
              where_bind(w, P_TEXT(auth_project_id(rq))));
    if ((kinds & KIND_MODEL) != 0)
        add_kind(rq, w, "model");
    if ((kinds & KIND_PROMPT) != 0)
        add_kind(rq, w, "prompt");
    where_add(w, ")");
}

static enum err add_order(struct request *rq, struct where *w, const struct finding *of,
                          const char *text)
{
    const struct where_subject orders = {of->orders, version_tags + 1, of->subject.entities};
    const struct where_attribute *a;
    struct filter_order o;
    const char *why;

    if (filter_order_parse(rq->arena, text, &o, &why) != OK)
        return fail(rq, ERR_INVALID, "%s", why);
    a = where_attribute_of(&orders, o.entity, o.key);
    if (a == NULL)
        return fail(rq, ERR_INVALID, "Invalid order_by: %s", text);
    where_add(w, "%s%s%s, ", a->column, a->numeric ? "" : " COLLATE \"C\"",
              o.descending ? " DESC" : "");
    return OK;
}

static enum err add_orders(struct request *rq, struct where *w, const struct finding *of)
{
    struct texts orders;

    TRY(mlflow_texts(rq, "order_by", ORDERS_MAX, &orders));
    where_add(w, " ORDER BY ");
    for (size_t i = 0; i < orders.count; i++)
        TRY(add_order(rq, w, of, orders.items[i]));
    where_add(w, "%s", of->usual);
    return OK;
}

static void finish(struct where *w, const struct finding *of, int64_t limit, int64_t offset)
{
    where_add(w, " LIMIT $%d::bigint OFFSET $%d::bigint) y)", where_bind(w, P_INT(limit + 1)),
              where_bind(w, P_INT(offset)));
    text_puts(&w->sql, of->shown);
    where_add(w, "$%d::bigint), '[]')", where_bind(w, P_INT(limit)));
    where_add(w,
              ", 'next_page_token', CASE WHEN count(*) > $%d::bigint THEN '+' || $%d::bigint END)",
              where_bind(w, P_INT(limit)), where_bind(w, P_INT(offset + limit)));
    where_add(w, " FROM %s", of->member);
}

static enum err search(struct request *rq, const struct finding *of)
{
    struct where *w = where_new(rq->arena);
    struct filter *f = arena_alloc(rq->arena, sizeof(*f));
    int64_t limit = of->limit;
    int64_t offset = 0;
    const char *why = "";
    const char *text;
    const char *json;

    TRY(mlflow_int(rq, "max_results", 1, of->most, &limit));
    TRY(mlflow_offset(rq, &offset));
    TRY(mlflow_text(rq, "filter", FILTER_TEXT_MAX, &text));
    if (filter_parse(rq->arena, text, f, &why) != OK)
        return fail(rq, ERR_INVALID, "%s", why);
    begin(rq, w, of, take_kinds(f));
    TRY(where_filter(rq, w, &of->subject, f));
    TRY(add_orders(rq, w, of));
    finish(w, of, limit, offset);
    TRY(where_json(rq->db, w, &json));
    return mlflow_reply(rq, json);
}

/* GET …/registered-models/search */
enum err search_mlflow_registered_models(struct request *rq)
{
    return search(rq, &models);
}

/* GET …/model-versions/search */
enum err search_mlflow_model_versions(struct request *rq)
{
    return search(rq, &versions);
}
