/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/oauth/device.h"

#include <string.h>

static const char letters[] = "BCDFGHJKLMNPQRSTVWXZ";

static const struct field columns[] = {
    TEXT(struct device, id, 36),
    TEXT(struct device, hash, 64),
    TEXT(struct device, user_code, 8),
    TEXT(struct device, client_id, 36),
    TEXT(struct device, client, 200),
    TEXT(struct device, scope, 1000),
    TEXT(struct device, remote, 60),
    TEXT(struct device, state, 10),
    OPT_TEXT(struct device, parent_id, 36),
    INT(struct device, polled_ms, -1, INT64_MAX),
    INT(struct device, wait_seconds, 1, 3600),
    BOOL(struct device, expired),
    FIELDS_END,
};

bool user_code_read(const char *text, char out[USER_CODE + 1])
{
    size_t n = 0;

    for (; *text != '\0'; text++) {
        char c = (char)(*text >= 'a' && *text <= 'z' ? *text - 'a' + 'A' : *text);

        if (c == '-' || c == ' ')
            continue;
        if (n == USER_CODE || strchr(letters, c) == NULL)
            return false;
        out[n++] = c;
    }
    out[n] = '\0';
    return n == USER_CODE;
}

/* 240 is the greatest multiple of 20 in a byte: every letter is as likely as any other. */
void user_code_make(char out[USER_CODE + 1])
{
    size_t n = 0;

    while (n < USER_CODE) {
        uint8_t byte;

        random_bytes(&byte, 1);
        if (byte < 240)
            out[n++] = letters[byte % 20];
    }
    out[n] = '\0';
}

QUERY(device_sweep_sql, "DELETE FROM device_code WHERE tenant_id = current_tenant()"
                        " AND expires_at < now() - interval '10 minutes'");
QUERY(device_insert_sql,
      "INSERT INTO device_code (tenant_id, id, hash, user_code, client_id, scope, remote,"
      " expires_at) VALUES (current_tenant(), $1::uuid, $2, $3, $4::uuid, $5, $6,"
      " now() + interval '10 minutes')");

enum err device_insert(struct db *db, const struct opaque *handle, const struct device *d)
{
    TRY(db_run(db, &device_sweep_sql, NULL, NO_PARAMS));
    return db_change(db, &device_insert_sql,
                     PARAMS(P_TEXT(handle->id), P_BYTES(handle->hash.bytes, SHA256_SIZE),
                            P_TEXT(d->user_code), P_TEXT(d->client_id), P_TEXT(d->scope),
                            P_TEXT(d->remote)));
}

struct count {
    int64_t count;
};
static const struct field count_columns[] = {INT(struct count, count, 0, INT64_MAX), FIELDS_END};
QUERY(device_waiting_sql, "SELECT count(*) FROM device_code WHERE tenant_id = current_tenant()"
                          " AND remote = $1 AND state = 'waiting' AND expires_at > now()");

enum err device_waiting(struct db *db, const char *remote, int64_t *out)
{
    struct count c;

    TRY(db_one(db, &device_waiting_sql, count_columns, &c, PARAMS(P_TEXT(remote))));
    *out = c.count;
    return OK;
}

#define DEVICE_SELECT                                                                              \
    "SELECT d.id, d.hash, d.user_code, d.client_id,"                                               \
    " CASE WHEN c.display_name = '' THEN c.name ELSE c.display_name END AS client, d.scope,"       \
    " d.remote, d.state, d.parent_id,"                                                             \
    " coalesce((extract(epoch FROM clock_timestamp() - d.polled_at) * 1000)::bigint, -1)"          \
    " AS polled_ms, d.wait_seconds, d.expires_at < now() AS expired"                               \
    " FROM device_code d JOIN oauth_client c ON c.tenant_id = d.tenant_id AND c.id = d.client_id"  \
    " WHERE d.tenant_id = current_tenant()"

QUERY(device_find_sql, DEVICE_SELECT " AND d.id = $1::uuid");

enum err device_find(struct db *db, const char *id, struct device *out)
{
    return db_one(db, &device_find_sql, columns, out, PARAMS(P_TEXT(id)));
}

QUERY(device_by_user_code_sql, DEVICE_SELECT " AND d.user_code = $1 AND d.state = 'waiting'"
                                             " AND d.expires_at > now()");

enum err device_by_user_code(struct db *db, const char *user_code, struct device *out)
{
    return db_one(db, &device_by_user_code_sql, columns, out, PARAMS(P_TEXT(user_code)));
}

QUERY(device_decide_sql, "UPDATE device_code SET state = $2, parent_id = $3::uuid WHERE tenant_id ="
                         " current_tenant() AND id = $1::uuid AND state = 'waiting'"
                         " AND expires_at > now()");

enum err device_decide(struct db *db, const char *id, const char *state, const char *parent_id)
{
    return db_change(db, &device_decide_sql, PARAMS(P_TEXT(id), P_TEXT(state), P_TEXT(parent_id)));
}

QUERY(device_polled_sql, "UPDATE device_code SET polled_at = clock_timestamp(), wait_seconds ="
                         " $2::bigint WHERE tenant_id = current_tenant() AND id = $1::uuid");

enum err device_polled(struct db *db, const char *id, int64_t wait_seconds)
{
    return db_change(db, &device_polled_sql, PARAMS(P_TEXT(id), P_INT(wait_seconds)));
}

QUERY(device_spend_sql, "UPDATE device_code SET state = 'spent' WHERE tenant_id = current_tenant()"
                        " AND id = $1::uuid AND state = 'approved' AND expires_at > now()");

enum err device_spend(struct db *db, const char *id)
{
    return db_change(db, &device_spend_sql, PARAMS(P_TEXT(id)));
}
