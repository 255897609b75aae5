/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/access/custom_role.h"

static const struct field columns[] = {
    NAME(struct custom_role, name),
    TEXT(struct custom_role, description, 500),
    TEXTS(struct custom_role, actions, 100),
    TEXTS(struct custom_role, not_actions, 100),
    TEXTS(struct custom_role, data_actions, 100),
    TEXTS(struct custom_role, not_data_actions, 100),
    TEXTS(struct custom_role, scopes, 3),
    TEXTS(struct custom_role, expanded, 1000),
    TEXT(struct custom_role, catalogue, 64),
    INT(struct custom_role, revision, 1, INT64_MAX),
    TEXT(struct custom_role, created_by, 63),
    TIME(struct custom_role, updated_at),
    FIELDS_END,
};

#define CUSTOM_ROLE_SELECT                                                                         \
    "SELECT r.name, r.description, r.actions, r.not_actions, r.data_actions, r.not_data_actions,"  \
    " r.scopes, r.expanded, r.catalogue, r.revision, coalesce(c.name, '') AS created_by,"          \
    " r.updated_at FROM custom_role r"                                                             \
    " LEFT JOIN principal c ON c.tenant_id = r.tenant_id AND c.id = r.created_by"                  \
    " WHERE r.tenant_id = current_tenant()"

QUERY(custom_role_find_sql, CUSTOM_ROLE_SELECT " AND r.name = $1");
QUERY(custom_role_list_sql, CUSTOM_ROLE_SELECT " ORDER BY r.name");

enum err custom_role_find(struct db *db, const char *name, struct custom_role *out)
{
    return db_one(db, &custom_role_find_sql, columns, out, PARAMS(P_TEXT(name)));
}

enum err custom_role_list(struct db *db, struct rows *out)
{
    return db_list(db, &custom_role_list_sql, columns, sizeof(struct custom_role), out, NO_PARAMS);
}

QUERY(custom_role_put_sql,
      "INSERT INTO custom_role (tenant_id, name, description, actions, not_actions, data_actions,"
      " not_data_actions, scopes, expanded, catalogue, created_by)"
      " VALUES (current_tenant(), $1, $2, $3, $4, $5, $6, $7, $8, $9, $10::uuid)"
      " ON CONFLICT ON CONSTRAINT custom_role_key DO UPDATE SET description = $2, actions = $3,"
      " not_actions = $4, data_actions = $5, not_data_actions = $6, scopes = $7, expanded = $8,"
      " catalogue = $9, updated_at = now(), revision = custom_role.revision + 1");

#define LISTED(list) P_TEXTS((list).items, (list).count)

enum err custom_role_put(struct db *db, const struct custom_role *r, const char *by)
{
    return db_change(db, &custom_role_put_sql,
                     PARAMS(P_TEXT(r->name), P_TEXT(r->description), LISTED(r->actions),
                            LISTED(r->not_actions), LISTED(r->data_actions),
                            LISTED(r->not_data_actions), LISTED(r->scopes), LISTED(r->expanded),
                            P_TEXT(r->catalogue), P_TEXT(by)));
}

QUERY(custom_role_delete_sql,
      "DELETE FROM custom_role WHERE tenant_id = current_tenant() AND name = $1");

enum err custom_role_delete(struct db *db, const char *name)
{
    return db_change(db, &custom_role_delete_sql, PARAMS(P_TEXT(name)));
}

QUERY(custom_role_used_sql,
      "SELECT FROM binding WHERE tenant_id = current_tenant() AND role = $1"
      " AND (valid_until IS NULL OR valid_until > now())"
      " UNION ALL SELECT FROM eligible WHERE tenant_id = current_tenant() AND role = $1"
      " UNION ALL SELECT FROM duty WHERE tenant_id = current_tenant() AND $1 = ANY(roles) LIMIT 1");

enum err custom_role_used(struct db *db, const char *name, bool *used)
{
    PGresult *rows;

    TRY(db_rows(db, &custom_role_used_sql, &rows, PARAMS(P_TEXT(name))));
    *used = PQntuples(rows) > 0;
    return OK;
}
