/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/auth.h"
#include "registry/bundle/bundle_origin.h"
#include "registry/bundle/incoming.h"
#include "registry/file_http.h"
#include "registry/handlers.h"
#include "registry/manifest.h"
#include "registry/reply.h"
#include "registry/tag.h"
#include "registry/version_http.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/* The same request is made again and again until nothing is missing. It has no memory: each time
 * the whole head is checked, and what is here is looked at anew. */
struct import {
    struct sealed bundle;
    const char *head;
    size_t head_length;
    struct incoming *items;
    size_t count;
    bool begin; /* some version is not begun */
};

static enum err read_upload(struct request *rq, const char **bytes, size_t *length)
{
    char *room;
    ssize_t got = 0;
    int fd;

    if (rq->upload == NULL || !rq->upload->complete)
        return fail(rq, ERR_INVALID, "the body is truncated: fewer bytes came than were announced");
    *length = 0;
    if (rq->upload->size > SEALED_HEAD_MAX)
        return fail(rq, ERR_TOO_LARGE, "the head of a bundle has at most %d bytes",
                    SEALED_HEAD_MAX);
    room = arena_alloc(rq->arena, (size_t)rq->upload->size + 1);
    fd = open(rq->upload->path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    while (fd >= 0 && (got = read(fd, room + *length, (size_t)rq->upload->size - *length)) > 0)
        *length += (size_t)got;
    if (fd >= 0)
        (void)close(fd);
    *bytes = room;
    return fd < 0 || got < 0 ? ERR_STORAGE : OK;
}

static enum err open_bundle(struct request *rq, struct import *im)
{
    struct sealed_trust trust = {.own = false};
    struct sealed_fault fault;
    struct note_key *keys;

    TRY(read_upload(rq, &im->head, &im->head_length));
    TRY(bundle_origin_keys(rq->db, &keys, &trust.count));
    trust.keys = keys;
    if (sealed_open(rq->arena, im->head, im->head_length, &trust, &im->bundle, &fault))
        return OK;
    if (fault.stranger)
        return fail(rq, ERR_CONTENT,
                    "%s; an administrator says whose bundles are taken: PUT "
                    "/v1/bundle-origins/NAME",
                    fault.text);
    return fail(rq, ERR_CONTENT, "%s", fault.text);
}

/* What any version must be that is made here. */
static enum err may_come(struct request *rq, const struct incoming *in)
{
    const char *asset = arena_printf(rq->arena, "%ss/%s", in->kind, in->name);
    json_t *given = json_copy(json_object_get(in->facts, "manifest"));
    struct version_key key;

    arena_own(rq->arena, given, json_release);
    if (!version_key_parse(rq->arena, arena_printf(rq->arena, "%s/versions/1", asset), &key) ||
        strcmp(key.kind, in->kind) != 0)
        return fail(rq, ERR_CONTENT, "there are no assets of the kind %s here", in->kind);
    if (!auth_may_asset(rq, ASSET_WRITE, asset))
        return fail(rq, ERR_DENIED, "you may not write %s", asset);
    (void)json_object_del(given, "files");
    (void)json_object_del(given, "pickles");
    if (manifest_wanted(in->kind))
        TRY(manifest_check(rq, in->kind, given));
    if (strlen(sealed_text(in->facts, "description")) > 2000)
        return fail(rq, ERR_CONTENT, "the description of %s is too long", asset);
    return tags_check(rq, json_object_get(in->facts, "tags"));
}

static enum err find_items(struct request *rq, struct import *im)
{
    im->count = json_array_size(im->bundle.versions);
    im->items = arena_alloc(rq->arena, (im->count + 1) * sizeof(*im->items));
    for (size_t i = 0; i < im->count; i++) {
        struct incoming *in = &im->items[i];

        in->bundle = &im->bundle;
        in->facts = json_array_get(im->bundle.versions, i);
        in->kind = sealed_text(in->facts, "kind");
        in->name = sealed_text(in->facts, "name");
        in->digest = sealed_text(in->facts, "digest");
        TRY(may_come(rq, in));
        TRY(incoming_find(rq, in));
        im->begin = im->begin || in->state == INCOMING_NEW;
    }
    return OK;
}

/* The seal vouches for what the manifest says of the files, not for what they would do here. */
static enum err look_into(struct request *rq, const struct incoming *in)
{
    const json_t *manifest = json_object_get(in->facts, "manifest");
    json_t *facts = NULL;

    if (manifest_wanted(in->kind))
        TRY(manifest_fits(rq, in->kind, manifest, &in->files));
    TRY(version_look_into(rq, &in->version, &in->files, &facts));
    if (json_array_size(json_object_get(facts, "pickles")) > 0 &&
        json_array_size(json_object_get(manifest, "pickles")) == 0)
        return fail(rq, ERR_CONTENT, "%s has pickles of which its manifest does not tell",
                    sealed_text(in->facts, "node"));
    return OK;
}

static json_t *item_json(struct request *rq, const struct incoming *in)
{
    return json_pack("{s:s, s:s, s:s, s:s, s:O}", "origin", sealed_text(in->facts, "node"),
                     "version", version_path(rq->arena, &in->version), "digest", in->digest,
                     "state", in->state == INCOMING_READY ? "ready" : "pending", "missing",
                     in->missing);
}

static enum err reply(struct request *rq, const struct import *im)
{
    json_t *list = json_array();
    bool done = true;

    for (size_t i = 0; i < im->count; i++) {
        done = done && im->items[i].state == INCOMING_READY;
        json_array_append_new(list, item_json(rq, &im->items[i]));
    }
    request_object(rq, "bundles/%s", hex_of(rq->arena, &im->bundle.id));
    request_audit(rq, "origin", json_string(im->bundle.origin));
    request_audit(rq, "state", json_string(done ? "imported" : "waiting"));
    return request_reply_json(rq, json_pack("{s:s, s:s, s:s, s:s, s:o}", "bundle",
                                            hex_of(rq->arena, &im->bundle.id), "origin",
                                            im->bundle.origin, "key", im->bundle.signer, "state",
                                            done ? "imported" : "waiting", "versions", list));
}

QUERY(bundle_put_sql, "INSERT INTO bundle (tenant_id, project_id, id, head, imported_by)"
                      " VALUES (current_tenant(), $1::uuid, $2::bytea, $3::bytea, $4::uuid)"
                      " ON CONFLICT (tenant_id, project_id, id) DO NOTHING");

/* What came is kept beside what it brought. */
static enum err keep_head(struct request *rq, const struct import *im)
{
    return db_defer_any(rq->db, &bundle_put_sql,
                        PARAMS(P_TEXT(auth_project_id(rq)),
                               P_BYTES(im->bundle.id.bytes, SHA256_SIZE),
                               P_BYTES(im->head, im->head_length), P_TEXT(rq->caller.id)));
}

static enum err begin(struct request *rq)
{
    struct import *im = rq->work;

    TRY(keep_head(rq, im));
    for (size_t i = 0; i < im->count; i++)
        if (im->items[i].state != INCOMING_READY)
            TRY(incoming_begin(rq, &im->items[i]));
    return reply(rq, im);
}

static enum err finish(struct request *rq)
{
    struct import *im = rq->work;

    TRY(incoming_history(rq, &im->bundle));
    for (size_t i = 0; i < im->count; i++)
        if (im->items[i].state == INCOMING_PENDING)
            TRY(incoming_seal(rq, &im->items[i]));
    return reply(rq, im);
}

/* All or none become ready. */
static enum err seal_all(struct request *rq, struct import *im)
{
    size_t pending = 0, missing = 0;

    for (size_t i = 0; i < im->count; i++) {
        pending += im->items[i].state == INCOMING_PENDING;
        missing += json_array_size(im->items[i].missing);
    }
    if (pending == 0 || missing > 0)
        return reply(rq, im);
    for (size_t i = 0; i < im->count; i++)
        if (im->items[i].state == INCOMING_PENDING)
            TRY(look_into(rq, &im->items[i]));
    return request_tx(rq, finish);
}

/* POST /v1/projects/{project}/bundles/import */
enum err post_bundle_import(struct request *rq)
{
    struct import im = {.count = 0};

    request_object(rq, "bundles");
    TRY(open_bundle(rq, &im));
    request_object(rq, "bundles/%s", hex_of(rq->arena, &im.bundle.id));
    TRY(find_items(rq, &im));
    rq->work = &im;
    return im.begin ? request_tx(rq, begin) : seal_all(rq, &im);
}
