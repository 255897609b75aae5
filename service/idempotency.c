/* SPDX-License-Identifier: Apache-2.0 */
#include "service/idempotency.h"

#include <string.h>

enum { KEY_MAX = 255, ANSWER_MAX = 1 << 20 };

static const uint8_t *sealing_key;

enum err idempotency_start(const struct service *service)
{
    sealing_key = service->key;
    return OK;
}

void idempotency_stop(void)
{
}

static const char *key_of(const struct request *rq)
{
    return strcmp(rq->method, "POST") == 0 ? request_header(rq, "idempotency-key") : NULL;
}

/* What the sealed answer is bound to. */
static const char *place(struct request *rq, const char *key)
{
    return arena_printf(rq->arena, "idempotency|%s|%s|%s", rq->caller.tenant_id, rq->caller.id,
                        key);
}

static struct digest request_digest(const struct request *rq)
{
    struct sha256 *h = sha256_begin();

    sha256_add(h, rq->method, strlen(rq->method) + 1);
    sha256_add(h, rq->path, strlen(rq->path) + 1);
    if (rq->raw_length > 0)
        sha256_add(h, rq->raw, rq->raw_length);
    return sha256_end(h);
}

struct kept {
    const char *request; /* hexadecimal */
    const char *answer;
    int64_t status; /* 0: none yet */
};

static const struct field kept_fields[] = {
    TEXT(struct kept, request, 64),
    OPT_TEXT(struct kept, answer, 1),
    INT(struct kept, status, 0, 999),
    FIELDS_END,
};

QUERY(idempotency_expire, "DELETE FROM idempotency_key WHERE tenant_id = current_tenant()"
                          " AND principal_id = $1::uuid AND created_at < now() - interval '1 day'");

QUERY(idempotency_insert, "INSERT INTO idempotency_key (tenant_id, principal_id, key, request)"
                          " VALUES (current_tenant(), $1::uuid, $2, $3) ON CONFLICT DO NOTHING");

QUERY(idempotency_find,
      "SELECT request, answer, coalesce(status, 0) AS status FROM idempotency_key"
      " WHERE tenant_id = current_tenant() AND principal_id = $1::uuid AND key = $2");

/* The media type and the bytes of an answer are kept as "type\nbytes". */
static enum err replay(struct request *rq, const char *key, const struct kept *kept)
{
    size_t sealed_length = kept->answer == NULL ? 0 : strlen(kept->answer) / 2;
    uint8_t *sealed = arena_alloc(rq->arena, sealed_length);
    uint8_t *plain = arena_alloc(rq->arena, sealed_length + 1);
    char *bytes;

    if (sealed_length < SEAL_OVERHEAD || !hex_decode(kept->answer, sealed, sealed_length))
        return ERR_INTERNAL;
    TRY(unseal(sealing_key, place(rq, key), sealed, sealed_length, plain));
    bytes = strchr((char *)plain, '\n');
    if (bytes == NULL)
        return ERR_INTERNAL;
    *bytes++ = '\0';
    request_status(rq, (unsigned)kept->status);
    request_set_header(rq, "Idempotency-Replayed", "true");
    return request_reply_bytes(rq, *plain == '\0' ? NULL : (const char *)plain, bytes,
                               sealed_length - SEAL_OVERHEAD - (size_t)(bytes - (char *)plain));
}

enum err idempotency_begin(struct request *rq, bool *replayed)
{
    const char *key = key_of(rq);
    struct digest digest;
    struct kept kept;
    char hex[2 * SHA256_SIZE + 1];
    int64_t inserted = 0;

    *replayed = false;
    if (key == NULL || *rq->caller.id == '\0')
        return OK;
    if (*key == '\0' || strlen(key) > KEY_MAX)
        return fail(rq, ERR_INVALID, "Idempotency-Key must be 1 to %d bytes", KEY_MAX);
    digest = request_digest(rq);
    TRY(db_defer_any(rq->db, &idempotency_expire, PARAMS(P_TEXT(rq->caller.id))));
    TRY(db_run(rq->db, &idempotency_insert, &inserted,
               PARAMS(P_TEXT(rq->caller.id), P_TEXT(key), P_BYTES(digest.bytes, SHA256_SIZE))));
    if (inserted == 1)
        return OK;
    TRY(db_one(rq->db, &idempotency_find, kept_fields, &kept,
               PARAMS(P_TEXT(rq->caller.id), P_TEXT(key))));
    hex_encode(digest.bytes, SHA256_SIZE, hex);
    if (strcmp(hex, kept.request) != 0)
        return fail(rq, ERR_CONFLICT, "this Idempotency-Key was used for another request");
    *replayed = true;
    return replay(rq, key, &kept);
}

QUERY(idempotency_keep,
      "UPDATE idempotency_key SET status = $3, answer = $4"
      " WHERE tenant_id = current_tenant() AND principal_id = $1::uuid AND key = $2");

enum err idempotency_end(struct request *rq)
{
    const char *key = key_of(rq);
    const struct reply *r = &rq->reply;
    const char *type = r->type == NULL ? "" : r->type;
    size_t length = strlen(type) + 1 + r->length;
    char *plain;
    uint8_t *sealed;

    if (key == NULL || *rq->caller.id == '\0')
        return OK;
    if ((r->kind != REPLY_BYTES && r->kind != REPLY_NONE) || length > ANSWER_MAX)
        return fail(rq, ERR_INVALID, "this route does not take an Idempotency-Key");
    plain =
        arena_printf(rq->arena, "%s\n%.*s", type, (int)r->length, r->length > 0 ? r->bytes : "");
    sealed = arena_alloc(rq->arena, length + SEAL_OVERHEAD);
    TRY(seal(sealing_key, place(rq, key), plain, length, sealed));
    return db_defer(rq->db, &idempotency_keep,
                    PARAMS(P_TEXT(rq->caller.id), P_TEXT(key),
                           P_INT(r->status == 0 ? err_status(OK) : r->status),
                           P_BYTES(sealed, length + SEAL_OVERHEAD)));
}
