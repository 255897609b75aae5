/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/access_token.h"

#include "auth/access/snapshot.h"

#include <stdio.h>
#include <string.h>

enum {
    UUID_BYTES = 16,
    SECRET_BYTES = 32,
    PREFIX = 8,
    HEX = 32,
    SECRET_TEXT = 43,
    HASH_TEXT = 2 * SHA256_SIZE
};

const struct field access_token_fields[] = {
    TEXT(struct access_token, id, 36),
    TEXT(struct access_token, name, 100),
    NAME(struct access_token, principal),
    TIME(struct access_token, expires_at),
    OPT_TIME(struct access_token, last_used_at),
    TIME(struct access_token, created_at),
    FIELDS_END,
};

static const struct field columns[] = {
    TEXT(struct access_token, id, 36),
    TEXT(struct access_token, name, 100),
    NAME(struct access_token, principal),
    TEXT(struct access_token, principal_id, 36),
    TIME(struct access_token, expires_at),
    OPT_TIME(struct access_token, last_used_at),
    TIME(struct access_token, created_at),
    BOOL(struct access_token, revoked),
    FIELDS_END,
};

/* The id without its hyphens. */
static void pack(const char *id, char out[HEX + 1])
{
    size_t n = 0;

    for (; *id != '\0' && n < HEX; id++)
        if (*id != '-')
            out[n++] = *id;
    out[n] = '\0';
}

static void unpack(const char hex[HEX], char id[ID_SIZE])
{
    size_t n = 0;

    for (size_t i = 0; i < HEX; i++) {
        if (n == 8 || n == 13 || n == 18 || n == 23)
            id[n++] = '-';
        id[n++] = hex[i];
    }
    id[n] = '\0';
}

const char *access_token_make(struct arena *a, const char *id, struct digest *hash)
{
    uint8_t secret[SECRET_BYTES];
    char hex[HEX + 1];
    const char *text;

    random_bytes(secret, sizeof(secret));
    pack(id, hex);
    text = arena_printf(a, "%s%s%s", ACCESS_TOKEN_PREFIX, hex,
                        base64url_encode(a, secret, sizeof(secret)));
    *hash = sha256_of(text, strlen(text));
    return text;
}

bool access_token_parse(const char *text, char id[ID_SIZE])
{
    uint8_t bytes[SECRET_BYTES];

    if (strlen(text) != ACCESS_TOKEN_LENGTH || strncmp(text, ACCESS_TOKEN_PREFIX, PREFIX) != 0 ||
        strspn(text + PREFIX, "0123456789abcdef") < HEX ||
        base64url_decode(text + PREFIX + HEX, SECRET_TEXT, bytes, sizeof(bytes)) != SECRET_BYTES)
        return false;
    unpack(text + PREFIX, id);
    return id_valid(id);
}

struct opening {
    struct db *db;
    const char *id;
    const char *tenant_id;
    const char *hash; /* hexadecimal */
    const char *principal_id;
    int64_t expires_ms;
};

static const struct field opening_columns[] = {
    TEXT(struct opening, tenant_id, 36),
    TEXT(struct opening, hash, 64),
    FIELDS_END,
};

static const struct field opened_columns[] = {
    TEXT(struct opening, principal_id, 36),
    INT(struct opening, expires_ms, 0, INT64_MAX),
    FIELDS_END,
};

QUERY(access_token_find_sql, "SELECT tenant_id, hash FROM access_token_find($1::uuid)");

static enum err find_tenant(void *arg)
{
    struct opening *o = arg;

    return db_one(o->db, &access_token_find_sql, opening_columns, o, PARAMS(P_TEXT(o->id)));
}

QUERY(access_token_open_sql,
      "SELECT principal_id, (extract(epoch FROM expires_at) * 1000)::bigint AS expires_ms"
      " FROM access_token WHERE tenant_id = current_tenant() AND id = $1::uuid"
      " AND revoked_at IS NULL AND expires_at > now()");
QUERY(
    access_token_used_sql,
    "UPDATE access_token SET last_used_at = now() WHERE tenant_id = current_tenant()"
    " AND id = $1::uuid AND (last_used_at IS NULL OR last_used_at < now() - interval '1 minute')");

static enum err open_in_tenant(void *arg)
{
    struct opening *o = arg;

    TRY(db_one(o->db, &access_token_open_sql, opened_columns, o, PARAMS(P_TEXT(o->id))));
    return db_defer_any(o->db, &access_token_used_sql, PARAMS(P_TEXT(o->id)));
}

static bool hash_fits(const char *text, const char *kept)
{
    struct digest hash = sha256_of(text, strlen(text));
    struct digest wanted;

    return strlen(kept) == HASH_TEXT && hex_decode(kept, wanted.bytes, SHA256_SIZE) &&
           digest_equal(&hash, &wanted);
}

/* What is not there is no token. */
static enum err token_error(enum err e)
{
    return e == ERR_NOT_FOUND ? ERR_TOKEN : e;
}

enum err access_token_open(struct db *db, const char *text, struct claims *claims,
                           struct policy **policy)
{
    char id[ID_SIZE];
    struct opening o = {.db = db, .id = id};
    enum err e;

    *policy = NULL;
    if (!access_token_parse(text, id))
        return ERR_TOKEN;
    e = db_tx(db, TX_POINT, NULL, find_tenant, &o);
    if (e == OK && !hash_fits(text, o.hash))
        e = ERR_TOKEN;
    if (e == OK)
        e = snapshot_take(db, o.tenant_id, policy);
    if (e == OK)
        e = db_tx(db, TX_WRITE, o.tenant_id, open_in_tenant, &o);
    if (e != OK) {
        policy_drop(*policy);
        *policy = NULL;
        return token_error(e);
    }
    *claims = (struct claims){.kind = TOKEN_PERSONAL, .expires_ms = o.expires_ms};
    memcpy(claims->id, id, sizeof(id));
    (void)snprintf(claims->tenant_id, ID_SIZE, "%s", o.tenant_id);
    (void)snprintf(claims->principal, ID_SIZE, "%s", o.principal_id);
    return OK;
}

#define ACCESS_TOKEN_SELECT                                                                        \
    "SELECT t.id, t.name, p.name AS principal, t.principal_id, t.expires_at, t.last_used_at,"      \
    " t.created_at, t.revoked_at IS NOT NULL AS revoked"                                           \
    " FROM access_token t JOIN principal p ON p.tenant_id = t.tenant_id AND p.id = t.principal_id" \
    " WHERE t.tenant_id = current_tenant()"

QUERY(access_token_get_sql, ACCESS_TOKEN_SELECT " AND t.id = $1::uuid");

enum err access_token_find(struct db *db, const char *id, struct access_token *out)
{
    return db_one(db, &access_token_get_sql, columns, out, PARAMS(P_TEXT(id)));
}

QUERY(access_token_list_sql,
      ACCESS_TOKEN_SELECT " AND t.revoked_at IS NULL AND (p.id = $1::uuid OR p.owner_id = $1::uuid)"
                          " AND ($2::uuid IS NULL OR t.id < $2::uuid)"
                          " ORDER BY t.id DESC LIMIT $3::bigint");

enum err access_token_list(struct db *db, const char *by, const char *before, int64_t limit,
                           struct rows *out)
{
    return db_list(db, &access_token_list_sql, columns, sizeof(struct access_token), out,
                   PARAMS(P_TEXT(by), P_TEXT(before), P_INT(limit)));
}

QUERY(access_token_insert_sql,
      "INSERT INTO access_token (tenant_id, id, principal_id, name, hash, expires_at, created_by)"
      " VALUES (current_tenant(), $1::uuid, $2::uuid, $3, $4,"
      " now() + make_interval(secs => $5::bigint), $6::uuid)");

enum err access_token_insert(struct db *db, const struct access_token *t, const struct digest *hash,
                             int64_t seconds, const char *by)
{
    return db_change(db, &access_token_insert_sql,
                     PARAMS(P_TEXT(t->id), P_TEXT(t->principal_id), P_TEXT(t->name),
                            P_BYTES(hash->bytes, SHA256_SIZE), P_INT(seconds), P_TEXT(by)));
}

QUERY(access_token_revoke_sql,
      "UPDATE access_token SET revoked_at = now() WHERE tenant_id = current_tenant()"
      " AND id = $1::uuid AND revoked_at IS NULL");

enum err access_token_revoke(struct db *db, const char *id)
{
    return db_change(db, &access_token_revoke_sql, PARAMS(P_TEXT(id)));
}
