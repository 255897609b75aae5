/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/tenant.h"

const struct field tenant_fields[] = {
    NAME(struct tenant, name),
    TEXT(struct tenant, state, 10),
    FIELDS_END,
};

QUERY(tenant_list_sql, "SELECT name, state FROM tenant_all()");

enum err tenant_list(struct db *db, struct rows *out)
{
    return db_list(db, &tenant_list_sql, tenant_fields, sizeof(struct tenant), out, NO_PARAMS);
}

QUERY(tenant_find_sql, "SELECT name, state FROM tenant_find($1)");

enum err tenant_find(struct db *db, const char *name, struct tenant *out)
{
    return db_one(db, &tenant_find_sql, tenant_fields, out, PARAMS(P_TEXT(name)));
}
