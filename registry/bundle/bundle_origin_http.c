/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/bundle/bundle_origin.h"

#include "lineage/audit.h"
#include "registry/handlers.h"

#include <string.h>

struct origin_body {
    const char *vkey;
};

const struct field bundle_origin_body_fields[] = {
    TEXT(struct origin_body, vkey, NOTE_VKEY_SIZE),
    FIELDS_END,
};

/* GET /v1/bundle-origins */
enum err get_bundle_origins(struct request *rq)
{
    struct rows rows;

    TRY(bundle_origin_list(rq->db, &rows));
    return request_reply_list(rq, bundle_origin_fields, sizeof(struct bundle_origin), &rows, NULL);
}

/* The origin of the path; false when there is none. */
static enum err find(struct request *rq, struct bundle_origin *o, bool *there)
{
    enum err e = bundle_origin_find(rq->db, rq->args[0], o);

    request_object(rq, "bundle-origins/%s", rq->args[0]);
    *there = e == OK;
    if (e == ERR_NOT_FOUND)
        return OK;
    TRY(e);
    audit_before(rq, bundle_origin_fields, o);
    return OK;
}

/* PUT /v1/bundle-origins/{origin} */
enum err put_bundle_origin(struct request *rq)
{
    struct origin_body b = {.vkey = NULL};
    struct bundle_origin o;
    struct note_key key;
    bool there;
    enum err e;

    TRY(request_read(rq, &b));
    if (!name_valid(rq->args[0]))
        return fail(rq, ERR_INVALID, "the name is not one an origin can have");
    rq->target = "vkey";
    if (note_vkey_parse(b.vkey, &key) != OK)
        return fail(rq, ERR_INVALID,
                    "vkey is no Ed25519 verifier key: NAME+HASH+KEY, as the origin's "
                    "/v1/audit/log/vkey gives it");
    TRY(find(rq, &o, &there));
    e = bundle_origin_put(rq->db, rq->args[0], b.vkey, rq->caller.id);
    if (e == ERR_EXISTS)
        return fail(rq, e, "another origin has this key already");
    TRY(e);
    rq->target = NULL;
    TRY(bundle_origin_find(rq->db, rq->args[0], &o));
    if (!there)
        request_status(rq, 201);
    return request_reply(rq, bundle_origin_fields, &o);
}

/* DELETE /v1/bundle-origins/{origin} */
enum err delete_bundle_origin(struct request *rq)
{
    struct bundle_origin o;
    bool there;

    TRY(find(rq, &o, &there));
    TRY(bundle_origin_delete(rq->db, rq->args[0]));
    return request_reply_empty(rq);
}
