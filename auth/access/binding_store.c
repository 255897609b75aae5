/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/access/binding.h"

#define SHOWN                                                                                      \
    TEXT(struct binding, id, 36), OPT_NAME(struct binding, principal),                             \
        OPT_NAME(struct binding, group), TEXT(struct binding, role, 63),                           \
        TEXT(struct binding, scope, 10), OPT_TEXT(struct binding, project, 63),                    \
        OPT_TEXT(struct binding, asset, 80), OPT_TEXT(struct binding, condition, 500),             \
        TIME(struct binding, valid_from), OPT_TIME(struct binding, valid_until),                   \
        OPT_TEXT(struct binding, created_by, 63), TIME(struct binding, created_at)

const struct field binding_fields[] = {SHOWN, FIELDS_END};

static const struct field columns[] = {
    SHOWN,
    TEXT(struct binding, principal_id, 36),
    TEXT(struct binding, group_id, 36),
    TEXT(struct binding, project_id, 36),
    TEXT(struct binding, eligible_id, 36),
    FIELDS_END,
};

#define BINDING_SELECT                                                                             \
    "SELECT b.id, p.name AS principal, b.principal_id, g.name AS group, b.group_id, b.role,"       \
    " b.scope, j.name AS project, b.project_id, b.asset, b.condition, b.eligible_id,"              \
    " b.valid_from, b.valid_until, c.name AS created_by, b.created_at"                             \
    " FROM binding b"                                                                              \
    " LEFT JOIN principal p ON p.tenant_id = b.tenant_id AND p.id = b.principal_id"                \
    " LEFT JOIN principal_group g ON g.tenant_id = b.tenant_id AND g.id = b.group_id"              \
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
                     " AND ($3::uuid IS NULL OR b.id > $3::uuid)"
                     " AND ($5::text IS NULL OR g.name = $5) ORDER BY b.id LIMIT $4::bigint");

enum err binding_list(struct db *db, const struct binding_search *s, struct rows *out)
{
    return db_list(db, &binding_list_sql, columns, sizeof(struct binding), out,
                   PARAMS(P_TEXT(s->principal), P_TEXT(s->project), P_TEXT(s->after),
                          P_INT(s->limit), P_TEXT(s->group)));
}

QUERY(binding_sweep_sql,
      "DELETE FROM binding WHERE tenant_id = current_tenant()"
      " AND coalesce(principal_id, group_id) = coalesce($1, $2)::uuid AND role = $3 AND scope = $4"
      " AND project_id IS NOT DISTINCT FROM $5::uuid AND asset IS NOT DISTINCT FROM $6"
      " AND valid_until <= now()");
QUERY(binding_insert_sql,
      "INSERT INTO binding (tenant_id, id, principal_id, group_id, role, scope, project_id, asset,"
      " condition, valid_until, eligible_id, created_by) VALUES (current_tenant(), $1::uuid,"
      " $2::uuid, $3::uuid, $4, $5, $6::uuid, $7, $8, $9::timestamptz, $10::uuid, $11::uuid)");

enum err binding_insert(struct db *db, const struct binding *b, const char *by)
{
    TRY(db_run(db, &binding_sweep_sql, NULL,
               PARAMS(P_TEXT(b->principal_id), P_TEXT(b->group_id), P_TEXT(b->role),
                      P_TEXT(b->scope), P_TEXT(b->project_id), P_TEXT(b->asset))));
    return db_change(db, &binding_insert_sql,
                     PARAMS(P_TEXT(b->id), P_TEXT(b->principal_id), P_TEXT(b->group_id),
                            P_TEXT(b->role), P_TEXT(b->scope), P_TEXT(b->project_id),
                            P_TEXT(b->asset), P_TEXT(b->condition), P_TEXT(b->valid_until),
                            P_TEXT(b->eligible_id), P_TEXT(by)));
}

QUERY(binding_delete_sql,
      "DELETE FROM binding WHERE tenant_id = current_tenant() AND id = $1::uuid");

enum err binding_delete(struct db *db, const char *id)
{
    return db_change(db, &binding_delete_sql, PARAMS(P_TEXT(id)));
}
