/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/bundle/bundle_head.h"

#include "lineage/graph/answer.h"
#include "registry/handlers.h"
#include "registry/reply.h"

#include <string.h>

enum { NODES = 2000, EDGES = 10000 };

struct bundle_body {
    struct texts versions;
};

const struct field bundle_body_fields[] = {
    TEXTS(struct bundle_body, versions, SEALED_VERSIONS_MAX),
    FIELDS_END,
};

static enum err may_go(struct request *rq, const struct version *v)
{
    static const enum action wanted[] = {ASSET_READ, FILE_READ, APPROVAL_READ, LINEAGE_READ};
    const char *asset = arena_printf(rq->arena, "%ss/%s", v->kind, v->asset);
    const struct auth_version of = {rq->project, asset, v->number, NULL};

    for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
        if (!auth_may_version(rq, wanted[i], &of))
            return fail(rq, ERR_DENIED, "to take %s out of here needs %s on it", asset,
                        action_text(wanted[i]));
    return OK;
}

static enum err find_version(struct request *rq, const char *path, struct version *v)
{
    enum err e = version_find(rq->db, auth_project_id(rq), path, v);

    rq->target = "versions";
    if (e == ERR_NOT_FOUND)
        return fail(rq, ERR_INVALID, "versions: there is no %s", path);
    TRY(e);
    TRY(may_go(rq, v));
    if (strcmp(v->state, "ready") != 0)
        return fail(rq, ERR_CONFLICT, "%s is not ready", path);
    rq->target = NULL;
    return OK;
}

static enum err find_versions(struct request *rq, const struct texts *paths, struct sealing *b)
{
    b->versions = arena_alloc(rq->arena, (paths->count + 1) * sizeof(*b->versions));
    for (size_t i = 0; i < paths->count; i++) {
        TRY(find_version(rq, paths->items[i], &b->versions[i]));
        for (size_t k = 0; k < i; k++)
            if (strcmp(b->versions[k].id, b->versions[i].id) == 0)
                return fail(rq, ERR_INVALID, "versions: %s is named twice", paths->items[i]);
    }
    b->count = paths->count;
    return OK;
}

/* Half a history would be taken for all of it. */
static enum err add_history(struct request *rq, const struct version *v, struct walk *all)
{
    struct walk_question q = {.node = version_node(rq->arena, v),
                              .ways = WALK_UP,
                              .depth = DEPTH_MAX,
                              .nodes = NODES,
                              .edges = EDGES,
                              .ms = WALK_MS,
                              .may = question_may,
                              .context = rq};
    struct walk one;

    TRY(walk_run(rq->db, &q, &one));
    if (one.truncated != NULL && strcmp(one.truncated, "redacted") == 0)
        return fail(rq, ERR_DENIED, "the history of %s has parts that you may not see", q.node);
    walk_merge(rq->arena, all, &one);
    if (one.truncated != NULL || all->node_count > SEALED_NODES_MAX)
        return fail(rq, ERR_TOO_LARGE, "the history of %s is too large to be sealed (%s)", q.node,
                    one.truncated == NULL ? "nodes" : one.truncated);
    return OK;
}

/* POST /v1/projects/{project}/bundles */
enum err post_bundle(struct request *rq)
{
    struct bundle_body body = {.versions = {NULL, 0}};
    struct sealing b = {.rq = rq};
    struct text *head = answer_text(rq);

    TRY(request_read(rq, &body));
    request_object(rq, "bundles");
    if (body.versions.count == 0) {
        rq->target = "versions";
        return fail(rq, ERR_INVALID, "versions: name at least one");
    }
    TRY(find_versions(rq, &body.versions, &b));
    for (size_t i = 0; i < b.count; i++)
        TRY(add_history(rq, &b.versions[i], &b.history));
    TRY(bundle_head(&b, head));
    request_object(rq, "bundles/%s", b.id);
    return request_reply_bytes(rq, "application/x-tar", head->data, head->length);
}
