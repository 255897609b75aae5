/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/sign_in/passkey.h"

#include "auth/sign_in/authenticator.h"
#include "auth/sign_in/totp_store.h"

#include <string.h>

const struct field passkey_fields[] = {
    TEXT(struct passkey, id, 36),           TEXT(struct passkey, name, PASSKEY_NAME_MAX),
    BOOL(struct passkey, synced),           TIME(struct passkey, created_at),
    OPT_TIME(struct passkey, last_used_at), FIELDS_END,
};

#define PASSKEY_COLUMNS "id, name, synced, created_at, last_used_at"

QUERY(passkey_list_sql, "SELECT " PASSKEY_COLUMNS " FROM webauthn_credential"
                        " WHERE tenant_id = current_tenant() AND principal_id = $1::uuid"
                        " ORDER BY id");

enum err passkey_list(struct db *db, const char *principal_id, struct rows *out)
{
    return db_list(db, &passkey_list_sql, passkey_fields, sizeof(struct passkey), out,
                   PARAMS(P_TEXT(principal_id)));
}

QUERY(passkey_insert_sql,
      "INSERT INTO webauthn_credential (tenant_id, id, principal_id, name, credential_id, public,"
      " algorithm, counter, synced) SELECT current_tenant(), $1::uuid, $2::uuid, $3, $4, $5,"
      " $6::bigint, $7::bigint, $8::boolean WHERE (SELECT count(*) FROM webauthn_credential"
      " WHERE tenant_id = current_tenant() AND principal_id = $2::uuid) < $9::bigint"
      " RETURNING " PASSKEY_COLUMNS);

enum err passkey_insert(struct db *db, const char *principal_id, const char *name,
                        const struct webauthn_credential *c, struct passkey *out)
{
    char id[ID_SIZE];
    enum err e;

    id_new(id);
    e = db_one(db, &passkey_insert_sql, passkey_fields, out,
               PARAMS(P_TEXT(id), P_TEXT(principal_id), P_TEXT(name), P_BYTES(c->id, c->id_length),
                      P_BYTES(c->key, c->key_length), P_INT(c->algorithm), P_INT(c->counter),
                      P_BOOL(c->backup_eligible), P_INT(PASSKEYS_MAX)));
    return e == ERR_NOT_FOUND ? ERR_CONFLICT : e;
}

QUERY(passkey_rename_sql, "UPDATE webauthn_credential SET name = $3"
                          " WHERE tenant_id = current_tenant() AND principal_id = $1::uuid"
                          " AND id = $2::uuid RETURNING " PASSKEY_COLUMNS);

enum err passkey_rename(struct db *db, const char *principal_id, const char *id, const char *name,
                        struct passkey *out)
{
    return db_one(db, &passkey_rename_sql, passkey_fields, out,
                  PARAMS(P_TEXT(principal_id), P_TEXT(id), P_TEXT(name)));
}

QUERY(passkey_delete_sql, "DELETE FROM webauthn_credential WHERE tenant_id = current_tenant()"
                          " AND principal_id = $1::uuid AND id = $2::uuid");

enum err passkey_delete(struct db *db, const char *principal_id, const char *id)
{
    TRY(db_change(db, &passkey_delete_sql, PARAMS(P_TEXT(principal_id), P_TEXT(id))));
    return recovery_codes_sweep(db, principal_id);
}

struct descriptor {
    const char *credential_id;
};
static const struct field descriptor_columns[] = {
    TEXT(struct descriptor, credential_id, INT64_C(2) * CREDENTIAL_ID_MAX), FIELDS_END};

QUERY(passkey_descriptors_sql, "SELECT credential_id FROM webauthn_credential"
                               " WHERE tenant_id = current_tenant() AND principal_id = $1::uuid"
                               " ORDER BY id");

enum err passkey_descriptors(struct db *db, const char *principal_id, json_t **out)
{
    const struct descriptor *all;
    struct rows rows;

    TRY(db_list(db, &passkey_descriptors_sql, descriptor_columns, sizeof(*all), &rows,
                PARAMS(P_TEXT(principal_id))));
    all = rows.items;
    *out = json_array();
    for (size_t i = 0; i < rows.count; i++) {
        uint8_t id[CREDENTIAL_ID_MAX];
        size_t length = strlen(all[i].credential_id) / 2;

        if (length <= sizeof(id) && hex_decode(all[i].credential_id, id, length))
            json_array_append_new(*out, json_pack("{s:s,s:s}", "type", "public-key", "id",
                                                  base64url_encode(db->arena, id, length)));
    }
    return OK;
}
