/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/version_http.h"

#include "auth/auth.h"
#include "lineage/audit.h"
#include "registry/asset.h"
#include "registry/handlers.h"
#include "registry/manifest.h"
#include "registry/reply.h"
#include "registry/source.h"
#include "registry/tag.h"

#include <string.h>

struct version_body {
    const char *description;
    json_t *tags;
    json_t *manifest;
};

const struct field version_body_fields[] = {
    OPT_TEXT(struct version_body, description, 2000),
    OPT_OBJECT(struct version_body, tags),
    OPT_OBJECT(struct version_body, manifest),
    FIELDS_END,
};
const struct field version_patch_fields[] = {
    OPT_TEXT(struct version_body, description, 2000),
    OPT_OBJECT(struct version_body, tags),
    FIELDS_END,
};

static enum err key_of_path(struct request *rq, struct version_key *key)
{
    key->kind = asset_kind(rq);
    key->asset = rq->args[1];
    request_object(rq, "%ss/%s/versions/%s", key->kind, key->asset, rq->args[2]);
    return version_key_number(rq->args[2], key) ? OK : ERR_NOT_FOUND;
}

enum err version_of_path(struct request *rq, struct version *v)
{
    struct version_key key;

    TRY(key_of_path(rq, &key));
    TRY(version_get(rq->db, auth_project_id(rq), &key, v));
    request_object(rq, "%s", version_path(rq->arena, v));
    return OK;
}

enum err version_lock_path(struct request *rq, struct version *v)
{
    struct version_key key;

    TRY(key_of_path(rq, &key));
    TRY(version_lock(rq->db, auth_project_id(rq), &key, v));
    request_object(rq, "%s", version_path(rq->arena, v));
    return OK;
}

enum err version_lock_pending(struct request *rq, struct version *v)
{
    TRY(version_lock_path(rq, v));
    if (strcmp(v->state, "pending") != 0)
        return fail(rq, ERR_CONFLICT, "%s is ready and cannot change; make a new version",
                    version_path(rq->arena, v));
    return version_touch(rq->db, v, rq->caller.id);
}

/* POST …/models/{name}/versions */
enum err post_version(struct request *rq)
{
    struct version_body b = {.description = NULL};
    struct sources sources;
    struct version v;

    TRY(request_read(rq, &b));
    TRY(tags_check(rq, b.tags));
    TRY(manifest_check(rq, asset_kind(rq), b.manifest));
    TRY(source_list(rq, asset_kind(rq), b.manifest, &sources));
    TRY(version_create(rq->db,
                       &(struct version_draft){.project_id = auth_project_id(rq),
                                               .kind = asset_kind(rq),
                                               .asset = rq->args[1],
                                               .description = b.description,
                                               .tags = b.tags,
                                               .manifest = b.manifest,
                                               .author_id = rq->caller.id},
                       &v));
    request_object(rq, "%s", version_path(rq->arena, &v));
    request_status(rq, 201);
    request_set_header(rq, "Location",
                       arena_printf(rq->arena, "/v1/%s", version_node(rq->arena, &v)));
    return etag_reply(rq, version_fields, &v, v.revision);
}

/* GET …/models/{name}/versions */
enum err get_versions(struct request *rq)
{
    struct asset a;
    struct page page;
    struct version_key of;
    struct rows rows;
    int64_t before;

    TRY(page_read(rq, &page));
    TRY(page_number(rq, &page, INT64_MAX, &before));
    TRY(asset_find(rq->db, auth_project_id(rq), asset_kind(rq), rq->args[1], &a));
    if (strcmp(a.state, "active") != 0)
        return ERR_NOT_FOUND;
    of = (struct version_key){.kind = a.kind, .asset = a.name};
    TRY(version_list(rq->db, auth_project_id(rq), &of, before, page.limit + 1, &rows));
    return page_reply_numbered(rq, &page, version_fields, sizeof(struct version), &rows,
                               offsetof(struct version, number));
}

/* GET …/versions/{version} */
enum err get_version(struct request *rq)
{
    struct version v;

    TRY(version_of_path(rq, &v));
    return etag_reply(rq, version_fields, &v, v.revision);
}

static enum err update(struct request *rq, struct version *v)
{
    TRY(version_update(rq->db, v));
    v->revision++;
    return etag_reply(rq, version_fields, v, v->revision);
}

/* PATCH …/versions/{version} */
enum err patch_version(struct request *rq)
{
    struct version_body b = {.description = NULL};
    struct version v;

    TRY(request_read(rq, &b));
    TRY(tags_check(rq, b.tags));
    TRY(version_lock_path(rq, &v));
    TRY(etag_check(rq, v.revision));
    audit_before(rq, version_fields, &v);
    if (b.description != NULL)
        v.description = b.description;
    if (b.tags != NULL)
        v.tags = b.tags;
    return update(rq, &v);
}

/* DELETE …/versions/{version} */
enum err delete_version(struct request *rq)
{
    struct version v;
    const char *endpoint;
    enum err e;

    TRY(version_lock_path(rq, &v));
    TRY(etag_check(rq, v.revision));
    audit_before(rq, version_fields, &v);
    if (v.aliases.count > 0)
        return fail(rq, ERR_CONFLICT, "alias %s means it; move the alias first",
                    v.aliases.items[0]);
    if (strcmp(v.state, "pending") == 0 && v.job != NULL)
        return fail(rq, ERR_CONFLICT, "job %s makes it; cancel the job instead", v.job);
    e = version_served(rq->db, &v, &endpoint);
    if (e == OK)
        return fail(rq, ERR_CONFLICT, "endpoint %s serves it; undeploy it first", endpoint);
    if (e != ERR_NOT_FOUND)
        return e;
    TRY(version_delete(rq->db, &v));
    return request_reply_empty(rq);
}

static enum err change_tag(struct request *rq, const char *value)
{
    struct version v;

    TRY(version_lock_path(rq, &v));
    TRY(etag_check(rq, v.revision));
    audit_before(rq, version_fields, &v);
    TRY(tags_change(rq, v.tags, rq->args[3], value, &v.tags));
    TRY(update(rq, &v));
    audit_after(rq);
    return OK;
}

/* PUT …/versions/{version}/tags/{key} */
enum err put_version_tag(struct request *rq)
{
    struct tag t;

    TRY(request_read(rq, &t));
    TRY(change_tag(rq, t.value));
    return request_reply_empty(rq);
}

/* DELETE …/versions/{version}/tags/{key} */
enum err delete_version_tag(struct request *rq)
{
    TRY(change_tag(rq, NULL));
    return request_reply_empty(rq);
}
