/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/binding.h"

const struct field binding_fields[] = {
    TEXT(struct binding, id, 36),          NAME(struct binding, principal),
    TEXT(struct binding, role, 63),        TEXT(struct binding, scope, 10),
    OPT_TEXT(struct binding, project, 63), TIME(struct binding, valid_from),
    OPT_TIME(struct binding, valid_until), OPT_TEXT(struct binding, created_by, 63),
    TIME(struct binding, created_at),      FIELDS_END,
};

static const struct field columns[] = {
    TEXT(struct binding, id, 36),           NAME(struct binding, principal),
    TEXT(struct binding, principal_id, 36), TEXT(struct binding, role, 63),
    TEXT(struct binding, scope, 10),        TEXT(struct binding, project, 63),
    TEXT(struct binding, project_id, 36),   TIME(struct binding, valid_from),
    TIME(struct binding, valid_until),      TEXT(struct binding, created_by, 63),
    TIME(struct binding, created_at),       FIELDS_END,
};

#define BINDING_SELECT                                                                             \
    "SELECT b.id, p.name AS principal, b.principal_id, b.role, b.scope, j.name AS project,"        \
    " b.project_id, b.valid_from, b.valid_until, c.name AS created_by, b.created_at"               \
    " FROM binding b"                                                                              \
    " JOIN principal p ON p.tenant_id = b.tenant_id AND p.id = b.principal_id"                     \
    " LEFT JOIN principal c ON c.tenant_id = b.tenant_id AND c.id = b.created_by"                  \
    " LEFT JOIN project j ON j.tenant_id = b.tenant_id AND j.id = b.project_id"                    \
    " WHERE b.tenant_id = current_tenant()"

QUERY(binding_find_sql, BINDING_SELECT " AND b.id = $1::uuid");

enum err binding_find(struct db *db, const char *id, struct binding *out)
{
    return db_one(db, &binding_find_sql, columns, out, PARAMS(P_TEXT(id)));
}

QUERY(binding_list_sql,
      BINDING_SELECT " AND ($1::text IS NULL OR p.name = $1) AND ($2::text IS NULL OR j.name = $2)"
                     " AND ($3::uuid IS NULL OR b.id > $3::uuid) ORDER BY b.id LIMIT $4::bigint");

enum err binding_list(struct db *db, const char *principal, const char *project, const char *after,
                      int64_t limit, struct rows *out)
{
    return db_list(db, &binding_list_sql, columns, sizeof(struct binding), out,
                   PARAMS(P_TEXT(principal), P_TEXT(project), P_TEXT(after), P_INT(limit)));
}

QUERY(binding_sweep_sql,
      "DELETE FROM binding WHERE tenant_id = current_tenant() AND principal_id = $1::uuid"
      " AND role = $2 AND scope = $3 AND project_id IS NOT DISTINCT FROM $4::uuid"
      " AND valid_until <= now()");
QUERY(binding_insert_sql,
      "INSERT INTO binding (tenant_id, id, principal_id, role, scope, project_id, valid_until,"
      " created_by) VALUES (current_tenant(), $1::uuid, $2::uuid, $3, $4, $5::uuid,"
      " $6::timestamptz, $7::uuid)");

enum err binding_insert(struct db *db, const struct binding *b, const char *by)
{
    TRY(db_run(
        db, &binding_sweep_sql, NULL,
        PARAMS(P_TEXT(b->principal_id), P_TEXT(b->role), P_TEXT(b->scope), P_TEXT(b->project_id))));
    return db_change(db, &binding_insert_sql,
                     PARAMS(P_TEXT(b->id), P_TEXT(b->principal_id), P_TEXT(b->role),
                            P_TEXT(b->scope), P_TEXT(b->project_id), P_TEXT(b->valid_until),
                            P_TEXT(by)));
}

QUERY(binding_delete_sql,
      "DELETE FROM binding WHERE tenant_id = current_tenant() AND id = $1::uuid");

enum err binding_delete(struct db *db, const char *id)
{
    return db_change(db, &binding_delete_sql, PARAMS(P_TEXT(id)));
}
