/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/version_http.h"

#include "registry/blob.h"
#include "registry/handlers.h"
#include "registry/inspect.h"
#include "registry/manifest.h"
#include "registry/pickle_facts.h"
#include "registry/reply.h"
#include "registry/source.h"

#include <string.h>
#include <strings.h>
#include <unistd.h>

/* The one file that says what the version is: the model, or the only CSV file of a dataset. NULL
 * when there is none; a dataset of several CSV files has no columns of its own. */
static const struct version_file *telling_file(const struct version *v, const struct rows *files)
{
    const struct version_file *file = files->items;
    const struct version_file *found = NULL;
    bool model = strcmp(v->kind, "model") == 0;

    for (size_t i = 0; i < files->count; i++) {
        size_t length = strlen(file[i].path);

        if (model && strcmp(file[i].path, "model.onnx") == 0)
            return &file[i];
        if (model || length < 4 || strcasecmp(file[i].path + length - 4, ".csv") != 0)
            continue;
        if (found != NULL)
            return NULL;
        found = &file[i];
    }
    return found;
}

static enum err look_into(struct request *rq, const struct version *v,
                          const struct version_file *file, json_t **facts)
{
    int fd = -1;
    enum err e;

    TRY(blob_open(rq->caller.tenant_id, file->sha256, &fd));
    e = inspect(rq, v->kind, fd, facts);
    (void)close(fd);
    if (*facts != NULL)
        arena_own(rq->arena, *facts, json_release);
    if (e == ERR_CONTENT && rq->detail != NULL)
        return fail(rq, e, "%s: %s", file->path, rq->detail);
    return e;
}

/* What was looked into, so that nothing else is sealed. */
struct looked {
    struct rows files;
    const json_t *facts;
};

static bool same_files(const struct rows *a, const struct rows *b)
{
    const struct version_file *x = a->items;
    const struct version_file *y = b->items;

    for (size_t i = 0; a->count == b->count && i < a->count; i++)
        if (strcmp(x[i].path, y[i].path) != 0 || strcmp(x[i].sha256, y[i].sha256) != 0)
            return false;
    return a->count == b->count;
}

static enum err seal_version(struct request *rq)
{
    const struct looked *looked = rq->work;
    struct sources sources = {.count = 0};
    struct version v;
    struct rows files;

    TRY(version_lock_pending(rq, &v));
    TRY(version_files(rq->db, v.id, &files));
    if (!same_files(&files, &looked->files))
        return fail(rq, ERR_CONFLICT, "the files changed while they were looked into; try again");
    if (manifest_wanted(v.kind))
        TRY(source_list(rq, v.kind, v.manifest, &sources));
    TRY(version_seal(rq->db, &v, looked->facts));
    TRY(source_trace(rq, &sources, version_node(rq->arena, &v)));
    request_audit(rq, "digest", json_string(v.digest));
    return etag_reply(rq, version_fields, &v, v.revision);
}

enum err version_look_into(struct request *rq, const struct version *v, const struct rows *files,
                           json_t **facts)
{
    const struct version_file *file = manifest_wanted(v->kind) ? NULL : telling_file(v, files);

    if (file != NULL)
        TRY(look_into(rq, v, file, facts));
    return pickle_facts(rq, files, facts);
}

/* POST …/versions/{version}/finalize */
enum err post_version_finalize(struct request *rq)
{
    struct looked looked = {.facts = NULL};
    struct version v;
    json_t *facts = NULL;

    TRY(version_of_path(rq, &v));
    if (strcmp(v.state, "pending") != 0)
        return fail(rq, ERR_CONFLICT, "%s is ready already", version_path(rq->arena, &v));
    TRY(version_files(rq->db, v.id, &looked.files));
    if (looked.files.count == 0 && !kind_is_facts(v.kind))
        return fail(rq, ERR_CONFLICT, "the version has no files; PUT …/files/{path} first");
    if (manifest_wanted(v.kind)) {
        facts = v.manifest;
        TRY(manifest_fits(rq, v.kind, facts, &looked.files));
    }
    TRY(version_look_into(rq, &v, &looked.files, &facts));
    looked.facts = facts;
    rq->work = &looked;
    return request_tx(rq, seal_version);
}
