/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/mlflow/logged_model.h"

#include "auth/auth.h"
#include "lineage/audit.h"
#include "registry/handlers.h"
#include "registry/mlflow/artifact.h"
#include "registry/mlflow/linked.h"
#include "registry/mlflow/mlflow.h"
#include "registry/mlflow/run_http.h"

#include <string.h>

enum { NAME_LONGEST = 500, ITEMS_MAX = 1000 };

static enum err absent(struct request *rq, enum err e, const char *id)
{
    if (e != ERR_NOT_FOUND)
        return e;
    return fail(rq, e, "Logged model with ID '%s' not found.", id);
}

static enum err id_of_path(struct request *rq, const char **id)
{
    TRY(mlflow_model_id(rq, rq->args[0], id));
    request_object(rq, "logged-models/%s", rq->args[0]);
    return OK;
}

static enum err reply(struct request *rq, const char *id)
{
    const char *json = NULL;

    TRY(absent(rq, logged_model_get(rq->db, auth_project_id(rq), id, &json),
               arena_printf(rq->arena, "m-%s", run_hex(rq->arena, id))));
    return mlflow_reply(rq, json);
}

/* mlflow/utils/validation.py: a name that no path and no URI can be mistaken for. */
static enum err name_check(struct request *rq, const char *name)
{
    if (strpbrk(name, "/:.%\"'") == NULL)
        return OK;
    return fail(rq, ERR_INVALID,
                "Invalid model name (%s) provided. Model name must be a non-empty string and "
                "cannot contain the following characters: ('/', ':', '.', '%%', '\"', \"'\")",
                name);
}

static enum err pairs(struct request *rq, const char *list, size_t longest, json_t **out)
{
    const json_t *items;

    TRY(mlflow_list(rq, list, ITEMS_MAX, &items));
    return mlflow_pairs(rq, items, longest, out);
}

/* An imported model keeps its id; see runs/create. */
static enum err id_given(struct request *rq, const char **id)
{
    const char *text;
    char made[ID_SIZE];

    TRY(mlflow_text(rq, "model_id", 64, &text));
    if (text != NULL)
        return mlflow_model_id(rq, text, id) == OK ? OK : mlflow_invalid(rq, "model_id", text);
    id_new(made);
    *id = arena_text(rq->arena, made);
    return OK;
}

static enum err read_draft(struct request *rq, struct logged_model_draft *d)
{
    json_t *params, *tags;
    const char *text;

    TRY(id_given(rq, &d->id));
    TRY(mlflow_need(rq, "experiment_id", 64, &text));
    TRY(mlflow_experiment_id(rq, text, &d->experiment_id));
    TRY(mlflow_text(rq, "name", NAME_LONGEST, &d->name));
    if (d->name == NULL)
        d->name = arena_printf(rq->arena, "model-%s", run_hex(rq->arena, d->id) + 24);
    TRY(name_check(rq, d->name));
    TRY(mlflow_text(rq, "model_type", NAME_LONGEST, &d->type));
    TRY(mlflow_text(rq, "source_run_id", 256, &text));
    if (text != NULL)
        TRY(mlflow_run_id(rq, text, &d->run_id));
    TRY(pairs(rq, "params", MLFLOW_PARAM_MAX, &params));
    TRY(pairs(rq, "tags", MLFLOW_TAG_MAX, &tags));
    d->params = params;
    d->tags = tags;
    return OK;
}

/* POST …/logged-models */
enum err post_mlflow_logged_model(struct request *rq)
{
    struct logged_model_draft d = {.by = rq->caller.id};
    const char *name;
    enum err e;

    TRY(read_draft(rq, &d));
    name = arena_printf(rq->arena, "m-%s", run_hex(rq->arena, d.id));
    request_object(rq, "logged-models/%s", name);
    e = logged_model_create(rq->db, auth_project_id(rq), &d);
    if (e == ERR_NOT_FOUND)
        return fail(rq, e, "There is no such active experiment, or no such run");
    if (e == ERR_EXISTS)
        return fail(rq, e, "Logged model with ID '%s' already exists", name);
    TRY(e);
    TRY(linked_model(rq, d.id, d.tags));
    return reply(rq, d.id);
}

/* GET …/logged-models/{model_id} */
enum err get_mlflow_logged_model(struct request *rq)
{
    const char *id;

    TRY(id_of_path(rq, &id));
    return reply(rq, id);
}

static const char *status_of(const char *text)
{
    if (strcmp(text, "LOGGED_MODEL_READY") == 0 || strcmp(text, "2") == 0)
        return "LOGGED_MODEL_READY";
    if (strcmp(text, "LOGGED_MODEL_UPLOAD_FAILED") == 0 || strcmp(text, "3") == 0)
        return "LOGGED_MODEL_UPLOAD_FAILED";
    return NULL;
}

/* PATCH …/logged-models/{model_id} */
enum err patch_mlflow_logged_model(struct request *rq)
{
    const char *status;
    const char *text;
    const char *id;

    TRY(id_of_path(rq, &id));
    TRY(mlflow_need(rq, "status", 64, &text));
    status = status_of(text);
    if (status == NULL)
        return mlflow_invalid(rq, "status", text);
    TRY(absent(rq, logged_model_finish(rq->db, auth_project_id(rq), id, status), rq->args[0]));
    return reply(rq, id);
}

/* DELETE …/logged-models/{model_id} */
enum err delete_mlflow_logged_model(struct request *rq)
{
    const char *json = NULL;
    const char *id;

    TRY(id_of_path(rq, &id));
    TRY(absent(rq, logged_model_get(rq->db, auth_project_id(rq), id, &json), rq->args[0]));
    audit_before_text(rq, json);
    TRY(absent(rq, logged_model_delete(rq->db, auth_project_id(rq), id), rq->args[0]));
    return mlflow_reply_empty(rq);
}

/* POST …/logged-models/{model_id}/params */
enum err post_mlflow_logged_model_params(struct request *rq)
{
    json_t *params;
    const char *id;

    TRY(id_of_path(rq, &id));
    TRY(pairs(rq, "params", MLFLOW_PARAM_MAX, &params));
    TRY(absent(rq, logged_model_add(rq->db, auth_project_id(rq), id, params, NULL), rq->args[0]));
    return mlflow_reply_empty(rq);
}

/* PATCH …/logged-models/{model_id}/tags */
enum err patch_mlflow_logged_model_tags(struct request *rq)
{
    json_t *tags;
    const char *id;

    TRY(id_of_path(rq, &id));
    TRY(pairs(rq, "tags", MLFLOW_TAG_MAX, &tags));
    TRY(absent(rq, logged_model_add(rq->db, auth_project_id(rq), id, NULL, tags), rq->args[0]));
    TRY(linked_model(rq, id, tags));
    return reply(rq, id);
}

/* DELETE …/logged-models/{model_id}/tags/{key} */
enum err delete_mlflow_logged_model_tag(struct request *rq)
{
    const char *id;

    TRY(id_of_path(rq, &id));
    TRY(absent(rq, logged_model_remove_tag(rq->db, auth_project_id(rq), id, rq->args[1]),
               rq->args[0]));
    return mlflow_reply_empty(rq);
}

/* GET …/logged-models/{model_id}/artifacts/directories */
enum err get_mlflow_logged_model_files(struct request *rq)
{
    struct artifact_place p = {.owner = ARTIFACT_MODEL};
    const char *path;
    const char *json;

    TRY(id_of_path(rq, &p.uuid));
    TRY(mlflow_text(rq, "artifact_directory_path", 512, &path));
    if (path != NULL)
        TRY(artifact_path_check(rq, path));
    p.id = run_hex(rq->arena, p.uuid);
    p.path = path == NULL ? "" : path;
    TRY(absent(rq, artifact_owner_find(rq->db, auth_project_id(rq), &p, -1), rq->args[0]));
    TRY(artifact_list(rq->db, &p, path == NULL ? "" : arena_printf(rq->arena, "%s/", path), &json));
    return mlflow_reply(rq, json);
}
