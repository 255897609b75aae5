/* SPDX-License-Identifier: Apache-2.0 */
#include "lineage/privacy/subject_key.h"

#include "core/log.h"

#include <openssl/crypto.h>
#include <string.h>

/* The root in the cache; no subject has a '*'. */
static const char root_name[] = "*root";
enum { KEK_NAME = 64, ROOTS_READ = 8, WRAPPED_TEXT = 2 * WRAPPED_KEY };

const struct audit_wrapping *audit_wrapping;

struct root_row {
    int64_t number;
    const char *kek;
    const char *wrapped; /* hexadecimal */
    bool own;            /* made by the running transaction, which may yet fail */
};

static const struct field root_fields[] = {
    INT(struct root_row, number, 1, INT64_MAX),
    TEXT(struct root_row, kek, KEK_NAME),
    TEXT(struct root_row, wrapped, WRAPPED_TEXT),
    BOOL(struct root_row, own),
    FIELDS_END,
};

#define IS_OWN "coalesce(xmin = pg_current_xact_id_if_assigned()::xid, false) AS own"
QUERY(subject_root_find, "SELECT number, kek, wrapped, " IS_OWN " FROM audit_root"
                         " WHERE tenant_id = $1::uuid ORDER BY number DESC LIMIT $2");
QUERY(subject_root_put, "INSERT INTO audit_root (tenant_id, number, kek, wrapped)"
                        " VALUES ($1::uuid, $2, $3, $4) ON CONFLICT DO NOTHING");

static const char *root_place(struct db *db)
{
    return arena_printf(db->arena, "v1|%s|audit-root", db->tenant);
}

static bool wrapped_bytes(const char *hex, uint8_t out[WRAPPED_KEY])
{
    return strlen(hex) == WRAPPED_TEXT && hex_decode(hex, out, WRAPPED_KEY);
}

/* ERR_NOT_FOUND: it is under a key that this service was not given. */
static enum err unwrap_root(struct db *db, const struct root_row *row, uint8_t key[SEAL_KEY])
{
    uint8_t wrapped[WRAPPED_KEY];

    return wrapped_bytes(row->wrapped, wrapped)
               ? audit_wrapping->unwrap(row->kek, root_place(db), wrapped, key)
               : ERR_INTERNAL;
}

/* The newest that opens here: another replica may know a newer key of the installation already. */
static enum err open_root(struct db *db, const struct rows *rows, const struct root_row **found,
                          uint8_t key[SEAL_KEY])
{
    enum err e = ERR_NOT_FOUND;

    for (size_t i = 0; i < rows->count && e != OK; i++) {
        *found = (const struct root_row *)rows->items + i;
        e = unwrap_root(db, *found, key);
    }
    if (e == OK)
        return OK;
    log_world("the audit key of tenant %s does not open under any key of the installation%s",
              db->tenant, e == ERR_UNAVAILABLE ? ": its token does not answer" : "");
    return ERR_UNAVAILABLE;
}

static enum err read_roots(struct db *db, struct rows *rows)
{
    if (audit_wrapping == NULL) {
        log_ours("nobody has said how audit keys are wrapped");
        return ERR_UNAVAILABLE;
    }
    return db_list(db, &subject_root_find, root_fields, sizeof(struct root_row), rows,
                   PARAMS(P_TEXT(db->tenant), P_INT(ROOTS_READ)));
}

/* From the database. ERR_NOT_FOUND before the tenant has one. */
static enum err read_root(struct db *db, uint8_t key[SEAL_KEY])
{
    struct subject_key kept = {.id = ""};
    const struct root_row *row = NULL;
    struct rows rows;

    TRY(read_roots(db, &rows));
    if (rows.count == 0)
        return ERR_NOT_FOUND;
    TRY(open_root(db, &rows, &row, key));
    memcpy(kept.key, key, SEAL_KEY);
    if (!row->own)
        key_cache_put(db->tenant, root_name, &kept);
    OPENSSL_cleanse(&kept, sizeof(kept));
    return OK;
}

static enum err find_root(struct db *db, uint8_t key[SEAL_KEY])
{
    struct subject_key kept;

    if (!key_cache_find(db->tenant, root_name, &kept))
        return read_root(db, key);
    memcpy(key, kept.key, SEAL_KEY);
    OPENSSL_cleanse(&kept, sizeof(kept));
    return OK;
}

/* Several at once agree on whose came first. */
static enum err put_root(struct db *db, int64_t number, const uint8_t key[SEAL_KEY])
{
    uint8_t wrapped[WRAPPED_KEY];
    enum err e = audit_wrapping->wrap(root_place(db), key, wrapped);

    if (e != OK) {
        log_world("the audit key of tenant %s cannot be wrapped: %s", db->tenant, err_meaning(e));
        return ERR_UNAVAILABLE;
    }
    return db_run(db, &subject_root_put, NULL,
                  PARAMS(P_TEXT(db->tenant), P_INT(number), P_TEXT(audit_wrapping->current()),
                         P_BYTES(wrapped, WRAPPED_KEY)));
}

/* Not from memory: what a key is wrapped under must be on record. */
static enum err take_root(struct db *db, uint8_t key[SEAL_KEY])
{
    enum err e = read_root(db, key);

    if (e != ERR_NOT_FOUND)
        return e;
    random_bytes(key, SEAL_KEY);
    TRY(put_root(db, 1, key));
    e = read_root(db, key);
    return e == ERR_NOT_FOUND ? ERR_UNAVAILABLE : e;
}

enum err subject_root_rewrap(struct db *db, bool *changed)
{
    const struct root_row *row = NULL;
    uint8_t key[SEAL_KEY];
    struct rows rows;
    enum err e;

    *changed = false;
    TRY(read_roots(db, &rows));
    if (rows.count == 0)
        return OK;
    TRY(open_root(db, &rows, &row, key));
    *changed = strcmp(row->kek, audit_wrapping->current()) != 0;
    e = *changed ? put_root(db, ((const struct root_row *)rows.items)->number + 1, key) : OK;
    OPENSSL_cleanse(key, sizeof(key));
    return e;
}

struct key_row {
    const char *id;
    const char *wrapped; /* hexadecimal */
    bool own;
};

static const struct field key_fields[] = {
    TEXT(struct key_row, id, 36),
    TEXT(struct key_row, wrapped, WRAPPED_TEXT),
    BOOL(struct key_row, own),
    FIELDS_END,
};

QUERY(subject_key_live, "SELECT id, wrapped, " IS_OWN " FROM audit_subject_key"
                        " WHERE tenant_id = $1::uuid AND subject = $2 AND wrapped IS NOT NULL");
QUERY(subject_key_put, "INSERT INTO audit_subject_key (tenant_id, id, subject, wrapped)"
                       " VALUES ($1::uuid, $2::uuid, $3, $4)"
                       " ON CONFLICT (tenant_id, subject) WHERE wrapped IS NOT NULL DO NOTHING");

static const char *key_place(struct db *db, const char *id, const char *subject)
{
    return arena_printf(db->arena, "v1|%s|%s|%s|audit-subject", db->tenant, id, subject);
}

enum err subject_key_open(struct db *db, const char *id, const char *subject, const char *wrapped,
                          uint8_t out[SEAL_KEY])
{
    uint8_t bytes[WRAPPED_KEY], root[SEAL_KEY];
    enum err e = find_root(db, root);

    if (e == ERR_NOT_FOUND) /* a key without its root */
        return ERR_CONTENT;
    TRY(e);
    e = wrapped_bytes(wrapped, bytes)
            ? unseal(root, key_place(db, id, subject), bytes, WRAPPED_KEY, out)
            : ERR_CONTENT;
    OPENSSL_cleanse(root, sizeof(root));
    return e == OK ? OK : ERR_CONTENT;
}

/* From the database. */
static enum err read_key(struct db *db, const char *subject, struct subject_key *out)
{
    struct key_row row;
    enum err e;

    TRY(db_one(db, &subject_key_live, key_fields, &row,
               PARAMS(P_TEXT(db->tenant), P_TEXT(subject))));
    e = subject_key_open(db, row.id, subject, row.wrapped, out->key);
    if (e == ERR_CONTENT) {
        log_world("audit key %s of tenant %s is not as it was made", row.id, db->tenant);
        return ERR_UNAVAILABLE;
    }
    TRY(e);
    (void)snprintf(out->id, sizeof(out->id), "%s", row.id);
    if (!row.own)
        key_cache_put(db->tenant, subject, out);
    return OK;
}

enum err subject_key_find(struct db *db, const char *subject, struct subject_key *out)
{
    return key_cache_find(db->tenant, subject, out) ? OK : read_key(db, subject, out);
}

static enum err make_key(struct db *db, const char *subject)
{
    uint8_t key[SEAL_KEY], root[SEAL_KEY], wrapped[WRAPPED_KEY];
    char id[ID_SIZE];
    enum err e;

    TRY(take_root(db, root));
    id_new(id);
    random_bytes(key, sizeof(key));
    e = seal(root, key_place(db, id, subject), key, sizeof(key), wrapped);
    OPENSSL_cleanse(key, sizeof(key));
    OPENSSL_cleanse(root, sizeof(root));
    TRY(e);
    return db_run(
        db, &subject_key_put, NULL,
        PARAMS(P_TEXT(db->tenant), P_TEXT(id), P_TEXT(subject), P_BYTES(wrapped, sizeof(wrapped))));
}

enum err subject_key_take(struct db *db, const char *subject, struct subject_key *out)
{
    enum err e;

    if (db->attempt == 0 && key_cache_find(db->tenant, subject, out))
        return OK;
    key_cache_forget(db->tenant, subject);
    e = read_key(db, subject, out);
    if (e != ERR_NOT_FOUND)
        return e;
    TRY(make_key(db, subject));
    e = read_key(db, subject, out);
    return e == ERR_NOT_FOUND ? ERR_RETRY : e; /* destroyed as it was made */
}
