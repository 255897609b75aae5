/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/mlflow/run_http.h"

#include "auth/auth.h"
#include "lineage/graph/provenance.h"
#include "registry/handlers.h"
#include "registry/mlflow/linked.h"
#include "registry/mlflow/mlflow.h"
#include "registry/mlflow/run.h"

#include <stdlib.h>
#include <string.h>

enum { RUN_NAME_MAX = 8000, USER_MAX = 256 };

const char *run_hex(struct arena *a, const char *uuid)
{
    char *out = arena_alloc(a, strlen(uuid) + 1);
    size_t n = 0;

    for (const char *c = uuid; *c != '\0'; c++)
        if (*c != '-')
            out[n++] = *c;
    return out;
}

enum err run_of_request(struct request *rq, const char **id)
{
    const char *text;

    *id = "";
    TRY(mlflow_text(rq, "run_id", 256, &text));
    if (text == NULL)
        TRY(mlflow_text(rq, "run_uuid", 256, &text));
    if (text == NULL)
        return mlflow_missing(rq, "run_id");
    TRY(mlflow_run_id(rq, text, id));
    request_object(rq, "runs/%s", text);
    return OK;
}

enum err run_absent(struct request *rq, enum err e, const char *id)
{
    if (e != ERR_NOT_FOUND)
        return e;
    return fail(rq, e, "Run with id=%s not found, or not active", run_hex(rq->arena, id));
}

enum err run_node(struct request *rq, const char *id, const char **name)
{
    *name = arena_printf(rq->arena, "projects/%s/runs/%s", rq->project, run_hex(rq->arena, id));
    return provenance_node(rq->db, "run", *name, rq->project, NULL);
}

/* GET …/runs/get */
enum err get_mlflow_run(struct request *rq)
{
    const char *json = NULL;
    const char *id;

    TRY(run_of_request(rq, &id));
    TRY(run_absent(rq, run_get(rq->db, auth_project_id(rq), id, &json), id));
    return mlflow_reply(rq, json);
}

/* A name for a run that was given none. */
static const char *name_new(struct arena *a, const char *id)
{
    static const char *const first[] = {"amber", "brisk",  "calm",  "clever", "eager", "fleet",
                                        "grand", "hidden", "loyal", "mellow", "noble", "quiet",
                                        "rapid", "silver", "vivid", "wise"};
    static const char *const second[] = {"badger", "crane", "dove",  "elk",  "finch", "gull",
                                         "heron",  "ibis",  "koala", "lynx", "mole",  "newt",
                                         "otter",  "perch", "quail", "raven"};
    unsigned long chance = strtoul(id + 28, NULL, 16);

    return arena_printf(a, "%s-%s-%lu", first[chance & 15], second[(chance >> 4) & 15],
                        (chance >> 8) % 1000);
}

struct tags {
    struct texts keys;
    struct texts values;
    const char *name; /* the value of mlflow.runName */
    const char *user; /* of mlflow.user */
    struct linked linked;
};

/* The last value of each key. */
static void put_tag(struct tags *t, const char *key, const char *value)
{
    size_t i = 0;

    while (i < t->keys.count && strcmp(t->keys.items[i], key) != 0)
        i++;
    t->keys.items[i] = key;
    t->values.items[i] = value;
    if (i == t->keys.count)
        t->keys.count = ++t->values.count;
    linked_note(&t->linked, key, value);
    if (strcmp(key, "mlflow.runName") == 0)
        t->name = value;
    if (strcmp(key, "mlflow.user") == 0)
        t->user = value;
}

static enum err read_tags(struct request *rq, struct tags *t)
{
    const json_t *items;
    const json_t *item;
    size_t i;

    TRY(mlflow_list(rq, "tags", MLFLOW_TAGS_MAX, &items));
    t->keys.items = arena_alloc(rq->arena, (MLFLOW_TAGS_MAX + 1) * sizeof(char *));
    t->values.items = arena_alloc(rq->arena, (MLFLOW_TAGS_MAX + 1) * sizeof(char *));
    json_array_foreach(items, i, item)
    {
        const char *value = mlflow_member(item, "value");
        const char *key = mlflow_member(item, "key");

        TRY(mlflow_key_check(rq, "key", key));
        put_tag(t, key, mlflow_cut(rq->arena, value == NULL ? "" : value, MLFLOW_TAG_MAX));
    }
    return OK;
}

static enum err read_draft(struct request *rq, struct run_draft *d, struct tags *t)
{
    const char *experiment;

    TRY(mlflow_text(rq, "experiment_id", 64, &experiment));
    TRY(mlflow_experiment_id(rq, experiment == NULL ? "0" : experiment, &d->experiment_id));
    TRY(mlflow_text(rq, "run_name", RUN_NAME_MAX, &d->name));
    TRY(mlflow_text(rq, "user_id", USER_MAX, &d->user));
    d->start_ms = time_now_ms();
    TRY(mlflow_int(rq, "start_time", 0, INT64_MAX, &d->start_ms));
    TRY(read_tags(rq, t));
    if (d->name != NULL && t->name != NULL && strcmp(d->name, t->name) != 0)
        return fail(rq, ERR_INVALID,
                    "Both 'run_name' argument and 'mlflow.runName' tag are specified, but with "
                    "different values (run_name='%s', mlflow.runName='%s').",
                    d->name, t->name);
    if (d->name == NULL)
        d->name = t->name;
    if (d->user == NULL)
        d->user = t->user == NULL ? rq->caller.name : t->user;
    return OK;
}

/* What is imported keeps its id, because others know it by that. An id is the tenant's: what other
 * tenants have shows in nothing. */
static enum err id_given(struct request *rq, const char **id)
{
    const char *text;
    char made[ID_SIZE];

    TRY(mlflow_text(rq, "run_id", 64, &text));
    if (text != NULL)
        return mlflow_run_id(rq, text, id) == OK ? OK : mlflow_invalid(rq, "run_id", text);
    id_new(made);
    *id = arena_text(rq->arena, made);
    return OK;
}

/* POST …/runs/create; MLflow's clients name no run_id. */
enum err post_mlflow_run(struct request *rq)
{
    struct run_draft d = {.by = rq->caller.id};
    struct tags t = {.name = NULL};
    const char *json = NULL;
    enum err e;

    TRY(id_given(rq, &d.id));
    TRY(read_draft(rq, &d, &t));
    if (d.name == NULL)
        d.name = name_new(rq->arena, d.id);
    put_tag(&t, "mlflow.runName", d.name);
    d.keys = &t.keys;
    d.values = &t.values;
    request_object(rq, "runs/%s", run_hex(rq->arena, d.id));
    e = run_create(rq->db, auth_project_id(rq), &d);
    if (e == ERR_NOT_FOUND)
        return fail(rq, e, "No active Experiment with id=%lld exists", (long long)d.experiment_id);
    if (e == ERR_EXISTS)
        return fail(rq, e, "Run with id=%s already exists", run_hex(rq->arena, d.id));
    TRY(e);
    TRY(linked_run(rq, d.id, &t.linked));
    TRY(run_get(rq->db, auth_project_id(rq), d.id, &json));
    return mlflow_reply(rq, json);
}

static bool status_known(const char *status)
{
    static const char *const known[] = {"RUNNING", "SCHEDULED", "FINISHED", "FAILED", "KILLED"};

    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        if (strcmp(known[i], status) == 0)
            return true;
    return false;
}

/* Enumerations come by name or by number (service.proto: RunStatus). */
static const char *status_of(const char *text)
{
    static const char *const numbered[] = {"RUNNING", "SCHEDULED", "FINISHED", "FAILED", "KILLED"};
    bool number = text != NULL && *text >= '1' && *text <= '5' && text[1] == '\0';

    return number ? numbered[*text - '1'] : text;
}

/* POST …/runs/update */
enum err post_mlflow_run_update(struct request *rq)
{
    struct run_change c = {.end_ms = 0};
    const char *json = NULL;
    const char *id;

    TRY(run_of_request(rq, &id));
    TRY(mlflow_text(rq, "status", 64, &c.status));
    TRY(mlflow_int(rq, "end_time", 0, INT64_MAX, &c.end_ms));
    TRY(mlflow_text(rq, "run_name", RUN_NAME_MAX, &c.name));
    c.status = status_of(c.status);
    if (c.status != NULL && !status_known(c.status))
        return mlflow_invalid(rq, "status", c.status);
    TRY(run_absent(rq, run_update(rq->db, auth_project_id(rq), id, &c, &json), id));
    return mlflow_reply(rq, json);
}

static enum err move(struct request *rq, const char *stage)
{
    const char *id, *was = NULL;

    TRY(run_of_request(rq, &id));
    TRY(run_absent(rq, run_stage(rq->db, auth_project_id(rq), id, &was), id));
    TRY(run_absent(rq, run_set_stage(rq->db, auth_project_id(rq), id, stage), id));
    request_audit(rq, "before", json_pack("{s:s}", "lifecycle_stage", was));
    request_audit(rq, "after", json_pack("{s:s}", "lifecycle_stage", stage));
    return mlflow_reply_empty(rq);
}

/* POST …/runs/delete */
enum err post_mlflow_run_delete(struct request *rq)
{
    return move(rq, "deleted");
}

/* POST …/runs/restore */
enum err post_mlflow_run_restore(struct request *rq)
{
    return move(rq, "active");
}

/* POST …/runs/delete-tag */
enum err post_mlflow_run_tag_delete(struct request *rq)
{
    const char *key;
    const char *id;
    enum err e;

    TRY(run_of_request(rq, &id));
    TRY(mlflow_need(rq, "key", MLFLOW_KEY_MAX, &key));
    e = run_remove_tag(rq->db, auth_project_id(rq), id, key);
    if (e == ERR_NOT_FOUND)
        return fail(rq, e, "No tag with name: %s in run with id %s", key, run_hex(rq->arena, id));
    TRY(e);
    return mlflow_reply_empty(rq);
}
