/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/access/duty.h"

#include "core/db.h"

const struct field duty_fields[] = {
    NAME(struct duty, name),        OPT_TEXT(struct duty, description, 500),
    TEXTS(struct duty, roles, 16),  INT(struct duty, at_most, 1, 15),
    BOOL(struct duty, active_only), NAME(struct duty, created_by),
    TIME(struct duty, created_at),  FIELDS_END,
};

QUERY(duty_list_sql, "SELECT d.name, d.description, d.roles, d.at_most, d.active_only,"
                     " coalesce(c.name, '') AS created_by, d.created_at FROM duty d"
                     " LEFT JOIN principal c ON c.tenant_id = d.tenant_id AND c.id = d.created_by"
                     " WHERE d.tenant_id = current_tenant() ORDER BY d.name");

enum err duty_list(struct db *db, struct rows *out)
{
    return db_list(db, &duty_list_sql, duty_fields, sizeof(struct duty), out, NO_PARAMS);
}

QUERY(duty_put_sql,
      "INSERT INTO duty (tenant_id, name, description, roles, at_most, active_only, created_by)"
      " VALUES (current_tenant(), $1, $2, $3, $4::int, $5::boolean, $6::uuid)"
      " ON CONFLICT ON CONSTRAINT duty_key DO UPDATE SET description = $2, roles = $3,"
      " at_most = $4::int, active_only = $5::boolean");

enum err duty_put(struct db *db, const struct duty *d, const char *by)
{
    return db_change(db, &duty_put_sql,
                     PARAMS(P_TEXT(d->name), P_TEXT(d->description),
                            P_TEXTS(d->roles.items, d->roles.count), P_INT(d->at_most),
                            P_BOOL(d->active_only), P_TEXT(by)));
}

QUERY(duty_delete_sql, "DELETE FROM duty WHERE tenant_id = current_tenant() AND name = $1");

enum err duty_delete(struct db *db, const char *name)
{
    return db_change(db, &duty_delete_sql, PARAMS(P_TEXT(name)));
}
