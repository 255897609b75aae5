/* SPDX-License-Identifier: Apache-2.0 */
#include "lineage/log_key.h"

#include <openssl/crypto.h>
#include <string.h>

struct key_row {
    const char *origin;
    const char *public;
    const char *sealed;
    bool signs;
    const char *until;
    const char *statement;
};

static const struct field key_row_fields[] = {
    TEXT(struct key_row, origin, NOTE_NAME_MAX),
    TEXT(struct key_row, public, 64),
    TEXT(struct key_row, sealed, 256),
    BOOL(struct key_row, signs),
    TIME(struct key_row, until),
    TEXT(struct key_row, statement, NOTE_MAX),
    FIELDS_END,
};

QUERY(log_keys_sql,
      "SELECT origin, public, sealed, signs_until > now() AS signs,"
      " signs_until AS until, statement"
      "  FROM audit_key WHERE tenant_id = $1::uuid ORDER BY retired_at DESC LIMIT $2");

enum err log_keys_find(struct db *db, const struct log *l, struct log_keys *out)
{
    struct rows rows;

    out->items[0] = (struct log_key){.origin = l->origin, .signs = true};
    memcpy(out->items[0].public, l->public, ED25519_KEY);
    memcpy(out->items[0].sealed, l->sealed, sizeof(l->sealed));
    TRY(db_list(db, &log_keys_sql, key_row_fields, sizeof(struct key_row), &rows,
                PARAMS(P_TEXT(db->tenant), P_INT(NOTE_KEYS_MAX - 1))));
    out->count = 1 + rows.count;
    for (size_t i = 0; i < rows.count; i++) {
        const struct key_row *row = (const struct key_row *)rows.items + i;
        struct log_key *key = &out->items[1 + i];

        *key = (struct log_key){.origin = row->origin,
                                .signs = row->signs,
                                .until = row->until,
                                .statement = row->statement};
        if (!hex_decode(row->public, key->public, sizeof(key->public)) ||
            !hex_decode(row->sealed, key->sealed, sizeof(key->sealed)))
            return ERR_CONTENT;
    }
    return OK;
}

enum err log_verifiers(const struct log *l, const struct log_keys *keys, struct log_verifiers *out)
{
    out->count = 0;
    for (size_t i = 0; i < keys->count; i++)
        if (strcmp(keys->items[i].origin, l->origin) == 0)
            TRY(note_key(l->origin, keys->items[i].public, &out->keys[out->count++]));
    return OK;
}

/* A sealed key opens only in the place it was made for. */
static const char *seal_place(struct db *db)
{
    return arena_printf(db->arena, "audit-log:%s", db->tenant);
}

enum err log_key_open(struct db *db, const uint8_t seal_key[SEAL_KEY], const struct log_key *key,
                      uint8_t secret[ED25519_KEY])
{
    uint8_t public[ED25519_KEY];

    TRY(unseal(seal_key, seal_place(db), key->sealed, sizeof(key->sealed), secret));
    TRY(ed25519_public(secret, public));
    return memcmp(public, key->public, sizeof(public)) == 0 ? OK : ERR_CONTENT;
}

enum err log_key_make(struct db *db, const uint8_t seal_key[SEAL_KEY], struct log_key *out)
{
    uint8_t secret[ED25519_KEY];
    enum err e;

    ed25519_generate(secret, out->public);
    e = seal(seal_key, seal_place(db), secret, sizeof(secret), out->sealed);
    OPENSSL_cleanse(secret, sizeof(secret));
    return e;
}

QUERY(log_key_retire, "INSERT INTO audit_key (tenant_id, origin, public, sealed, signs_until,"
                      " statement) VALUES ($1::uuid, $2, $3, $4,"
                      " now() + make_interval(hours => $5::int), $6)");
/* Not signed by the fresh key yet, so the head is due. */
QUERY(log_key_set, "UPDATE audit_log SET public = $2, sealed = $3, signed_at = NULL"
                   " WHERE tenant_id = $1::uuid");

enum err log_key_replace(struct db *db, const struct log *l, const struct log_key *fresh,
                         int64_t overlap_hours, const char *statement)
{
    TRY(db_defer(
        db, &log_key_retire,
        PARAMS(P_TEXT(db->tenant), P_TEXT(l->origin), P_BYTES(l->public, sizeof(l->public)),
               P_BYTES(l->sealed, sizeof(l->sealed)), P_INT(overlap_hours), P_TEXT(statement))));
    return db_defer(db, &log_key_set,
                    PARAMS(P_TEXT(db->tenant), P_BYTES(fresh->public, sizeof(fresh->public)),
                           P_BYTES(fresh->sealed, sizeof(fresh->sealed))));
}
