/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/oauth/provider.h"

const struct field provider_fields[] = {
    TEXT(struct provider, id, 36),
    NAME(struct provider, name),
    TEXT(struct provider, issuer, 500),
    TEXT(struct provider, client_id, 255),
    TEXTS(struct provider, algorithms, 4),
    TEXT(struct provider, scopes, 500),
    OPT_TEXT(struct provider, acr_values, 500),
    TEXT(struct provider, provisioning, 16),
    TEXT(struct provider, subject_claim, 100),
    OPT_TEXT(struct provider, group_claim, 100),
    OBJECT(struct provider, groups),
    TEXT(struct provider, created_by, 36),
    TIME(struct provider, created_at),
    FIELDS_END,
};

#define PROVIDER_SELECT                                                                            \
    "SELECT id, name, issuer, client_id, algs AS algorithms, scopes, acr_values, provisioning,"    \
    " subject_claim, group_claim, group_map AS groups, created_by, created_at"                     \
    " FROM identity_provider WHERE tenant_id = current_tenant()"

QUERY(provider_find_sql, PROVIDER_SELECT " AND name = $1");
QUERY(provider_list_sql,
      PROVIDER_SELECT " AND name > coalesce($1, '') ORDER BY name LIMIT $2::bigint");

enum err provider_find(struct db *db, const char *name, struct provider *out)
{
    return db_one(db, &provider_find_sql, provider_fields, out, PARAMS(P_TEXT(name)));
}

enum err provider_list(struct db *db, const char *after, int64_t limit, struct rows *out)
{
    return db_list(db, &provider_list_sql, provider_fields, sizeof(struct provider), out,
                   PARAMS(P_TEXT(after), P_INT(limit)));
}

QUERY(provider_insert_sql,
      "INSERT INTO identity_provider (tenant_id, id, name, issuer, client_id, algs, scopes,"
      " provisioning, subject_claim, group_claim, group_map, created_by, acr_values)"
      " VALUES (current_tenant(), $1::uuid, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11::uuid, $12)");

enum err provider_insert(struct db *db, const struct provider *p)
{
    return db_change(db, &provider_insert_sql,
                     PARAMS(P_TEXT(p->id), P_TEXT(p->name), P_TEXT(p->issuer), P_TEXT(p->client_id),
                            P_TEXTS(p->algorithms.items, p->algorithms.count), P_TEXT(p->scopes),
                            P_TEXT(p->provisioning), P_TEXT(p->subject_claim),
                            P_TEXT(p->group_claim), P_JSON(p->groups), P_TEXT(p->created_by),
                            P_TEXT(p->acr_values)));
}

QUERY(provider_delete_sql,
      "DELETE FROM identity_provider WHERE tenant_id = current_tenant() AND id = $1::uuid");

enum err provider_delete(struct db *db, const char *id)
{
    return db_change(db, &provider_delete_sql, PARAMS(P_TEXT(id)));
}
