/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/access/deny.h"

#define LISTED(list) P_TEXTS((list).items, (list).count)

const struct field deny_fields[] = {
    TEXT(struct deny, id, 36),          TEXTS(struct deny, principals, 100),
    TEXTS(struct deny, excluded, 100),  TEXTS(struct deny, actions, 100),
    TEXT(struct deny, scope, 10),       OPT_NAME(struct deny, project),
    OPT_TEXT(struct deny, asset, 80),   TEXT(struct deny, reason, 500),
    OPT_TIME(struct deny, valid_until), OPT_TEXT(struct deny, created_by, 63),
    TIME(struct deny, created_at),      FIELDS_END,
};

#define DENY_SELECT                                                                                \
    "SELECT d.id, d.principals, d.excluded, d.actions, d.scope, p.name AS project, d.asset,"       \
    " d.reason, d.valid_until, c.name AS created_by, d.created_at FROM deny d"                     \
    " LEFT JOIN project p ON p.tenant_id = d.tenant_id AND p.id = d.project_id"                    \
    " LEFT JOIN principal c ON c.tenant_id = d.tenant_id AND c.id = d.created_by"                  \
    " WHERE d.tenant_id = current_tenant()"

QUERY(deny_find_sql, DENY_SELECT " AND d.id = $1::uuid");
QUERY(deny_list_sql, DENY_SELECT " AND ($1::uuid IS NULL OR d.id > $1::uuid) ORDER BY d.id"
                                 " LIMIT $2::bigint");

enum err deny_find(struct db *db, const char *id, struct deny *out)
{
    return db_one(db, &deny_find_sql, deny_fields, out, PARAMS(P_TEXT(id)));
}

enum err deny_list(struct db *db, const char *after, int64_t limit, struct rows *out)
{
    return db_list(db, &deny_list_sql, deny_fields, sizeof(struct deny), out,
                   PARAMS(P_TEXT(after), P_INT(limit)));
}

QUERY(deny_insert_sql,
      "INSERT INTO deny (tenant_id, id, principals, excluded, holders, spared, actions, scope,"
      " project_id, asset, reason, valid_until, created_by) VALUES (current_tenant(), $1::uuid,"
      " $2, $3, $4::text[]::uuid[], $5::text[]::uuid[], $6, $7, $8::uuid, $9, $10,"
      " $11::timestamptz, $12::uuid)");

enum err deny_insert(struct db *db, const struct deny *d, const char *by)
{
    return db_change(db, &deny_insert_sql,
                     PARAMS(P_TEXT(d->id), LISTED(d->principals), LISTED(d->excluded),
                            LISTED(d->holders), LISTED(d->spared), LISTED(d->actions),
                            P_TEXT(d->scope), P_TEXT(d->project_id), P_TEXT(d->asset),
                            P_TEXT(d->reason), P_TEXT(d->valid_until), P_TEXT(by)));
}

QUERY(deny_delete_sql, "DELETE FROM deny WHERE tenant_id = current_tenant() AND id = $1::uuid");

enum err deny_delete(struct db *db, const char *id)
{
    return db_change(db, &deny_delete_sql, PARAMS(P_TEXT(id)));
}

const struct field ceiling_fields[] = {
    TEXT(struct ceiling, id, 36),
    NAME(struct ceiling, principal),
    TEXTS(struct ceiling, actions, 100),
    TEXT(struct ceiling, scope, 10),
    OPT_NAME(struct ceiling, project),
    OPT_TEXT(struct ceiling, asset, 80),
    OPT_TEXT(struct ceiling, created_by, 63),
    TIME(struct ceiling, created_at),
    FIELDS_END,
};

#define CEILING_SELECT                                                                             \
    "SELECT x.id, n.name AS principal, x.actions, x.scope, p.name AS project, x.asset,"            \
    " c.name AS created_by, x.created_at FROM ceiling x"                                           \
    " JOIN principal n ON n.tenant_id = x.tenant_id AND n.id = x.principal_id"                     \
    " LEFT JOIN project p ON p.tenant_id = x.tenant_id AND p.id = x.project_id"                    \
    " LEFT JOIN principal c ON c.tenant_id = x.tenant_id AND c.id = x.created_by"                  \
    " WHERE x.tenant_id = current_tenant()"

QUERY(ceiling_find_sql, CEILING_SELECT " AND x.id = $1::uuid");
QUERY(ceiling_list_sql, CEILING_SELECT " AND ($1::uuid IS NULL OR x.id > $1::uuid) ORDER BY x.id"
                                       " LIMIT $2::bigint");

enum err ceiling_find(struct db *db, const char *id, struct ceiling *out)
{
    return db_one(db, &ceiling_find_sql, ceiling_fields, out, PARAMS(P_TEXT(id)));
}

enum err ceiling_list(struct db *db, const char *after, int64_t limit, struct rows *out)
{
    return db_list(db, &ceiling_list_sql, ceiling_fields, sizeof(struct ceiling), out,
                   PARAMS(P_TEXT(after), P_INT(limit)));
}

QUERY(ceiling_insert_sql,
      "INSERT INTO ceiling (tenant_id, id, principal_id, actions, scope, project_id, asset,"
      " created_by) VALUES (current_tenant(), $1::uuid, $2::uuid, $3, $4, $5::uuid, $6, $7::uuid)");

enum err ceiling_insert(struct db *db, const struct ceiling *c, const char *by)
{
    return db_change(db, &ceiling_insert_sql,
                     PARAMS(P_TEXT(c->id), P_TEXT(c->principal_id), LISTED(c->actions),
                            P_TEXT(c->scope), P_TEXT(c->project_id), P_TEXT(c->asset), P_TEXT(by)));
}

QUERY(ceiling_delete_sql,
      "DELETE FROM ceiling WHERE tenant_id = current_tenant() AND id = $1::uuid");

enum err ceiling_delete(struct db *db, const char *id)
{
    return db_change(db, &ceiling_delete_sql, PARAMS(P_TEXT(id)));
}
