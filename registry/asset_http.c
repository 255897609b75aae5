/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/asset.h"

#include "auth/auth.h"
#include "lineage/audit.h"
#include "registry/handlers.h"
#include "registry/reply.h"
#include "registry/share.h"
#include "registry/tag.h"

#include <string.h>

struct asset_body {
    const char *description;
    json_t *tags;
};

const struct field asset_body_fields[] = {
    OPT_TEXT(struct asset_body, description, 2000),
    OPT_OBJECT(struct asset_body, tags),
    FIELDS_END,
};

const char *asset_kind(const struct request *rq)
{
    static const char *const kinds[] = {
#define ASSET_KIND(kind) kind,
#include "auth/kinds.def"
#undef ASSET_KIND
    };
    const char *at = rq->route->path + strlen("/v1/projects/{project}/");

    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        if (strncmp(at, kinds[i], strlen(kinds[i])) == 0)
            return kinds[i];
    return "";
}

const char *asset_path(struct arena *a, const char *kind, const char *name)
{
    return arena_printf(a, "%ss/%s", kind, name);
}

/* The asset of the path in any state, with the audit entry told what it is about. */
static enum err lock_any(struct request *rq, struct asset *a)
{
    request_object(rq, "%s", asset_path(rq->arena, asset_kind(rq), rq->args[1]));
    return asset_lock(rq->db, auth_project_id(rq), asset_kind(rq), rq->args[1], a);
}

static enum err lock_in_state(struct request *rq, const char *state, struct asset *a)
{
    TRY(lock_any(rq, a));
    if (strcmp(a->state, state) != 0)
        return ERR_NOT_FOUND;
    audit_before(rq, asset_fields, a);
    return etag_check(rq, a->revision);
}

static enum err reply_asset(struct request *rq)
{
    struct asset a;

    TRY(asset_find(rq->db, auth_project_id(rq), asset_kind(rq), rq->args[1], &a));
    if (strcmp(a.state, "active") != 0)
        return ERR_NOT_FOUND;
    return etag_reply(rq, asset_fields, &a, a.revision);
}

static enum err create(struct request *rq, struct asset *a)
{
    TRY(etag_check(rq, 0));
    if (!name_valid(rq->args[1]))
        return fail(rq, ERR_INVALID,
                    "the name of a %s is 1 to 63 of a-z 0-9 . _ - and begins with "
                    "a letter or digit",
                    asset_kind(rq));
    a->kind = asset_kind(rq);
    a->name = rq->args[1];
    if (a->state == NULL)
        TRY(asset_create(rq->db, auth_project_id(rq), a, rq->caller.id));
    else
        TRY(asset_renew(rq->db, a, rq->caller.id));
    request_status(rq, 201);
    return reply_asset(rq);
}

/* PUT …/models/{name} */
enum err put_asset(struct request *rq)
{
    struct asset_body b = {.description = "", .tags = json_object()};
    struct asset a;
    enum err e;

    arena_own(rq->arena, b.tags, json_release);
    TRY(request_read(rq, &b));
    TRY(tags_check(rq, b.tags));
    e = lock_any(rq, &a);
    if (e == ERR_NOT_FOUND)
        a.state = NULL;
    else
        TRY(e);
    if (a.state != NULL && strcmp(a.state, "active") == 0)
        audit_before(rq, asset_fields, &a);
    a.description = b.description;
    a.tags = b.tags;
    if (a.state == NULL || strcmp(a.state, "purged") == 0)
        return create(rq, &a);
    if (strcmp(a.state, "active") != 0)
        return fail(rq, ERR_CONFLICT, "%s is deleted; restore or purge it first", rq->args[1]);
    TRY(etag_check(rq, a.revision));
    TRY(asset_update(rq->db, &a));
    return reply_asset(rq);
}

void asset_ahead(struct request *rq)
{
    asset_find_ahead(rq->db, rq->caller.tenant_id, auth_project_id(rq), asset_kind(rq),
                     rq->args[1]);
}

/* GET …/models/{name} */
enum err get_asset(struct request *rq)
{
    return reply_asset(rq);
}

/* PATCH …/models/{name} */
enum err patch_asset(struct request *rq)
{
    struct asset_body b = {.description = NULL};
    struct asset a;

    TRY(request_read(rq, &b));
    TRY(tags_check(rq, b.tags));
    TRY(lock_in_state(rq, "active", &a));
    if (b.description != NULL)
        a.description = b.description;
    if (b.tags != NULL)
        a.tags = b.tags;
    TRY(asset_update(rq->db, &a));
    return reply_asset(rq);
}

/* DELETE …/models/{name} */
enum err delete_asset(struct request *rq)
{
    struct asset a;
    const char *endpoint;
    enum err e;

    TRY(lock_in_state(rq, "active", &a));
    e = asset_served(rq->db, &a, &endpoint);
    if (e == OK)
        return fail(rq, ERR_CONFLICT, "endpoint %s serves a version of it; undeploy it first",
                    endpoint);
    if (e != ERR_NOT_FOUND)
        return e;
    TRY(asset_set_state(rq->db, &a, "deleted"));
    return request_reply_empty(rq);
}

/* POST …/models/{name}/restore */
enum err post_asset_restore(struct request *rq)
{
    struct asset a;

    TRY(lock_in_state(rq, "deleted", &a));
    TRY(asset_set_state(rq->db, &a, "active"));
    return reply_asset(rq);
}

/* POST …/models/{name}/purge */
enum err post_asset_purge(struct request *rq)
{
    struct share_open open;
    struct asset a;
    const char *what;
    enum err e;

    TRY(lock_any(rq, &a));
    if (strcmp(a.state, "active") == 0)
        return fail(rq, ERR_CONFLICT, "%s is not deleted; only deleted assets can be purged",
                    a.name);
    if (strcmp(a.state, "deleted") != 0)
        return ERR_NOT_FOUND;
    e = share_open_of(rq->db, a.id, &open);
    if (e == OK)
        return fail(rq, ERR_CONFLICT, "it is shared with project %s; end /v1/projects/%s/shares/%s",
                    open.with, open.project, open.id);
    if (e != ERR_NOT_FOUND)
        return e;
    e = asset_referred(rq->db, &a, &what);
    if (e == OK)
        return fail(rq, ERR_CONFLICT, "%s", what);
    if (e != ERR_NOT_FOUND)
        return e;
    TRY(share_forget(rq->db, a.id));
    TRY(asset_purge(rq->db, &a));
    return request_reply_empty(rq);
}

/* GET …/models */
enum err get_assets(struct request *rq)
{
    struct asset_search s = {.kind = asset_kind(rq), .state = request_query(rq, "state")};
    struct readable readable;
    struct page page;
    struct rows rows;
    json_t *tags;

    TRY(page_read(rq, &page));
    TRY(tag_query(rq, &tags));
    if (s.state == NULL)
        s.state = "active";
    if (strcmp(s.state, "active") != 0 && strcmp(s.state, "deleted") != 0) {
        rq->target = "state";
        return fail(rq, ERR_INVALID, "state must be one of: active, deleted");
    }
    s.q = request_query(rq, "q");
    s.tags = tags;
    s.after = page.after;
    s.limit = page.limit + 1;
    auth_readable(rq, ASSET_READ, asset_path(rq->arena, s.kind, ""), &readable);
    s.readable = &readable;
    auth_readable_things(rq, ASSET_READ, NULL, &s.may);
    TRY(asset_list(rq->db, auth_project_id(rq), &s, &rows));
    return page_reply(rq, &page, asset_listed_fields, sizeof(struct asset), &rows,
                      offsetof(struct asset, key));
}

static enum err change_tag(struct request *rq, const char *value)
{
    struct asset a;

    TRY(lock_in_state(rq, "active", &a));
    TRY(tags_change(rq, a.tags, rq->args[2], value, &a.tags));
    TRY(asset_update(rq->db, &a));
    TRY(reply_asset(rq));
    audit_after(rq);
    return OK;
}

/* PUT …/models/{name}/tags/{key}. Without a condition nothing is read first: the change travels
 * with its audit entry and the commit. */
enum err put_asset_tag(struct request *rq)
{
    const struct asset a = {.kind = asset_kind(rq), .name = rq->args[1]};
    const char *key = rq->args[2];
    struct tag t;

    TRY(request_read(rq, &t));
    TRY(tag_key_check(rq, key));
    if (request_header(rq, "if-match") != NULL || request_header(rq, "if-none-match") != NULL) {
        TRY(change_tag(rq, t.value));
        return request_reply_empty(rq);
    }
    request_object(rq, "%s", asset_path(rq->arena, a.kind, a.name));
    TRY(asset_set_tag(rq->db, auth_project_id(rq), &a, key, t.value));
    return request_reply_empty(rq);
}

/* DELETE …/models/{name}/tags/{key} */
enum err delete_asset_tag(struct request *rq)
{
    TRY(change_tag(rq, NULL));
    return request_reply_empty(rq);
}
