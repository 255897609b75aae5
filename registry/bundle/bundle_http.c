/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/auth.h"
#include "lineage/sealed/sealed.h"
#include "registry/handlers.h"

#include <string.h>

struct head {
    const char *bytes; /* hexadecimal */
};

static const struct field head_fields[] = {
    TEXT(struct head, bytes, (int64_t)2 * SEALED_HEAD_MAX),
    FIELDS_END,
};

QUERY(bundle_head_sql, "SELECT head AS bytes FROM bundle WHERE tenant_id = current_tenant()"
                       " AND project_id = $1::uuid AND id = $2::bytea");

static enum err load(struct request *rq, const char **bytes, size_t *length)
{
    struct digest id;
    struct head h;
    char *room;

    if (!sealed_hex(rq->args[1], &id))
        return ERR_NOT_FOUND;
    TRY(db_one(rq->db, &bundle_head_sql, head_fields, &h,
               PARAMS(P_TEXT(auth_project_id(rq)), P_BYTES(id.bytes, SHA256_SIZE))));
    *length = strlen(h.bytes) / 2;
    room = arena_alloc(rq->arena, *length + 1);
    *bytes = room;
    return hex_decode(h.bytes, room, *length) ? OK : ERR_INTERNAL;
}

/* It tells of all its versions, so all must be readable here. */
static enum err may_see(struct request *rq, const struct sealed *s)
{
    static const enum action wanted[] = {ASSET_READ, APPROVAL_READ, LINEAGE_READ};
    const json_t *version;
    size_t i;

    json_array_foreach(s->versions, i, version)
    {
        const char *asset = arena_printf(rq->arena, "%ss/%s", sealed_text(version, "kind"),
                                         sealed_text(version, "name"));

        for (size_t k = 0; k < sizeof(wanted) / sizeof(wanted[0]); k++)
            if (!auth_may_asset(rq, wanted[k], asset))
                return ERR_NOT_FOUND;
    }
    return OK;
}

/* GET /v1/projects/{project}/bundles/{bundle} */
enum err get_bundle(struct request *rq)
{
    const struct sealed_trust own = {.own = true};
    struct sealed_fault fault;
    struct sealed s;
    const char *bytes;
    size_t length;

    request_object(rq, "bundles/%s", rq->args[1]);
    TRY(load(rq, &bytes, &length));
    if (!sealed_open(rq->arena, bytes, length, &own, &s, &fault))
        return fail(rq, ERR_INTERNAL, "the stored bundle is not what came: %s", fault.text);
    TRY(may_see(rq, &s));
    return request_reply_bytes(rq, "application/x-tar", bytes, length);
}
