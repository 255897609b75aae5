/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/principal.h"

const struct field principal_fields[] = {
    TEXT(struct principal, id, 36),
    NAME(struct principal, name),
    TEXT(struct principal, kind, 10),
    OPT_TEXT(struct principal, display_name, 200),
    OPT_TEXT(struct principal, email, 254),
    TEXT(struct principal, state, 10),
    OPT_TEXT(struct principal, owner, 63),
    TIME(struct principal, created_at),
    FIELDS_END,
};

static const struct field columns[] = {
    TEXT(struct principal, id, 36),
    NAME(struct principal, name),
    TEXT(struct principal, kind, 10),
    TEXT(struct principal, display_name, 200),
    TEXT(struct principal, email, 254),
    TEXT(struct principal, state, 10),
    TEXT(struct principal, owner, 63),
    TEXT(struct principal, owner_id, 36),
    TIME(struct principal, created_at),
    TEXT(struct principal, password_hash, 200),
    FIELDS_END,
};

#define PRINCIPAL_SELECT                                                                           \
    "SELECT p.id, p.name, p.kind, p.display_name, p.email, p.state, o.name AS owner, p.owner_id,"  \
    " p.created_at, p.password_hash"                                                               \
    " FROM principal p LEFT JOIN principal o ON o.tenant_id = p.tenant_id AND o.id = p.owner_id"   \
    " WHERE p.tenant_id = current_tenant() AND p.kind = coalesce($1, p.kind)"

QUERY(principal_find_sql, PRINCIPAL_SELECT " AND p.name = $2");
QUERY(principal_lock_sql, PRINCIPAL_SELECT " AND p.name = $2 FOR UPDATE OF p");

enum err principal_find(struct db *db, const char *kind, const char *name, struct principal *out)
{
    return db_one(db, &principal_find_sql, columns, out, PARAMS(P_TEXT(kind), P_TEXT(name)));
}

enum err principal_lock(struct db *db, const char *kind, const char *name, struct principal *out)
{
    return db_one(db, &principal_lock_sql, columns, out, PARAMS(P_TEXT(kind), P_TEXT(name)));
}

QUERY(principal_list_sql,
      PRINCIPAL_SELECT " AND p.name > coalesce($2, '') ORDER BY p.name LIMIT $3::bigint");

enum err principal_list(struct db *db, const char *kind, const char *after, int64_t limit,
                        struct rows *out)
{
    return db_list(db, &principal_list_sql, columns, sizeof(struct principal), out,
                   PARAMS(P_TEXT(kind), P_TEXT(after), P_INT(limit)));
}

QUERY(principal_insert_sql,
      "INSERT INTO principal (tenant_id, id, name, kind, display_name, email, owner_id,"
      " password_hash, created_by)"
      " VALUES (current_tenant(), $1::uuid, $2, $3, $4, $5, $6::uuid, $7, $8::uuid)");

enum err principal_insert(struct db *db, const struct principal *p, const char *by)
{
    return db_change(db, &principal_insert_sql,
                     PARAMS(P_TEXT(p->id), P_TEXT(p->name), P_TEXT(p->kind),
                            P_TEXT(p->display_name), P_TEXT(p->email), P_TEXT(p->owner_id),
                            P_TEXT(p->password_hash), P_TEXT(by)));
}

/* Two statements, since only a change of state or owner moves the epoch. */
QUERY(principal_update_sql, "UPDATE principal SET display_name = $2, email = $3, password_hash = $4"
                            " WHERE tenant_id = current_tenant() AND id = $1::uuid");
QUERY(principal_update_state_sql, "UPDATE principal SET state = $2, owner_id = $3::uuid"
                                  " WHERE tenant_id = current_tenant() AND id = $1::uuid"
                                  " AND (state, owner_id) IS DISTINCT FROM ($2, $3::uuid)");

enum err principal_update(struct db *db, const struct principal *p)
{
    TRY(db_change(db, &principal_update_sql,
                  PARAMS(P_TEXT(p->id), P_TEXT(p->display_name), P_TEXT(p->email),
                         P_TEXT(p->password_hash))));
    return db_run(db, &principal_update_state_sql, NULL,
                  PARAMS(P_TEXT(p->id), P_TEXT(p->state), P_TEXT(p->owner_id)));
}

QUERY(principal_end_tokens_sql, "UPDATE principal SET tokens_since = $2::timestamptz"
                                " WHERE tenant_id = current_tenant() AND id = $1::uuid");

/* By our clock, as the tokens are. */
enum err principal_end_tokens(struct db *db, const struct principal *p)
{
    char now[TIME_SIZE];

    time_format(time_now_ms(), now);
    return db_change(db, &principal_end_tokens_sql, PARAMS(P_TEXT(p->id), P_TEXT(now)));
}

QUERY(principal_admins_sql,
      "SELECT 1 FROM binding b JOIN principal p ON p.tenant_id = b.tenant_id"
      " AND p.id = b.principal_id WHERE b.tenant_id = current_tenant()"
      " AND b.role = 'tenant-admin' AND b.scope = 'tenant' AND b.valid_until IS NULL"
      " AND b.condition IS NULL"
      " AND p.kind = 'user' AND p.state = 'active' LIMIT 1");

enum err principal_admin_remains(struct db *db)
{
    PGresult *rows;

    TRY(db_rows(db, &principal_admins_sql, &rows, NO_PARAMS));
    return PQntuples(rows) == 0 ? ERR_CONFLICT : OK;
}
