/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/mlflow/scorer.h"

#include "auth/auth.h"
#include "lineage/audit.h"
#include "registry/handlers.h"
#include "registry/mlflow/mlflow.h"
#include "registry/reply.h"

enum { NAME_MAX_BYTES = 255, SERIALIZED_MAX = 1 << 20 };

struct key {
    int64_t experiment_id;
    const char *name;
    int64_t version; /* 0: not said */
};

static enum err read_experiment(struct request *rq, int64_t *id)
{
    const char *text;

    TRY(mlflow_need(rq, "experiment_id", 64, &text));
    return mlflow_experiment_id(rq, text, id);
}

static enum err read_key(struct request *rq, struct key *k)
{
    *k = (struct key){.name = NULL};
    TRY(read_experiment(rq, &k->experiment_id));
    TRY(mlflow_need(rq, "name", NAME_MAX_BYTES, &k->name));
    TRY(mlflow_int(rq, "version", 0, INT32_MAX, &k->version));
    request_object(rq, "experiments/%lld/scorers/%s", (long long)k->experiment_id, k->name);
    return OK;
}

static enum err absent(struct request *rq, enum err e, const struct key *k)
{
    if (e != ERR_NOT_FOUND)
        return e;
    if (k->version != 0)
        return fail(rq, e,
                    "Scorer with name '%s' and version %lld not found for experiment with "
                    "ID %lld.",
                    k->name, (long long)k->version, (long long)k->experiment_id);
    return fail(rq, e, "Scorer with name '%s' not found for experiment with ID %lld.", k->name,
                (long long)k->experiment_id);
}

/* A scorer whose source is in it would be run by whoever loads it. */
static enum err check_serialized(struct request *rq, const char *text)
{
    json_t *json = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    const json_t *source;

    arena_own(rq->arena, json, json_release);
    if (!json_is_object(json))
        return fail(rq, ERR_INVALID, "serialized_scorer must be valid JSON, an object");
    source = json_object_get(json, "call_source");
    if (source != NULL && !json_is_null(source))
        return fail(rq, ERR_INVALID,
                    "serialized_scorer must not hold call_source: code is not registered");
    return OK;
}

/* POST …/scorers/register */
enum err post_mlflow_scorer(struct request *rq)
{
    struct scorer_draft d = {.by = rq->caller.id};
    const char *json = NULL;
    char id[ID_SIZE];
    struct key k;
    enum err e;

    TRY(read_key(rq, &k));
    TRY(mlflow_need(rq, "serialized_scorer", SERIALIZED_MAX, &d.serialized));
    TRY(check_serialized(rq, d.serialized));
    id_new(id);
    d.id = id;
    d.name = k.name;
    d.experiment_id = k.experiment_id;
    e = scorer_register(rq->db, auth_project_id(rq), &d, &json);
    if (e == ERR_NOT_FOUND)
        return fail(rq, e, "No active Experiment with id=%lld exists", (long long)k.experiment_id);
    TRY(e);
    return mlflow_reply(rq, json);
}

/* GET …/scorers/list?experiment_id= */
enum err get_mlflow_scorers(struct request *rq)
{
    int64_t experiment = -1;
    const char *json = NULL;
    const char *text;

    TRY(mlflow_text(rq, "experiment_id", 64, &text));
    if (text != NULL)
        TRY(mlflow_experiment_id(rq, text, &experiment));
    TRY(scorer_list(rq->db, auth_project_id(rq), experiment, &json));
    return mlflow_reply(rq, json);
}

/* GET …/scorers/versions?experiment_id=&name= */
enum err get_mlflow_scorer_versions(struct request *rq)
{
    const char *json = NULL;
    struct key k;

    TRY(read_key(rq, &k));
    TRY(absent(rq, scorer_versions(rq->db, auth_project_id(rq), k.experiment_id, k.name, &json),
               &k));
    return mlflow_reply(rq, json);
}

/* GET …/scorers/get?experiment_id=&name=&version= */
enum err get_mlflow_scorer(struct request *rq)
{
    const char *json = NULL;
    struct key k;

    TRY(read_key(rq, &k));
    TRY(absent(rq,
               scorer_get(rq->db, auth_project_id(rq), k.experiment_id, k.name, k.version, &json),
               &k));
    return mlflow_reply(rq, json);
}

/* DELETE …/scorers/delete */
enum err delete_mlflow_scorer(struct request *rq)
{
    const char *json = NULL;
    struct key k;

    TRY(read_key(rq, &k));
    TRY(absent(rq, scorer_versions(rq->db, auth_project_id(rq), k.experiment_id, k.name, &json),
               &k));
    audit_before_text(rq, json);
    TRY(absent(rq, scorer_delete(rq->db, auth_project_id(rq), k.experiment_id, k.name, k.version),
               &k));
    return mlflow_reply_empty(rq);
}
