/* SPDX-License-Identifier: Apache-2.0 */
#include "lineage/privacy/remark.h"

#include <openssl/crypto.h>
#include <string.h>

static const char *place_of(struct db *db, const char *row_id)
{
    return arena_printf(db->arena, "v1|%s|%s|audit-remark", db->tenant, row_id);
}

enum err remark_seal(struct db *db, const char *subject, const char *row_id, const char *text,
                     struct sealed_remark *out)
{
    size_t length = strlen(text);
    uint8_t *bytes = arena_alloc(db->arena, length + SEAL_OVERHEAD);
    struct subject_key key;
    enum err e;

    TRY(subject_key_take(db, subject, &key));
    memcpy(out->key_id, key.id, ID_SIZE);
    e = seal(key.key, place_of(db, row_id), text, length, bytes);
    OPENSSL_cleanse(&key, sizeof(key));
    out->bytes = bytes;
    out->length = length + SEAL_OVERHEAD;
    return e;
}

enum err remark_open(struct db *db, const struct remark_row *row, const char **text)
{
    size_t length = strlen(row->sealed) / 2;
    uint8_t *sealed = arena_alloc(db->arena, length + 1);
    uint8_t *plain = arena_alloc(db->arena, length + 1);
    uint8_t key[SEAL_KEY];
    enum err e;

    *text = NULL;
    if (row->key_subject == NULL || row->key_wrapped == NULL || length < SEAL_OVERHEAD)
        return OK;
    e = subject_key_open(db, row->key_id, row->key_subject, row->key_wrapped, key);
    if (e != OK)
        return e == ERR_CONTENT ? OK : e;
    if (hex_decode(row->sealed, sealed, length) &&
        unseal(key, place_of(db, row->id), sealed, length, plain) == OK)
        *text = (const char *)plain; /* zeroes follow it */
    OPENSSL_cleanse(key, sizeof(key));
    return OK;
}
