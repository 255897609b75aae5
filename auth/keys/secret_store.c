/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/keys/secret.h"

#include "auth/keys/envelope.h"

#include <string.h>

#define PURPOSE "secret"

const struct field secret_fields[] = {
    NAME(struct secret, name),
    INT(struct secret, versions, 1, INT64_MAX),
    OPT_TEXT(struct secret, created_by, 63),
    TIME(struct secret, created_at),
    OPT_TEXT(struct secret, updated_by, 63),
    TIME(struct secret, updated_at),
    FIELDS_END,
};

static const struct field columns[] = {
    TEXT(struct secret, id, 36),
    NAME(struct secret, name),
    INT(struct secret, versions, 1, INT64_MAX),
    TEXT(struct secret, created_by, 63),
    TIME(struct secret, created_at),
    TEXT(struct secret, updated_by, 63),
    TIME(struct secret, updated_at),
    FIELDS_END,
};

const struct field secret_version_fields[] = {
    INT(struct secret_version, number, 1, INT64_MAX),
    TIME(struct secret_version, created_at),
    FIELDS_END,
};

#define SECRET_SELECT                                                                              \
    "SELECT s.id, s.name, s.versions, c.name AS created_by, s.created_at, u.name AS updated_by,"   \
    " s.updated_at FROM secret s"                                                                  \
    " LEFT JOIN principal c ON c.tenant_id = s.tenant_id AND c.id = s.created_by"                  \
    " LEFT JOIN principal u ON u.tenant_id = s.tenant_id AND u.id = s.updated_by"                  \
    " WHERE s.tenant_id = current_tenant() AND s.project_id = $1::uuid"

QUERY(secret_find_sql, SECRET_SELECT " AND s.name = $2");
QUERY(secret_list_sql,
      SECRET_SELECT " AND s.name > coalesce($2, '') ORDER BY s.name LIMIT $3::bigint");

enum err secret_find(struct db *db, const char *project_id, const char *name, struct secret *out)
{
    return db_one(db, &secret_find_sql, columns, out, PARAMS(P_TEXT(project_id), P_TEXT(name)));
}

enum err secret_list(struct db *db, const char *project_id, const char *after, int64_t limit,
                     struct rows *out)
{
    return db_list(db, &secret_list_sql, columns, sizeof(struct secret), out,
                   PARAMS(P_TEXT(project_id), P_TEXT(after), P_INT(limit)));
}

QUERY(secret_versions_sql,
      "SELECT version AS number, created_at FROM sealed_value"
      " WHERE tenant_id = current_tenant() AND id = $1::uuid ORDER BY version DESC LIMIT 1000");

enum err secret_versions(struct db *db, const char *id, struct rows *out)
{
    return db_list(db, &secret_versions_sql, secret_version_fields, sizeof(struct secret_version),
                   out, PARAMS(P_TEXT(id)));
}

struct put {
    const char *id;
    int64_t versions;
};

static const struct field put_columns[] = {
    TEXT(struct put, id, 36),
    INT(struct put, versions, 1, INT64_MAX),
    FIELDS_END,
};

QUERY(secret_put_sql,
      "INSERT INTO secret (tenant_id, id, project_id, name, created_by, updated_by)"
      " VALUES (current_tenant(), $1::uuid, $2::uuid, $3, $4::uuid, $4::uuid)"
      " ON CONFLICT ON CONSTRAINT secret_by_name DO UPDATE SET versions = secret.versions + 1,"
      " updated_by = EXCLUDED.updated_by, updated_at = now() RETURNING id, versions");

enum err secret_put(struct db *db, const char *project_id, const char *name, const char *value,
                    const char *by)
{
    char id[ID_SIZE];
    struct put p;

    id_new(id);
    TRY(db_one(db, &secret_put_sql, put_columns, &p,
               PARAMS(P_TEXT(id), P_TEXT(project_id), P_TEXT(name), P_TEXT(by))));
    return envelope_seal(db, &(struct envelope_place){p.id, p.versions, PURPOSE}, value,
                         strlen(value));
}

QUERY(secret_delete_sql, "DELETE FROM secret WHERE tenant_id = current_tenant() AND id = $1::uuid");

enum err secret_delete(struct db *db, const char *id)
{
    TRY(envelope_drop(db, id));
    return db_change(db, &secret_delete_sql, PARAMS(P_TEXT(id)));
}

enum err secret_open(struct db *db, const char *project_id, const char *name, const char **value,
                     size_t *length)
{
    struct secret s;

    TRY(secret_find(db, project_id, name, &s));
    return envelope_open(db, &(struct envelope_place){s.id, s.versions, PURPOSE}, value, length);
}
