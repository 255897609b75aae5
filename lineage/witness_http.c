/* SPDX-License-Identifier: Apache-2.0 */
#include "core/request.h"
#include "lineage/audit.h"
#include "lineage/routes.h"
#include "lineage/witness.h"

#include <string.h>

struct wanted {
    const char *vkey;
    const char *url;
};

const struct field witness_put_fields[] = {
    TEXT(struct wanted, vkey, NOTE_VKEY_SIZE),
    TEXT(struct wanted, url, 500),
    FIELDS_END,
};

/* GET /v1/audit/witnesses */
enum err get_audit_witnesses(struct request *rq)
{
    struct rows rows;

    TRY(witness_list(rq->db, &rows));
    return request_reply_list(rq, witness_view_fields, sizeof(struct witness), &rows, NULL);
}

static enum err note_before(struct request *rq)
{
    const struct witness *all;
    struct rows rows;

    TRY(witness_list(rq->db, &rows));
    all = rows.items;
    for (size_t i = 0; i < rows.count; i++)
        if (strcmp(all[i].name, rq->args[0]) == 0)
            audit_before(rq, witness_view_fields, &all[i]);
    return OK;
}

static enum err bad(struct request *rq, const char *member, const char *why)
{
    rq->target = member;
    return fail(rq, ERR_INVALID, "%s %s", member, why);
}

/* PUT /v1/audit/witnesses/{name} */
enum err put_audit_witness(struct request *rq)
{
    struct witness w = {.name = rq->args[0]};
    struct witness_key key;
    struct wanted wanted;

    TRY(request_read(rq, &wanted));
    if (!name_valid(w.name))
        return fail(rq, ERR_INVALID, "the name is not one a witness can have");
    if (!witness_key_parse(wanted.vkey, &key))
        return bad(rq, "vkey", "is not a key that cosigns checkpoints (C2SP tlog-cosignature v1)");
    if (!witness_url_valid(wanted.url))
        return bad(rq, "url", "must begin with https://, or http:// on the loopback");
    w.vkey = wanted.vkey;
    w.url = wanted.url;
    request_object(rq, "audit/witnesses/%s", w.name);
    TRY(note_before(rq));
    TRY(witness_put(rq->db, &w));
    return request_reply(rq, witness_view_fields, &w);
}

/* DELETE /v1/audit/witnesses/{name}: what it signed stays. */
enum err delete_audit_witness(struct request *rq)
{
    request_object(rq, "audit/witnesses/%s", rq->args[0]);
    TRY(note_before(rq));
    TRY(witness_delete(rq->db, rq->args[0]));
    return request_reply_empty(rq);
}
