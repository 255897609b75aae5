/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/keys/envelope.h"

#include "auth/keys/kek.h"
#include "core/crypto.h"
#include "core/log.h"

#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

enum { WRAPPED = SEAL_KEY + SEAL_OVERHEAD, WRAPPED_TEXT = 2 * WRAPPED };

struct tenant_key {
    int64_t number;
    const char *kek;
    const char *wrapped; /* hexadecimal; NULL when destroyed */
    uint8_t key[SEAL_KEY];
};

static const struct field key_columns[] = {
    INT(struct tenant_key, number, 1, INT64_MAX),
    TEXT(struct tenant_key, kek, KEK_ID),
    OPT_TEXT(struct tenant_key, wrapped, WRAPPED_TEXT),
    FIELDS_END,
};

static const char *key_place(struct db *db, int64_t number)
{
    return arena_printf(db->arena, "v1|%s|%lld|tenant-key", db->tenant, (long long)number);
}

static const char *value_place(struct db *db, const struct envelope_place *p)
{
    return arena_printf(db->arena, "v1|%s|%s|%lld|%s", db->tenant, p->id, (long long)p->version,
                        p->purpose);
}

static const char *wrap_place(struct db *db, const struct envelope_place *p)
{
    return arena_printf(db->arena, "%s|key", value_place(db, p));
}

static enum err unwrap(struct db *db, struct tenant_key *k)
{
    uint8_t wrapped[WRAPPED];
    enum err e;

    if (k->wrapped == NULL)
        return ERR_NOT_FOUND;
    e = strlen(k->wrapped) == WRAPPED_TEXT && hex_decode(k->wrapped, wrapped, WRAPPED)
            ? kek_unwrap(k->kek, key_place(db, k->number), wrapped, k->key)
            : ERR_INTERNAL;
    if (e == OK)
        return OK;
    log_world("key %lld of tenant %s does not open under key %s%s", (long long)k->number,
              db->tenant, k->kek, e == ERR_NOT_FOUND ? ", which this service was not given" : "");
    return e == ERR_UNAVAILABLE ? e : ERR_INTERNAL;
}

#define KEY_SELECT                                                                                 \
    "SELECT number, kek, wrapped FROM wrapping_key WHERE tenant_id = current_tenant()"
QUERY(envelope_newest_sql, KEY_SELECT " ORDER BY number DESC LIMIT 1 FOR UPDATE");
QUERY(envelope_key_sql, KEY_SELECT " AND number = $1");
QUERY(envelope_key_insert_sql, "INSERT INTO wrapping_key (tenant_id, number, kek, wrapped)"
                               " VALUES (current_tenant(), $1, $2, $3)");

/* Two at once collide on the number, and the later runs again or is told so. */
static enum err make_key(struct db *db, int64_t number, struct tenant_key *k)
{
    uint8_t wrapped[WRAPPED];

    k->number = number;
    k->kek = kek_current();
    random_bytes(k->key, SEAL_KEY);
    TRY(kek_wrap(key_place(db, number), k->key, wrapped));
    return db_change(db, &envelope_key_insert_sql,
                     PARAMS(P_INT(number), P_TEXT(k->kek), P_BYTES(wrapped, WRAPPED)));
}

/* The tenant's key, made at its first use. */
static enum err current_key(struct db *db, struct tenant_key *k)
{
    enum err e = db_one(db, &envelope_newest_sql, key_columns, k, NO_PARAMS);

    if (e == ERR_NOT_FOUND)
        return make_key(db, 1, k);
    if (e == OK && k->wrapped == NULL)
        return make_key(db, k->number + 1, k);
    return e == OK ? unwrap(db, k) : e;
}

QUERY(envelope_insert_sql,
      "INSERT INTO sealed_value (tenant_id, id, version, purpose, key_number, wrapped, sealed)"
      " VALUES (current_tenant(), $1::uuid, $2, $3, $4, $5, $6)");

enum err envelope_seal(struct db *db, const struct envelope_place *p, const void *plain,
                       size_t length)
{
    struct tenant_key k = {.wrapped = NULL};
    uint8_t data_key[SEAL_KEY];
    uint8_t wrapped[WRAPPED];
    uint8_t *sealed;
    enum err e;

    if (length > ENVELOPE_MAX)
        return ERR_TOO_LARGE;
    TRY(current_key(db, &k));
    sealed = arena_alloc(db->arena, length + SEAL_OVERHEAD);
    random_bytes(data_key, SEAL_KEY);
    e = seal(data_key, value_place(db, p), plain, length, sealed);
    if (e == OK)
        e = seal(k.key, wrap_place(db, p), data_key, SEAL_KEY, wrapped);
    OPENSSL_cleanse(data_key, SEAL_KEY);
    OPENSSL_cleanse(k.key, SEAL_KEY);
    if (e != OK)
        return e;
    return db_change(db, &envelope_insert_sql,
                     PARAMS(P_TEXT(p->id), P_INT(p->version), P_TEXT(p->purpose), P_INT(k.number),
                            P_BYTES(wrapped, WRAPPED), P_BYTES(sealed, length + SEAL_OVERHEAD)));
}

struct value_row {
    const char *id;
    int64_t version;
    const char *purpose;
    int64_t key_number;
    const char *wrapped; /* hexadecimal, as is sealed */
    const char *sealed;
};

static const struct field value_columns[] = {
    TEXT(struct value_row, id, 36),
    INT(struct value_row, version, 0, INT64_MAX),
    TEXT(struct value_row, purpose, 64),
    INT(struct value_row, key_number, 1, INT64_MAX),
    TEXT(struct value_row, wrapped, WRAPPED_TEXT),
    TEXT(struct value_row, sealed, INT64_C(2) * (ENVELOPE_MAX + SEAL_OVERHEAD)),
    FIELDS_END,
};

static enum err open_data_key(struct db *db, const struct envelope_place *p,
                              const struct value_row *row, const uint8_t *tenant_key,
                              uint8_t out[SEAL_KEY])
{
    uint8_t wrapped[WRAPPED];

    return strlen(row->wrapped) == WRAPPED_TEXT && hex_decode(row->wrapped, wrapped, WRAPPED)
               ? unseal(tenant_key, wrap_place(db, p), wrapped, WRAPPED, out)
               : ERR_INTERNAL;
}

struct wiped {
    uint8_t *bytes;
    size_t length;
};

static void wipe(void *thing)
{
    struct wiped *w = thing;

    OPENSSL_cleanse(w->bytes, w->length);
    free(w->bytes);
    free(w);
}

/* Memory of its own, since the arena's is not wiped. */
static uint8_t *wiped_alloc(struct arena *a, size_t length)
{
    struct wiped *w = malloc(sizeof(*w));
    uint8_t *bytes = calloc(1, length);

    if (w == NULL || bytes == NULL)
        abort();
    *w = (struct wiped){.bytes = bytes, .length = length};
    arena_own(a, w, wipe);
    return bytes;
}

static enum err open_value(struct db *db, const struct envelope_place *p,
                           const struct value_row *row, const uint8_t *tenant_key, uint8_t *plain)
{
    size_t length = strlen(row->sealed) / 2;
    uint8_t *sealed = arena_alloc(db->arena, length + 1);
    uint8_t data_key[SEAL_KEY];
    enum err e = open_data_key(db, p, row, tenant_key, data_key);

    if (e == OK)
        e = hex_decode(row->sealed, sealed, length)
                ? unseal(data_key, value_place(db, p), sealed, length, plain)
                : ERR_INTERNAL;
    OPENSSL_cleanse(data_key, SEAL_KEY);
    return e;
}

QUERY(envelope_value_sql,
      "SELECT id, version, purpose, key_number, wrapped, sealed FROM sealed_value"
      " WHERE tenant_id = current_tenant() AND id = $1::uuid AND version = $2");

enum err envelope_open(struct db *db, const struct envelope_place *p, const char **plain,
                       size_t *length)
{
    struct tenant_key k = {.wrapped = NULL};
    struct value_row row;
    uint8_t *bytes;
    enum err e;

    TRY(db_one(db, &envelope_value_sql, value_columns, &row,
               PARAMS(P_TEXT(p->id), P_INT(p->version))));
    TRY(db_one(db, &envelope_key_sql, key_columns, &k, PARAMS(P_INT(row.key_number))));
    TRY(unwrap(db, &k));
    *length = strlen(row.sealed) / 2;
    if (*length < SEAL_OVERHEAD)
        return ERR_INTERNAL;
    *length -= SEAL_OVERHEAD;
    bytes = wiped_alloc(db->arena, *length + 1);
    e = open_value(db, p, &row, k.key, bytes);
    OPENSSL_cleanse(k.key, SEAL_KEY);
    *plain = (const char *)bytes;
    if (e != OK)
        log_world("version %lld of %s %s does not open", (long long)p->version, p->purpose, p->id);
    return e;
}

QUERY(envelope_drop_sql,
      "DELETE FROM sealed_value WHERE tenant_id = current_tenant() AND id = $1::uuid");

enum err envelope_drop(struct db *db, const char *id)
{
    return db_run(db, &envelope_drop_sql, NULL, PARAMS(P_TEXT(id)));
}

QUERY(envelope_all_sql,
      "SELECT id, version, purpose, key_number, wrapped, '' AS sealed FROM sealed_value"
      " WHERE tenant_id = current_tenant() AND key_number = $1 ORDER BY id, version FOR UPDATE");
QUERY(envelope_move_sql, "UPDATE sealed_value SET key_number = $3, wrapped = $4"
                         " WHERE tenant_id = current_tenant() AND id = $1::uuid AND version = $2");
QUERY(envelope_retire_sql,
      "UPDATE wrapping_key SET wrapped = NULL, retired_at = now()"
      " WHERE tenant_id = current_tenant() AND wrapped IS NOT NULL AND number < $1");

static enum err move(struct db *db, const struct value_row *row, const struct tenant_key *from,
                     const struct tenant_key *to)
{
    const struct envelope_place p = {
        .id = row->id, .version = row->version, .purpose = row->purpose};
    uint8_t data_key[SEAL_KEY];
    uint8_t wrapped[WRAPPED];
    enum err e = open_data_key(db, &p, row, from->key, data_key);

    if (e == OK)
        e = seal(to->key, wrap_place(db, &p), data_key, SEAL_KEY, wrapped);
    OPENSSL_cleanse(data_key, SEAL_KEY);
    if (e != OK)
        return e;
    return db_change(
        db, &envelope_move_sql,
        PARAMS(P_TEXT(row->id), P_INT(row->version), P_INT(to->number), P_BYTES(wrapped, WRAPPED)));
}

enum err envelope_rotate(struct db *db, int64_t *number, int64_t *values)
{
    struct tenant_key old = {.wrapped = NULL};
    struct tenant_key new = {.wrapped = NULL};
    struct rows rows;

    TRY(current_key(db, &old));
    TRY(make_key(db, old.number + 1, &new));
    TRY(db_list(db, &envelope_all_sql, value_columns, sizeof(struct value_row), &rows,
                PARAMS(P_INT(old.number))));
    for (size_t i = 0; i < rows.count; i++)
        TRY(move(db, (const struct value_row *)rows.items + i, &old, &new));
    OPENSSL_cleanse(&old.key, SEAL_KEY);
    OPENSSL_cleanse(&new.key, SEAL_KEY);
    *number = new.number;
    *values = (int64_t)rows.count;
    return db_run(db, &envelope_retire_sql, NULL, PARAMS(P_INT(new.number)));
}

QUERY(envelope_rewrap_sql, "UPDATE wrapping_key SET kek = $2, wrapped = $3"
                           " WHERE tenant_id = current_tenant() AND number = $1");

enum err envelope_rewrap(struct db *db, bool *changed)
{
    struct tenant_key k = {.wrapped = NULL};
    uint8_t wrapped[WRAPPED];

    TRY(current_key(db, &k));
    *changed = strcmp(k.kek, kek_current()) != 0;
    if (!*changed)
        return OK;
    TRY(kek_wrap(key_place(db, k.number), k.key, wrapped));
    OPENSSL_cleanse(&k.key, SEAL_KEY);
    return db_change(db, &envelope_rewrap_sql,
                     PARAMS(P_INT(k.number), P_TEXT(kek_current()), P_BYTES(wrapped, WRAPPED)));
}

QUERY(envelope_count_sql, "SELECT number, kek, wrapped FROM wrapping_key"
                          " WHERE tenant_id = current_tenant() ORDER BY number FOR UPDATE");
QUERY(envelope_values_sql, "SELECT 1 FROM sealed_value WHERE tenant_id = current_tenant()");

enum err envelope_shred(struct db *db, int64_t *values)
{
    struct rows keys;
    PGresult *all;

    TRY(db_list(db, &envelope_count_sql, key_columns, sizeof(struct tenant_key), &keys, NO_PARAMS));
    TRY(db_rows(db, &envelope_values_sql, &all, NO_PARAMS));
    *values = PQntuples(all);
    return db_run(db, &envelope_retire_sql, NULL, PARAMS(P_INT(INT64_MAX)));
}
