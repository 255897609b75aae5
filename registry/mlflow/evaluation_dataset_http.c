/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/mlflow/evaluation_dataset.h"

#include "auth/auth.h"
#include "lineage/audit.h"
#include "registry/handlers.h"
#include "registry/mlflow/mlflow.h"
#include "registry/mlflow/run_http.h"
#include "registry/reply.h"
#include "registry/where.h"

#include <string.h>

enum { NAME_MAX_BYTES = 255, TAGS_MAX = 1000, USUAL_PAGE = 1000 };

enum err evaluation_absent(struct request *rq, enum err e)
{
    if (e != ERR_NOT_FOUND)
        return e;
    return fail(rq, e, "Evaluation dataset with id '%s' not found",
                mlflow_cut(rq->arena, rq->args[0] == NULL ? "" : rq->args[0], 300));
}

enum err evaluation_of_path(struct request *rq, const char **id)
{
    const char *text = rq->args[0];

    if (strncmp(text, "d-", 2) != 0 || mlflow_run_id(rq, text + 2, id) != OK)
        return evaluation_absent(rq, ERR_NOT_FOUND);
    request_object(rq, "evaluation-datasets/%s", text);
    return OK;
}

/* Tags come as the text of a JSON object of texts. */
static enum err read_tags(struct request *rq, const char *text, json_t **out)
{
    const json_t *value;
    const char *key;

    *out = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    arena_own(rq->arena, *out, json_release);
    if (!json_is_object(*out) || json_object_size(*out) > TAGS_MAX)
        return mlflow_invalid(rq, "tags", "that is no JSON object of texts");
    json_object_foreach(*out, key, value)
    {
        if (!json_is_string(value) || *key == '\0' || strlen(key) > MLFLOW_KEY_MAX)
            return mlflow_invalid(rq, "tags", key);
        if (json_string_length(value) > MLFLOW_TAG_MAX)
            return mlflow_invalid(rq, "tags", "of too many characters");
    }
    return OK;
}

struct experiments {
    int64_t *ids;
    size_t count;
};

static enum err read_experiments(struct request *rq, struct experiments *out)
{
    struct texts texts;

    TRY(mlflow_texts(rq, "experiment_ids", EVALUATION_EXPERIMENTS_MAX, &texts));
    out->ids = arena_alloc(rq->arena, (texts.count + 1) * sizeof(*out->ids));
    out->count = texts.count;
    for (size_t i = 0; i < texts.count; i++)
        TRY(mlflow_experiment_id(rq, texts.items[i], &out->ids[i]));
    return OK;
}

static enum err join(struct request *rq, const char *id, const struct experiments *e)
{
    int64_t count = 0;

    TRY(evaluation_absent(
        rq, evaluation_join(rq->db, auth_project_id(rq), id, e->ids, e->count, &count)));
    if (count < (int64_t)e->count)
        return fail(rq, ERR_NOT_FOUND,
                    "No Experiment exists with one of these ids, or one is twice");
    return OK;
}

static enum err reply_dataset(struct request *rq, const char *id)
{
    const char *json = NULL;

    TRY(evaluation_absent(rq, evaluation_get(rq->db, auth_project_id(rq), id, &json)));
    return mlflow_reply(rq, json);
}

/* For the audit entry: the dataset as clients are shown it. */
static enum err note(struct request *rq, const char *id, void (*as)(struct request *, const char *))
{
    const char *json = NULL;

    TRY(evaluation_absent(rq, evaluation_get(rq->db, auth_project_id(rq), id, &json)));
    as(rq, json);
    return OK;
}

/* POST …/datasets/create */
enum err post_mlflow_evaluation(struct request *rq)
{
    struct evaluation_draft d = {.by = rq->caller.id};
    struct experiments experiments;
    char *id = arena_alloc(rq->arena, ID_SIZE);
    const char *text;
    json_t *tags;

    id_new(id);
    d.id = id;
    TRY(mlflow_need(rq, "name", NAME_MAX_BYTES, &d.name));
    TRY(mlflow_text(rq, "tags", 1 << 20, &text));
    TRY(read_tags(rq, text == NULL ? "{}" : text, &tags));
    d.tags = tags;
    TRY(read_experiments(rq, &experiments));
    request_object(rq, "evaluation-datasets/d-%s", run_hex(rq->arena, id));
    TRY(evaluation_create(rq->db, auth_project_id(rq), &d));
    if (experiments.count > 0)
        TRY(join(rq, id, &experiments));
    return reply_dataset(rq, id);
}

/* GET …/datasets/{dataset_id} */
enum err get_mlflow_evaluation(struct request *rq)
{
    const char *id;

    TRY(evaluation_of_path(rq, &id));
    return reply_dataset(rq, id);
}

/* DELETE …/datasets/{dataset_id} */
enum err delete_mlflow_evaluation(struct request *rq)
{
    const char *id;

    TRY(evaluation_of_path(rq, &id));
    TRY(note(rq, id, audit_before_text));
    TRY(evaluation_absent(rq, evaluation_delete(rq->db, auth_project_id(rq), id)));
    return mlflow_reply_empty(rq);
}

/* PATCH …/datasets/{dataset_id}/tags */
enum err patch_mlflow_evaluation_tags(struct request *rq)
{
    const char *text;
    const char *id;
    json_t *tags;

    TRY(evaluation_of_path(rq, &id));
    TRY(mlflow_need(rq, "tags", 1 << 20, &text));
    TRY(read_tags(rq, text, &tags));
    TRY(note(rq, id, audit_before_text));
    TRY(evaluation_absent(
        rq, evaluation_tag(rq->db, auth_project_id(rq), id, tags, NULL, rq->caller.id)));
    return reply_dataset(rq, id);
}

/* DELETE …/datasets/{dataset_id}/tags/{key} */
enum err delete_mlflow_evaluation_tag(struct request *rq)
{
    const char *id;

    TRY(evaluation_of_path(rq, &id));
    TRY(note(rq, id, audit_before_text));
    TRY(evaluation_absent(
        rq, evaluation_tag(rq->db, auth_project_id(rq), id, NULL, rq->args[1], rq->caller.id)));
    TRY(note(rq, id, audit_after_text));
    return mlflow_reply_empty(rq);
}

/* POST …/datasets/{dataset_id}/add-experiments */
enum err post_mlflow_evaluation_join(struct request *rq)
{
    struct experiments experiments;
    const char *id;

    TRY(evaluation_of_path(rq, &id));
    TRY(read_experiments(rq, &experiments));
    TRY(join(rq, id, &experiments));
    return reply_dataset(rq, id);
}

/* POST …/datasets/{dataset_id}/remove-experiments */
enum err post_mlflow_evaluation_leave(struct request *rq)
{
    struct experiments experiments;
    const char *id;

    TRY(evaluation_of_path(rq, &id));
    TRY(read_experiments(rq, &experiments));
    TRY(evaluation_leave(rq->db, auth_project_id(rq), id, experiments.ids, experiments.count));
    return reply_dataset(rq, id);
}

/* GET …/datasets/{dataset_id}/experiment-ids */
enum err get_mlflow_evaluation_experiments(struct request *rq)
{
    const char *json = NULL;
    const char *id;

    TRY(evaluation_of_path(rq, &id));
    TRY(evaluation_absent(rq, evaluation_experiments(rq->db, auth_project_id(rq), id, &json)));
    return mlflow_reply(rq, json);
}

static const struct where_attribute attributes[] = {
    {" created_time ", "d.created_ms", true},
    {" last_update_time ", "d.updated_ms", true},
    {" name ", "d.name", false},
    {" created_by ",
     "(SELECT p.name FROM principal p WHERE p.tenant_id = d.tenant_id AND p.id = d.created_by)",
     false},
    {" last_updated_by ",
     "(SELECT p.name FROM principal p WHERE p.tenant_id = d.tenant_id AND p.id = d.updated_by)",
     false},
    {.names = NULL},
};
static const struct where_named named[] = {
    {" tag tags ", "EXISTS (SELECT FROM (SELECT d.tags ->> $%d AS value) x WHERE ", "x.value",
     false},
    {.entities = NULL},
};
static const struct where_subject subject = {attributes, named, " attribute attributes "};

static enum err add_orders(struct request *rq, struct where *w)
{
    struct texts orders;

    TRY(mlflow_texts(rq, "order_by", 8, &orders));
    where_add(w, " ORDER BY ");
    TRY(where_orders(rq, w, &subject, &orders));
    where_add(w, "d.created_ms DESC, d.id");
    return OK;
}

static enum err add_filter(struct request *rq, struct where *w)
{
    struct filter *f = arena_alloc(rq->arena, sizeof(*f));
    struct experiments experiments;
    const char *why = "";
    const char *text;

    TRY(read_experiments(rq, &experiments));
    TRY(mlflow_text(rq, "filter_string", FILTER_TEXT_MAX, &text));
    if (filter_parse(rq->arena, text, f, &why) != OK)
        return fail(rq, ERR_INVALID, "%s", why);
    where_add(w,
              " FROM evaluation_dataset d WHERE d.tenant_id = current_tenant()"
              " AND d.project_id = $%d::uuid",
              where_bind(w, P_TEXT(auth_project_id(rq))));
    if (experiments.count > 0)
        where_add(w,
                  " AND EXISTS (SELECT FROM evaluation_experiment x WHERE x.tenant_id = d.tenant_id"
                  " AND x.dataset_id = d.id AND x.experiment_id = ANY ($%d::bigint[]))",
                  where_bind(w, P_INTS(experiments.ids, experiments.count)));
    return where_filter(rq, w, &subject, f);
}

/* GET and POST …/datasets/search */
enum err search_mlflow_evaluations(struct request *rq)
{
    struct where *w = where_new(rq->arena);
    int64_t limit = USUAL_PAGE;
    int64_t offset = 0;
    const char *json;

    TRY(mlflow_int(rq, "max_results", 1, MLFLOW_PAGE_MAX, &limit));
    TRY(mlflow_offset(rq, &offset));
    where_add(w, "WITH found AS (SELECT d.*, row_number() OVER () AS n FROM (SELECT d.*");
    TRY(add_filter(rq, w));
    TRY(add_orders(rq, w));
    where_add(w, " LIMIT $%d::bigint OFFSET $%d::bigint) d)", where_bind(w, P_INT(limit + 1)),
              where_bind(w, P_INT(offset)));
    where_add(w,
              " SELECT json_strip_nulls(json_build_object('datasets', "
              "coalesce(json_agg(" EVALUATION_DATASET_JSON
              " ORDER BY n) FILTER (WHERE n <= $%d::bigint), '[]')",
              where_bind(w, P_INT(limit)));
    where_add(w,
              ", 'next_page_token', CASE WHEN count(*) > $%d::bigint THEN '+' || $%d::bigint END))"
              " FROM found d",
              where_bind(w, P_INT(limit)), where_bind(w, P_INT(offset + limit)));
    TRY(where_json(rq->db, w, &json));
    return mlflow_reply(rq, json);
}
