/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/mlflow/registered_model_http.h"

#include "auth/auth.h"
#include "lineage/graph/provenance.h"
#include "registry/asset.h"
#include "registry/handlers.h"
#include "registry/mlflow/artifact.h"
#include "registry/mlflow/linked.h"
#include "registry/mlflow/logged_model.h"
#include "registry/mlflow/mlflow.h"
#include "registry/mlflow/run_http.h"
#include "registry/pickle_facts.h"
#include "registry/reply.h"

#include <string.h>

enum { PROMPT_LONGEST = 100000, NUMBER_MOST = 1000000000 };

/* Where a version comes from. Only our own names are taken; nothing is ever fetched:
 *   models:/m-ID   models:/NAME/VERSION   runs:/RUN/PATH   mlflow-artifacts:/PLACE */
struct origin {
    const char *source;
    struct artifact_place place;
    const char *run_id;   /* UUID, or NULL */
    const char *model_id; /* m-…, or NULL */
    const char *version;  /* the node of the version it is a copy of, or NULL */
};

static enum err refuse(struct request *rq, const struct origin *o)
{
    rq->target = "source";
    return fail(
        rq, ERR_INVALID,
        "Invalid model version source: '%s'. It must be models:/<model id>, "
        "models:/<name>/<version>, runs:/<run id>/<path> or an artifact URI of this server.",
        mlflow_cut(rq->arena, o->source, 300));
}

static enum err of_logged_model(struct request *rq, struct origin *o, const char *id)
{
    o->place = (struct artifact_place){
        .owner = ARTIFACT_MODEL, .uuid = id, .id = run_hex(rq->arena, id), .path = ""};
    o->model_id = arena_printf(rq->arena, "m-%s", o->place.id);
    TRY(artifact_owner_find(rq->db, auth_project_id(rq), &o->place, -1));
    return logged_model_run(rq->db, auth_project_id(rq), id, &o->run_id);
}

/* models:/… */
static enum err of_models(struct request *rq, struct origin *o, const char *rest)
{
    const char *id;

    if (strncmp(rest, "m-", 2) == 0 && strlen(rest) == 34) {
        TRY(mlflow_model_id(rq, rest, &id));
        return of_logged_model(rq, o, id);
    }
    TRY(artifact_place(rq, arena_printf(rq->arena, "registered-models/%s", rest), &o->place));
    o->version = o->place.uuid;
    return *o->place.path == '\0' ? OK : ERR_NOT_FOUND;
}

/* runs:/RUN/PATH, where since MLflow 3 the path may be the name of a model that the run logged. */
static enum err of_run(struct request *rq, struct origin *o, const char *rest)
{
    size_t length = strcspn(rest, "/");
    const char *path = rest[length] == '\0' ? "" : rest + length + 1;
    const char *run = arena_copy(rq->arena, rest, length);
    const char *id;
    enum err e;

    TRY(mlflow_run_id(rq, run, &o->run_id));
    if (*path != '\0')
        TRY(artifact_path_check(rq, path));
    e = logged_model_of_run(rq->db, auth_project_id(rq), o->run_id, path, &id);
    if (e == OK)
        return of_logged_model(rq, o, id);
    if (e != ERR_NOT_FOUND)
        return e;
    o->place = (struct artifact_place){.owner = ARTIFACT_RUN,
                                       .uuid = o->run_id,
                                       .id = run_hex(rq->arena, o->run_id),
                                       .path = path};
    return artifact_owner_find(rq->db, auth_project_id(rq), &o->place, -1);
}

static enum err of_place(struct request *rq, struct origin *o, const char *rest)
{
    TRY(artifact_place(rq, rest, &o->place));
    if (o->place.owner == ARTIFACT_RUN)
        o->run_id = o->place.uuid;
    if (o->place.owner == ARTIFACT_VERSION)
        o->version = o->place.uuid;
    if (o->place.owner == ARTIFACT_MODEL && *o->place.path == '\0')
        return of_logged_model(rq, o, o->place.uuid);
    return OK;
}

static enum err read_origin(struct request *rq, struct origin *o)
{
    static const struct {
        const char *scheme;
        enum err (*read)(struct request *rq, struct origin *o, const char *rest);
    } schemes[] = {{"models:/", of_models}, {"runs:/", of_run}, {"mlflow-artifacts:/", of_place}};
    enum err e = ERR_NOT_FOUND;

    TRY(mlflow_need(rq, "source", 2048, &o->source));
    for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
        size_t length = strlen(schemes[i].scheme);

        if (strncmp(o->source, schemes[i].scheme, length) == 0)
            e = schemes[i].read(rq, o, o->source + length);
    }
    return e == ERR_NOT_FOUND || e == ERR_INVALID ? refuse(rq, o) : e;
}

/* A run that the client names must be one, and it is the one that made the model. */
static enum err read_run(struct request *rq, struct origin *o)
{
    struct artifact_place run = {.owner = ARTIFACT_RUN};
    const char *text;

    TRY(mlflow_text(rq, "run_id", 256, &text));
    if (text == NULL || o->run_id != NULL)
        return OK;
    TRY(mlflow_run_id(rq, text, &run.uuid));
    TRY(run_absent(rq, artifact_owner_find(rq->db, auth_project_id(rq), &run, -1), run.uuid));
    o->run_id = run.uuid;
    return OK;
}

/* Tags by which clients know a prompt; they are made of its manifest. */
static const char *const prompt_tags[] = {"mlflow.prompt.is_prompt", "mlflow.prompt.text",
                                          "_mlflow_prompt_type"};

static enum err begin(struct request *rq, const struct version_key *key, json_t **tags,
                      struct version *v)
{
    struct version_draft draft = {.project_id = auth_project_id(rq),
                                  .kind = key->kind,
                                  .asset = key->asset,
                                  .author_id = rq->caller.id};
    const json_t *items;
    const char *description;
    struct asset a;
    enum err e;

    TRY(mlflow_text(rq, "description", 2000, &description));
    TRY(mlflow_int(rq, "version", 0, NUMBER_MOST, &draft.number));
    TRY(mlflow_list(rq, "tags", MLFLOW_TAGS_MAX, &items));
    TRY(mlflow_pairs(rq, items, PROMPT_LONGEST, tags));
    draft.tags = json_deep_copy(*tags);
    arena_own(rq->arena, (json_t *)draft.tags, json_release);
    for (size_t i = 0; i < sizeof(prompt_tags) / sizeof(prompt_tags[0]); i++)
        json_object_del((json_t *)draft.tags, prompt_tags[i]);
    draft.description = description;
    e = version_create(rq->db, &draft, v);
    if (e == ERR_NOT_FOUND && draft.number > 0 &&
        asset_find(rq->db, auth_project_id(rq), key->kind, key->asset, &a) == OK)
        return fail(rq, ERR_EXISTS, "Version %lld of %s is or was: numbers are never used again",
                    (long long)draft.number, key->asset);
    return registered_model_absent(rq, e, key->asset);
}

static enum err seal_files(struct request *rq, const struct origin *o, struct version *v)
{
    const char *run = o->run_id == NULL ? NULL : run_hex(rq->arena, o->run_id);
    json_t *facts = json_pack("{s:{s:s, s:s*, s:s*}}", "mlflow", "source", o->source, "run_id", run,
                              "model_id", o->model_id);
    struct rows linked;
    int64_t files = 0;

    arena_own(rq->arena, facts, json_release);
    TRY(artifact_link(rq->db, &o->place, v->id, &files));
    if (files == 0 || files > VERSION_FILES_MAX)
        return fail(rq, ERR_INVALID, "There are %lld files at '%s'; a version has 1 to %d",
                    (long long)files, o->source, VERSION_FILES_MAX);
    TRY(version_files(rq->db, v->id, &linked));
    TRY(pickle_facts(rq, &linked, &facts));
    return version_seal(rq->db, v, facts);
}

static enum err trace(struct request *rq, const struct origin *o, const struct version *v)
{
    struct version copied;
    const char *run, *id, *model;

    if (o->model_id != NULL) {
        TRY(mlflow_model_id(rq, o->model_id, &id));
        TRY(logged_model_node(rq, id, o->run_id, &model));
        TRY(provenance_edge(rq->db, model, version_node(rq->arena, v), "produce", rq->id));
    }
    if (o->version != NULL) {
        TRY(version_by_id(rq->db, o->version, &copied));
        TRY(provenance_edge(rq->db, version_node(rq->arena, &copied), version_node(rq->arena, v),
                            "derive", rq->id));
    }
    if (o->run_id == NULL)
        return OK;
    TRY(run_node(rq, o->run_id, &run));
    return provenance_edge(rq->db, run, version_node(rq->arena, v), "produce", rq->id);
}

static enum err trace_tags(struct request *rq, const json_t *tags, const struct version *v)
{
    const struct linked_to to = {version_node_kind(v->kind), version_node(rq->arena, v), "use"};
    struct linked l = {.commit = NULL};

    linked_note_all(&l, tags);
    return linked_trace(rq, &l, &to);
}

/* Of a prompt the text is the version: a template, or the messages of a chat. */
static enum err seal_prompt(struct request *rq, const json_t *tags, struct version *v)
{
    const char *text = mlflow_member(tags, "mlflow.prompt.text");
    const char *type = mlflow_member(tags, "_mlflow_prompt_type");
    json_t *template = NULL;
    json_t *facts;

    if (text == NULL)
        return fail(rq, ERR_INVALID, "Prompt `%s` does not contain a prompt text", v->asset);
    if (type != NULL && strcmp(type, "chat") == 0) {
        template = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
        if (!json_is_array(template)) {
            json_decref(template);
            return fail(rq, ERR_INVALID, "The text of a chat prompt is a list of messages");
        }
    }
    facts = json_pack("{s:o}", "template", template == NULL ? json_string(text) : template);
    arena_own(rq->arena, facts, json_release);
    return version_seal(rq->db, v, facts);
}

/* POST …/model-versions/create: the files are there already, so the version is sealed at once. */
enum err post_mlflow_model_version(struct request *rq)
{
    struct origin o = {.run_id = NULL};
    struct version_key key;
    struct version v;
    json_t *tags;
    bool prompt;

    TRY(registered_model_key(rq, &key));
    prompt = strcmp(key.kind, "prompt") == 0;
    if (!prompt) {
        TRY(read_origin(rq, &o));
        TRY(read_run(rq, &o));
    }
    TRY(begin(rq, &key, &tags, &v));
    if (prompt) {
        TRY(seal_prompt(rq, tags, &v));
    } else {
        TRY(seal_files(rq, &o, &v));
        TRY(trace(rq, &o, &v));
    }
    TRY(trace_tags(rq, tags, &v));
    request_object(rq, "%s", version_path(rq->arena, &v));
    request_audit(rq, "digest", json_string(v.digest));
    return model_version_reply(rq, &v);
}
