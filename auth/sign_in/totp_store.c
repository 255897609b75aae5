/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/sign_in/totp_store.h"

#include "auth/oauth/opaque.h"

#include <openssl/crypto.h>
#include <string.h>

enum { SEALED = TOTP_SECRET + SEAL_OVERHEAD, RECOVERY_BYTES = 10 };

struct totp {
    const char *sealed;
    int64_t last_step;
    bool confirmed;
};
static const struct field columns[] = {
    TEXT(struct totp, sealed, INT64_C(2) * SEALED),
    INT(struct totp, last_step, 0, INT64_MAX),
    BOOL(struct totp, confirmed),
    FIELDS_END,
};

static const char *place(struct db *db, const char *principal_id)
{
    return arena_printf(db->arena, "totp %s", principal_id);
}

QUERY(totp_begin_sql,
      "INSERT INTO totp (tenant_id, principal_id, sealed) VALUES (current_tenant(), $1::uuid, $2)"
      " ON CONFLICT ON CONSTRAINT totp_key DO UPDATE SET sealed = $2, last_step = 0"
      " WHERE totp.confirmed_at IS NULL");

enum err totp_begin(struct db *db, const char *principal_id, const uint8_t secret[TOTP_SECRET])
{
    uint8_t key[SEAL_KEY];
    uint8_t sealed[SEALED];
    enum err e;

    opaque_key("totp", key);
    e = seal(key, place(db, principal_id), secret, TOTP_SECRET, sealed);
    OPENSSL_cleanse(key, sizeof(key));
    TRY(e);
    e = db_change(db, &totp_begin_sql, PARAMS(P_TEXT(principal_id), P_BYTES(sealed, SEALED)));
    return e == ERR_NOT_FOUND ? ERR_EXISTS : e;
}

QUERY(totp_lock_sql, "SELECT sealed, last_step, confirmed_at IS NOT NULL AS confirmed FROM totp"
                     " WHERE tenant_id = current_tenant() AND principal_id = $1::uuid FOR UPDATE");
QUERY(totp_step_sql, "UPDATE totp SET last_step = $2::bigint, confirmed_at ="
                     " coalesce(confirmed_at, now()) WHERE tenant_id = current_tenant()"
                     " AND principal_id = $1::uuid");

/* The code's step, which is spent with it. */
static enum err spend(struct db *db, const char *principal_id, const struct totp *t,
                      const char *code)
{
    uint8_t key[SEAL_KEY];
    uint8_t sealed[SEALED];
    uint8_t secret[TOTP_SECRET];
    int64_t step;
    enum err e;

    if (strlen(t->sealed) != (size_t)2 * SEALED || !hex_decode(t->sealed, sealed, SEALED))
        return ERR_INTERNAL;
    opaque_key("totp", key);
    e = unseal(key, place(db, principal_id), sealed, SEALED, secret);
    OPENSSL_cleanse(key, sizeof(key));
    TRY(e);
    step = totp_match(secret, TOTP_SECRET, time_now_ms() / 1000, t->last_step, code);
    OPENSSL_cleanse(secret, sizeof(secret));
    if (step < 0)
        return ERR_CREDENTIALS;
    return db_change(db, &totp_step_sql, PARAMS(P_TEXT(principal_id), P_INT(step)));
}

enum err totp_confirm(struct db *db, const char *principal_id, const char *code)
{
    struct totp t;

    TRY(db_one(db, &totp_lock_sql, columns, &t, PARAMS(P_TEXT(principal_id))));
    return t.confirmed ? ERR_NOT_FOUND : spend(db, principal_id, &t, code);
}

QUERY(recovery_clear_sql, "DELETE FROM recovery_code WHERE tenant_id = current_tenant()"
                          " AND principal_id = $1::uuid");
QUERY(recovery_insert_sql, "INSERT INTO recovery_code (tenant_id, principal_id, hash)"
                           " VALUES (current_tenant(), $1::uuid, $2)");

enum err recovery_codes_make(struct db *db, const char *principal_id,
                             const char *codes[RECOVERY_CODES])
{
    TRY(db_run(db, &recovery_clear_sql, NULL, PARAMS(P_TEXT(principal_id))));
    for (size_t i = 0; i < RECOVERY_CODES; i++) {
        uint8_t bytes[RECOVERY_BYTES];
        char hex[2 * RECOVERY_BYTES + 1];
        struct digest hash;

        random_bytes(bytes, sizeof(bytes));
        hex_encode(bytes, sizeof(bytes), hex);
        codes[i] = arena_text(db->arena, hex);
        hash = sha256_of(hex, strlen(hex));
        TRY(db_change(db, &recovery_insert_sql,
                      PARAMS(P_TEXT(principal_id), P_BYTES(hash.bytes, SHA256_SIZE))));
    }
    return OK;
}

QUERY(recovery_use_sql, "UPDATE recovery_code SET used_at = now() WHERE tenant_id ="
                        " current_tenant() AND principal_id = $1::uuid AND hash = $2"
                        " AND used_at IS NULL");

static enum err use_recovery(struct db *db, const char *principal_id, const char *code)
{
    struct digest hash = sha256_of(code, strlen(code));

    return db_change(db, &recovery_use_sql,
                     PARAMS(P_TEXT(principal_id), P_BYTES(hash.bytes, SHA256_SIZE)));
}

enum err totp_use(struct db *db, const char *principal_id, const char *code, const char **amr)
{
    bool recovery = strlen(code) != TOTP_DIGITS;
    struct totp t = {.confirmed = false};
    enum err e = recovery ? use_recovery(db, principal_id, code)
                          : db_one(db, &totp_lock_sql, columns, &t, PARAMS(P_TEXT(principal_id)));

    *amr = recovery ? "pwd kba mfa" : "pwd otp mfa";
    if (e == ERR_NOT_FOUND || (e == OK && !recovery && !t.confirmed))
        return ERR_CREDENTIALS;
    return e != OK || recovery ? e : spend(db, principal_id, &t, code);
}

QUERY(recovery_sweep_sql,
      "DELETE FROM recovery_code WHERE tenant_id = current_tenant() AND principal_id = $1::uuid"
      " AND NOT EXISTS (SELECT FROM totp WHERE tenant_id = current_tenant() AND principal_id ="
      " $1::uuid AND confirmed_at IS NOT NULL) AND NOT EXISTS (SELECT FROM webauthn_credential"
      " WHERE tenant_id = current_tenant() AND principal_id = $1::uuid)");

enum err recovery_codes_sweep(struct db *db, const char *principal_id)
{
    return db_run(db, &recovery_sweep_sql, NULL, PARAMS(P_TEXT(principal_id)));
}

QUERY(totp_remove_sql, "DELETE FROM totp WHERE tenant_id = current_tenant()"
                       " AND principal_id = $1::uuid");
QUERY(webauthn_remove_sql, "DELETE FROM webauthn_credential WHERE tenant_id = current_tenant()"
                           " AND principal_id = $1::uuid");

enum err totp_remove(struct db *db, const char *principal_id)
{
    TRY(db_run(db, &totp_remove_sql, NULL, PARAMS(P_TEXT(principal_id))));
    return recovery_codes_sweep(db, principal_id);
}

enum err factors_remove(struct db *db, const char *principal_id)
{
    TRY(db_run(db, &webauthn_remove_sql, NULL, PARAMS(P_TEXT(principal_id))));
    return totp_remove(db, principal_id);
}
