/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/mlflow/experiment.h"

#include "auth/auth.h"
#include "lineage/audit.h"
#include "registry/handlers.h"
#include "registry/mlflow/mlflow.h"

#include <string.h>

enum { NAME_MAX_BYTES = 500, TAG_VALUE_MAX = 5000, TAGS_MAX = 1000 };

static enum err id_of(struct request *rq, int64_t *id)
{
    const char *text;

    TRY(mlflow_need(rq, "experiment_id", 64, &text));
    TRY(mlflow_experiment_id(rq, text, id));
    request_object(rq, "experiments/%lld", (long long)*id);
    return OK;
}

static enum err absent(struct request *rq, enum err e, int64_t id)
{
    if (e != ERR_NOT_FOUND)
        return e;
    return fail(rq, e, "No Experiment with id=%lld exists", (long long)id);
}

/* GET …/experiments/get */
enum err get_mlflow_experiment(struct request *rq)
{
    const char *json = NULL;
    int64_t id;

    TRY(id_of(rq, &id));
    TRY(absent(rq, experiment_get(rq->db, auth_project_id(rq), id, &json), id));
    return mlflow_reply(rq, json);
}

/* GET …/experiments/get-by-name */
enum err get_mlflow_experiment_by_name(struct request *rq)
{
    const char *name;
    const char *json;
    enum err e;

    TRY(mlflow_need(rq, "experiment_name", NAME_MAX_BYTES, &name));
    e = experiment_by_name(rq->db, auth_project_id(rq), name, &json);
    if (e == ERR_NOT_FOUND)
        return fail(rq, e, "Could not find experiment with name '%s'", name);
    TRY(e);
    return mlflow_reply(rq, json);
}

/* POST …/experiments/create. Where artifacts lie is not the client's to say. */
enum err post_mlflow_experiment(struct request *rq)
{
    const json_t *items;
    const char *location;
    const char *name;
    json_t *tags;
    int64_t id;
    enum err e;

    TRY(mlflow_need(rq, "name", NAME_MAX_BYTES, &name));
    TRY(mlflow_text(rq, "artifact_location", 2048, &location));
    if (location != NULL)
        return fail(rq, ERR_INVALID,
                    "artifact_location cannot be chosen: artifacts are kept by this server");
    TRY(mlflow_list(rq, "tags", TAGS_MAX, &items));
    TRY(mlflow_pairs(rq, items, TAG_VALUE_MAX, &tags));
    e = experiment_create(rq->db, auth_project_id(rq), name, tags, &id);
    if (e == ERR_EXISTS)
        return fail(rq, e, "Experiment(name=%s) already exists.", name);
    TRY(e);
    request_object(rq, "experiments/%lld", (long long)id);
    return mlflow_reply(rq, arena_printf(rq->arena, "{\"experiment_id\":\"%lld\"}", (long long)id));
}

/* For the audit entry: the experiment as clients are shown it. */
static enum err note(struct request *rq, int64_t id, void (*as)(struct request *, const char *))
{
    const char *json = NULL;

    TRY(absent(rq, experiment_get(rq->db, auth_project_id(rq), id, &json), id));
    as(rq, json);
    return OK;
}

/* POST …/experiments/update */
enum err post_mlflow_experiment_update(struct request *rq)
{
    const char *name;
    int64_t id;
    enum err e;

    TRY(id_of(rq, &id));
    TRY(mlflow_need(rq, "new_name", NAME_MAX_BYTES, &name));
    TRY(note(rq, id, audit_before_text));
    e = experiment_rename(rq->db, auth_project_id(rq), id, name);
    if (e == ERR_EXISTS)
        return fail(rq, e, "Experiment(name=%s) already exists.", name);
    TRY(absent(rq, e, id));
    TRY(note(rq, id, audit_after_text));
    return mlflow_reply_empty(rq);
}

static enum err move(struct request *rq, const char *stage)
{
    int64_t id;

    TRY(id_of(rq, &id));
    TRY(note(rq, id, audit_before_text));
    TRY(absent(rq, experiment_set_stage(rq->db, auth_project_id(rq), id, stage), id));
    TRY(note(rq, id, audit_after_text));
    return mlflow_reply_empty(rq);
}

/* POST …/experiments/delete */
enum err post_mlflow_experiment_delete(struct request *rq)
{
    return move(rq, "deleted");
}

/* POST …/experiments/restore */
enum err post_mlflow_experiment_restore(struct request *rq)
{
    return move(rq, "active");
}

/* POST …/experiments/set-experiment-tag */
enum err post_mlflow_experiment_tag(struct request *rq)
{
    const char *value;
    const char *key;
    int64_t id;

    TRY(id_of(rq, &id));
    TRY(mlflow_text(rq, "key", 65536, &key));
    TRY(mlflow_key_check(rq, "key", key));
    TRY(mlflow_text(rq, "value", 1 << 20, &value));
    value = value == NULL ? "" : mlflow_cut(rq->arena, value, TAG_VALUE_MAX);
    TRY(note(rq, id, audit_before_text));
    TRY(absent(rq, experiment_set_tag(rq->db, auth_project_id(rq), id, key, value), id));
    TRY(note(rq, id, audit_after_text));
    return mlflow_reply_empty(rq);
}

/* POST …/experiments/delete-experiment-tag */
enum err post_mlflow_experiment_tag_delete(struct request *rq)
{
    const char *key;
    int64_t id;
    enum err e;

    TRY(id_of(rq, &id));
    TRY(mlflow_need(rq, "key", MLFLOW_KEY_MAX, &key));
    TRY(note(rq, id, audit_before_text));
    e = experiment_set_tag(rq->db, auth_project_id(rq), id, key, NULL);
    if (e == ERR_NOT_FOUND)
        return fail(rq, e, "No tag with name: %s in experiment with id %lld", key, (long long)id);
    TRY(e);
    TRY(note(rq, id, audit_after_text));
    return mlflow_reply_empty(rq);
}
