/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/mlflow/run.h"

#include "auth/auth.h"
#include "registry/handlers.h"
#include "registry/mlflow/linked.h"
#include "registry/mlflow/mlflow.h"
#include "registry/mlflow/run_http.h"

#include <string.h>

/* A batch as it is read. */
struct reading {
    struct run_batch batch;
    struct run_measured measured;
    int64_t at[MLFLOW_METRICS_MAX];
    int64_t steps[MLFLOW_METRICS_MAX];
    bool about_models;
};

static struct texts room(struct arena *a, size_t count)
{
    return (struct texts){.items = arena_alloc(a, (count + 1) * sizeof(const char *))};
}

static struct reading *reading_new(struct arena *a, size_t metrics)
{
    struct reading *r = arena_alloc(a, sizeof(*r));
    struct run_batch *b = &r->batch;

    b->keys = room(a, metrics);
    b->values = room(a, metrics);
    r->measured.models = room(a, metrics);
    r->measured.names = room(a, metrics);
    r->measured.digests = room(a, metrics);
    b->params = room(a, MLFLOW_PARAMS_MAX);
    b->param_values = room(a, MLFLOW_PARAMS_MAX);
    b->tags = room(a, MLFLOW_TAGS_MAX);
    b->tag_values = room(a, MLFLOW_TAGS_MAX);
    b->at = r->at;
    b->steps = r->steps;
    return r;
}

static const char *or_empty(const char *text)
{
    return text == NULL ? "" : text;
}

/* Which logged model, trained or tested on which dataset, the metric is about. */
static enum err read_about(struct request *rq, struct reading *r, const json_t *item)
{
    const char *model = mlflow_member(item, "model_id");
    size_t n = r->batch.keys.count;

    r->measured.models.items[n] = "";
    if (model != NULL && *model != '\0') {
        TRY(mlflow_model_id(rq, model, &r->measured.models.items[n]));
        r->about_models = true;
    }
    r->measured.names.items[n] = or_empty(mlflow_member(item, "dataset_name"));
    r->measured.digests.items[n] = or_empty(mlflow_member(item, "dataset_digest"));
    return OK;
}

static enum err add_metric(struct request *rq, struct reading *r, const json_t *item)
{
    const json_t *step = json_object_get(item, "step");
    const json_t *at = json_object_get(item, "timestamp");
    const char *key = mlflow_member(item, "key");
    struct run_batch *b = &r->batch;
    size_t n = b->keys.count;

    TRY(mlflow_key_check(rq, "name", key));
    if (json_object_get(item, "value") == NULL)
        return mlflow_missing(rq, "value");
    if (!mlflow_real(rq->arena, json_object_get(item, "value"), &b->values.items[n]))
        return mlflow_invalid(rq, "value", "of a metric");
    if (at == NULL)
        return mlflow_missing(rq, "timestamp");
    if (!mlflow_number(at, &r->at[n]) || r->at[n] < 0)
        return mlflow_invalid(rq, "timestamp", "of a metric");
    if (step != NULL && !json_is_null(step) && !mlflow_number(step, &r->steps[n]))
        return mlflow_invalid(rq, "step", "of a metric");
    TRY(read_about(rq, r, item));
    b->keys.items[n] = key;
    b->keys.count = b->values.count = n + 1;
    r->measured.models.count = r->measured.names.count = r->measured.digests.count = n + 1;
    return OK;
}

static size_t find(const struct texts *keys, const char *key)
{
    size_t i = 0;

    while (i < keys->count && strcmp(keys->items[i], key) != 0)
        i++;
    return i;
}

static enum err add_param(struct request *rq, struct run_batch *b, const char *key,
                          const char *value)
{
    size_t i;

    TRY(mlflow_key_check(rq, "key", key));
    i = find(&b->params, key);
    value = mlflow_cut(rq->arena, or_empty(value), MLFLOW_PARAM_MAX);
    if (i < b->params.count && strcmp(b->param_values.items[i], value) != 0)
        return fail(rq, ERR_INVALID,
                    "Duplicate parameter keys have been submitted: %s. Please ensure the request "
                    "contains only one param value per param key.",
                    key);
    b->params.items[i] = key;
    b->param_values.items[i] = value;
    if (i == b->params.count)
        b->params.count = b->param_values.count = i + 1;
    return OK;
}

static enum err add_tag(struct request *rq, struct run_batch *b, const char *key, const char *value)
{
    size_t i;

    TRY(mlflow_key_check(rq, "key", key));
    i = find(&b->tags, key);
    b->tags.items[i] = key;
    b->tag_values.items[i] = mlflow_cut(rq->arena, or_empty(value), MLFLOW_TAG_MAX);
    if (i == b->tags.count)
        b->tags.count = b->tag_values.count = i + 1;
    if (strcmp(key, "mlflow.runName") == 0)
        b->name = b->tag_values.items[i];
    return OK;
}

static enum err trace_tags(struct request *rq, const char *id, const struct run_batch *b)
{
    struct linked l = {.commit = NULL};

    for (size_t i = 0; i < b->tags.count; i++)
        linked_note(&l, b->tags.items[i], b->tag_values.items[i]);
    if (!linked_any(&l))
        return OK;
    TRY(linked_of_run(rq->db, id, &l));
    return linked_run(rq, id, &l);
}

static enum err save(struct request *rq, const char *id, const struct reading *r)
{
    const char *key = "";
    const char *old = "";
    enum err e = run_log(rq->db, auth_project_id(rq), id, &r->batch, &key, &old);

    if (e == ERR_CONFLICT)
        return fail(rq, ERR_INVALID,
                    "Changing param values is not allowed. Param with key='%s' was already logged "
                    "with value='%s' for run ID='%s'.",
                    key, old, run_hex(rq->arena, id));
    TRY(run_absent(rq, e, id));
    if (r->about_models)
        TRY(run_log_measured(rq->db, id, &r->batch, &r->measured));
    TRY(trace_tags(rq, id, &r->batch));
    return mlflow_reply_empty(rq);
}

/* POST …/runs/log-batch */
enum err post_mlflow_log_batch(struct request *rq)
{
    const json_t *metrics, *params, *tags, *item;
    struct reading *r;
    const char *id;
    size_t i;

    TRY(run_of_request(rq, &id));
    TRY(mlflow_list(rq, "metrics", MLFLOW_METRICS_MAX, &metrics));
    TRY(mlflow_list(rq, "params", MLFLOW_PARAMS_MAX, &params));
    TRY(mlflow_list(rq, "tags", MLFLOW_TAGS_MAX, &tags));
    if (json_array_size(metrics) + json_array_size(params) + json_array_size(tags) >
        MLFLOW_METRICS_MAX)
        return fail(rq, ERR_INVALID,
                    "A batch logging request can contain at most %d metrics, params and tags "
                    "together.",
                    MLFLOW_METRICS_MAX);
    r = reading_new(rq->arena, json_array_size(metrics));
    json_array_foreach(metrics, i, item) TRY(add_metric(rq, r, item));
    json_array_foreach(params, i, item)
        TRY(add_param(rq, &r->batch, mlflow_member(item, "key"), mlflow_member(item, "value")));
    json_array_foreach(tags, i, item)
        TRY(add_tag(rq, &r->batch, mlflow_member(item, "key"), mlflow_member(item, "value")));
    return save(rq, id, r);
}

/* POST …/runs/log-metric */
enum err post_mlflow_log_metric(struct request *rq)
{
    struct reading *r = reading_new(rq->arena, 1);
    const char *id;

    TRY(run_of_request(rq, &id));
    TRY(add_metric(rq, r, rq->body));
    return save(rq, id, r);
}

/* POST …/runs/log-parameter */
enum err post_mlflow_log_parameter(struct request *rq)
{
    struct reading *r = reading_new(rq->arena, 0);
    const char *id;

    TRY(run_of_request(rq, &id));
    TRY(add_param(rq, &r->batch, mlflow_member(rq->body, "key"), mlflow_member(rq->body, "value")));
    return save(rq, id, r);
}

/* POST …/runs/set-tag */
enum err post_mlflow_set_tag(struct request *rq)
{
    struct reading *r = reading_new(rq->arena, 0);
    const char *id;

    TRY(run_of_request(rq, &id));
    TRY(add_tag(rq, &r->batch, mlflow_member(rq->body, "key"), mlflow_member(rq->body, "value")));
    return save(rq, id, r);
}
