/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/mlflow/artifact.h"

#include "auth/auth.h"
#include "registry/blob.h"
#include "registry/file_http.h"
#include "registry/handlers.h"
#include "registry/mlflow/mlflow.h"
#include "registry/mlflow/run_http.h"
#include "registry/mlflow/trace.h"
#include "registry/version.h"

#include <ctype.h>
#include <string.h>

enum err artifact_path_check(struct request *rq, const char *path)
{
    for (const char *c = strchr(path, '%'); c != NULL; c = strchr(c + 1, '%'))
        if (isxdigit((unsigned char)c[1]) && isxdigit((unsigned char)c[2]))
            return fail(rq, ERR_INVALID, "Invalid path: it is encoded more than once");
    if (path_valid(path))
        return OK;
    return fail(rq, ERR_INVALID,
                "Invalid path: parts joined by '/', none empty, '.' or '..', without backslash or "
                "control character, at most 512 bytes");
}

/* The first part, in the arena; *rest is what follows it, "" for nothing. */
static const char *part(struct request *rq, const char **rest)
{
    size_t length = strcspn(*rest, "/");
    const char *out = arena_copy(rq->arena, *rest, length);

    *rest += length + ((*rest)[length] == '/');
    return out;
}

static enum err version_place(struct request *rq, const char *rest, struct artifact_place *out)
{
    struct version_key key = {.kind = "model", .asset = part(rq, &rest)};
    struct version v;

    if (!name_valid(key.asset) || !version_key_number(part(rq, &rest), &key) || key.number == 0)
        return ERR_NOT_FOUND;
    if (!auth_may_asset(rq, (enum action)rq->route->action,
                        arena_printf(rq->arena, "models/%s", key.asset)))
        return ERR_NOT_FOUND;
    TRY(version_get(rq->db, auth_project_id(rq), &key, &v));
    if (strcmp(v.state, "ready") != 0)
        return ERR_NOT_FOUND;
    *out =
        (struct artifact_place){.owner = ARTIFACT_VERSION, .id = v.id, .uuid = v.id, .path = rest};
    return OK;
}

static enum err trace_place(struct request *rq, int64_t experiment, const char *rest,
                            struct artifact_place *out)
{
    const char *id = part(rq, &rest);

    out->owner = ARTIFACT_TRACE;
    TRY(trace_key(rq->db, auth_project_id(rq), id, experiment, &out->uuid));
    out->id = run_hex(rq->arena, out->uuid);
    if (strcmp(part(rq, &rest), "artifacts") != 0)
        return ERR_NOT_FOUND;
    out->path = rest;
    return OK;
}

static enum err owned_place(struct request *rq, const char *text, struct artifact_place *out)
{
    const char *rest = text;
    int64_t experiment;
    const char *id;

    TRY(mlflow_experiment_id(rq, part(rq, &rest), &experiment));
    id = part(rq, &rest);
    if (strcmp(id, "traces") == 0)
        return trace_place(rq, experiment, rest, out);
    out->owner = strcmp(id, "models") == 0 ? ARTIFACT_MODEL : ARTIFACT_RUN;
    if (out->owner == ARTIFACT_MODEL) {
        id = part(rq, &rest);
        TRY(mlflow_model_id(rq, id, &out->uuid));
    } else {
        TRY(mlflow_run_id(rq, id, &out->uuid));
    }
    out->id = run_hex(rq->arena, out->uuid);
    if (strcmp(part(rq, &rest), "artifacts") != 0)
        return ERR_NOT_FOUND;
    out->path = rest;
    return artifact_owner_find(rq->db, auth_project_id(rq), out, experiment);
}

enum err artifact_place(struct request *rq, const char *text, struct artifact_place *out)
{
    enum err e;

    TRY(artifact_path_check(rq, text));
    request_object(rq, "artifacts/%s", text);
    if (strncmp(text, "registered-models/", 18) == 0)
        e = version_place(rq, text + 18, out);
    else
        e = owned_place(rq, text, out);
    if (e == ERR_NOT_FOUND)
        return fail(rq, e, "There is no run, model, trace or version at %s", text);
    return e;
}

/* GET …/mlflow-artifacts/artifacts?path= */
enum err get_mlflow_artifacts(struct request *rq)
{
    struct artifact_place p;
    const char *path;
    const char *json;
    size_t length;

    TRY(mlflow_need(rq, "path", 1024, &path));
    length = strlen(path);
    if (path[length - 1] == '/')
        path = arena_copy(rq->arena, path, length - 1);
    TRY(artifact_place(rq, path, &p));
    TRY(artifact_list(rq->db, &p, "", &json));
    return mlflow_reply(rq, json);
}

/* GET …/mlflow/artifacts/list?run_id=&path= */
enum err get_mlflow_run_artifacts(struct request *rq)
{
    struct artifact_place p = {.owner = ARTIFACT_RUN, .path = ""};
    const char *path;
    const char *json;
    const char *id;

    TRY(run_of_request(rq, &id));
    TRY(mlflow_text(rq, "path", 512, &path));
    if (path != NULL)
        TRY(artifact_path_check(rq, path));
    p.uuid = id;
    p.id = run_hex(rq->arena, id);
    p.path = path == NULL ? "" : path;
    TRY(run_absent(rq, artifact_owner_find(rq->db, auth_project_id(rq), &p, -1), id));
    TRY(artifact_list(rq->db, &p, path == NULL ? "" : arena_printf(rq->arena, "%s/", path), &json));
    return mlflow_reply(rq, json);
}

/* GET …/mlflow-artifacts/artifacts/{path+} */
enum err get_mlflow_artifact(struct request *rq)
{
    struct artifact_place p;
    struct artifact_file file;
    enum err e;
    int fd;

    TRY(artifact_place(rq, rq->args[0], &p));
    e = artifact_find(rq->db, &p, &file);
    if (e == ERR_NOT_FOUND)
        return fail(rq, e, "No such artifact: '%s'", rq->args[0]);
    TRY(e);
    request_audit(rq, "sha256", json_string(file.sha256));
    TRY(blob_open(rq->caller.tenant_id, file.sha256, &fd));
    request_set_header(rq, "ETag", arena_printf(rq->arena, "\"%s\"", file.sha256));
    request_set_header(rq, "Content-Disposition", "attachment");
    return request_reply_file(rq, "application/octet-stream", fd, file.size);
}

static enum err writable(struct request *rq, const struct artifact_place *p)
{
    if (p->owner == ARTIFACT_VERSION)
        return fail(rq, ERR_DENIED, "A registered version is immutable");
    if (*p->path == '\0')
        return fail(rq, ERR_INVALID, "Invalid path: it must name something below artifacts/");
    return OK;
}

static enum err store(struct request *rq)
{
    struct artifact_file file = {.sha256 = hex_of(rq->arena, &rq->upload->sha256),
                                 .size = rq->upload->size};
    struct artifact_place p;
    enum err e;

    TRY(artifact_place(rq, rq->args[0], &p));
    TRY(writable(rq, &p));
    request_audit(rq, "sha256", json_string(file.sha256));
    e = artifact_put(rq->db, &p, &file, rq->upload->path, rq->caller.id);
    if (e == ERR_CONFLICT)
        return fail(rq, ERR_INVALID, "%s would be a file and a directory", rq->args[0]);
    TRY(e);
    return mlflow_reply_empty(rq);
}

/* PUT …/mlflow-artifacts/artifacts/{path+} */
enum err put_mlflow_artifact(struct request *rq)
{
    request_object(rq, "artifacts/%s", rq->args[0]);
    TRY(artifact_path_check(rq, rq->args[0]));
    if (rq->upload == NULL || !rq->upload->complete)
        return fail(rq, ERR_INVALID, "the body is truncated: fewer bytes came than were announced");
    TRY(digest_check(rq, &rq->upload->sha256));
    return request_tx(rq, store);
}

/* DELETE …/mlflow-artifacts/artifacts/{path+} */
enum err delete_mlflow_artifact(struct request *rq)
{
    struct artifact_place p;
    enum err e;

    TRY(artifact_place(rq, rq->args[0], &p));
    TRY(writable(rq, &p));
    e = artifact_remove(rq->db, &p);
    if (e == ERR_NOT_FOUND)
        return fail(rq, e, "No such artifact: '%s'", rq->args[0]);
    TRY(e);
    return mlflow_reply_empty(rq);
}

/* GET …/mlflow-artifacts/presigned/{path+}: clients go on with one GET. */
enum err refuse_mlflow_presigned(struct request *rq)
{
    TRY(artifact_path_check(rq, rq->args[0]));
    request_status(rq, 501);
    return request_reply_json(
        rq, json_pack("{s:s, s:s}", "error_code", "NOT_IMPLEMENTED", "message",
                      "Presigned downloads are not supported for the current artifact repository"));
}
