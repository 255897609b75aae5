/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/oauth/workload.h"

const struct field workload_fields[] = {
    TEXT(struct workload_trust, id, 36),
    NAME(struct workload_trust, name),
    TEXT(struct workload_trust, issuer, 500),
    TEXT(struct workload_trust, audience, 500),
    TEXT(struct workload_trust, subject, 500),
    OBJECT(struct workload_trust, claims),
    NAME(struct workload_trust, service_account),
    TIME(struct workload_trust, created_at),
    FIELDS_END,
};

static const struct field columns[] = {
    TEXT(struct workload_trust, id, 36),
    NAME(struct workload_trust, name),
    TEXT(struct workload_trust, issuer, 500),
    TEXT(struct workload_trust, audience, 500),
    TEXT(struct workload_trust, subject, 500),
    OBJECT(struct workload_trust, claims),
    NAME(struct workload_trust, service_account),
    TEXT(struct workload_trust, principal_id, 36),
    TEXT(struct workload_trust, state, 10),
    TIME(struct workload_trust, created_at),
    FIELDS_END,
};

#define WORKLOAD_SELECT                                                                            \
    "SELECT t.id, t.name, t.issuer, t.audience, t.subject, t.claims, p.name AS service_account,"   \
    " t.principal_id, p.state, t.created_at FROM workload_trust t"                                 \
    " JOIN principal p ON p.tenant_id = t.tenant_id AND p.id = t.principal_id"                     \
    " WHERE t.tenant_id = current_tenant()"

QUERY(workload_find_sql, WORKLOAD_SELECT " AND t.name = $1");
QUERY(workload_match_sql, WORKLOAD_SELECT " AND p.name = $1 AND t.issuer = $2 AND t.subject = $3");
QUERY(workload_list_sql,
      WORKLOAD_SELECT " AND t.name > coalesce($1, '') ORDER BY t.name LIMIT $2::bigint");

enum err workload_find(struct db *db, const char *name, struct workload_trust *out)
{
    return db_one(db, &workload_find_sql, columns, out, PARAMS(P_TEXT(name)));
}

enum err workload_match(struct db *db, const char *account, const char *issuer, const char *subject,
                        struct workload_trust *out)
{
    return db_one(db, &workload_match_sql, columns, out,
                  PARAMS(P_TEXT(account), P_TEXT(issuer), P_TEXT(subject)));
}

enum err workload_list(struct db *db, const char *after, int64_t limit, struct rows *out)
{
    return db_list(db, &workload_list_sql, columns, sizeof(struct workload_trust), out,
                   PARAMS(P_TEXT(after), P_INT(limit)));
}

QUERY(workload_insert_sql,
      "INSERT INTO workload_trust (tenant_id, id, name, issuer, audience, subject, claims,"
      " principal_id, created_by)"
      " VALUES (current_tenant(), $1::uuid, $2, $3, $4, $5, $6, $7::uuid, $8::uuid)");

enum err workload_insert(struct db *db, const struct workload_trust *t, const char *by)
{
    return db_change(db, &workload_insert_sql,
                     PARAMS(P_TEXT(t->id), P_TEXT(t->name), P_TEXT(t->issuer), P_TEXT(t->audience),
                            P_TEXT(t->subject), P_JSON(t->claims), P_TEXT(t->principal_id),
                            P_TEXT(by)));
}

QUERY(workload_delete_sql,
      "DELETE FROM workload_trust WHERE tenant_id = current_tenant() AND id = $1::uuid");

enum err workload_delete(struct db *db, const char *id)
{
    return db_change(db, &workload_delete_sql, PARAMS(P_TEXT(id)));
}
