/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/project.h"

#include "core/text.h"

const struct field project_fields[] = {
    TEXT(struct project, id, 36),
    NAME(struct project, name),
    OPT_TEXT(struct project, description, 2000),
    OBJECT(struct project, policy),
    INT(struct project, revision, 1, INT64_MAX),
    NAME(struct project, created_by),
    TIME(struct project, created_at),
    TIME(struct project, updated_at),
    FIELDS_END,
};

static const struct field project_columns[] = {
    TEXT(struct project, id, 36),
    NAME(struct project, name),
    TEXT(struct project, description, 2000),
    OBJECT(struct project, policy),
    TEXT(struct project, state, 10),
    INT(struct project, revision, 1, INT64_MAX),
    NAME(struct project, created_by),
    TIME(struct project, created_at),
    TIME(struct project, updated_at),
    FIELDS_END,
};

#define PROJECT_SELECT                                                                             \
    "SELECT p.id, p.name, p.description, p.policy, p.state, p.revision, u.name AS created_by,"     \
    " p.created_at, p.updated_at"                                                                  \
    " FROM project p JOIN principal u ON u.tenant_id = p.tenant_id AND u.id = p.created_by"        \
    " WHERE p.tenant_id = current_tenant()"

QUERY(project_find_sql, PROJECT_SELECT " AND p.name = $1");
QUERY(project_lock_sql, PROJECT_SELECT " AND p.name = $1 FOR UPDATE OF p");

enum err project_find(struct db *db, const char *name, struct project *out)
{
    return db_one(db, &project_find_sql, project_columns, out, PARAMS(P_TEXT(name)));
}

enum err project_lock(struct db *db, const char *name, struct project *out)
{
    return db_one(db, &project_lock_sql, project_columns, out, PARAMS(P_TEXT(name)));
}

QUERY(project_list_sql, PROJECT_SELECT " AND p.state = 'active' AND p.name = ANY ($1::text[])"
                                       " AND p.name > coalesce($2, '')"
                                       " ORDER BY p.name LIMIT $3::bigint");

enum err project_list(struct db *db, const struct texts *names, const char *after, int64_t limit,
                      struct rows *out)
{
    return db_list(db, &project_list_sql, project_columns, sizeof(struct project), out,
                   PARAMS(P_TEXTS(names->items, names->count), P_TEXT(after), P_INT(limit)));
}

QUERY(project_create_sql,
      "INSERT INTO project (tenant_id, id, name, description, policy, created_by)"
      " VALUES (current_tenant(), $1::uuid, $2, $3, $4::jsonb, $5::uuid)"
      " ON CONFLICT (tenant_id, name) DO NOTHING");

enum err project_create(struct db *db, const char *name, const char *description,
                        const json_t *policy, const char *by)
{
    char id[ID_SIZE];
    int64_t rows;

    id_new(id);
    TRY(db_run(db, &project_create_sql, &rows,
               PARAMS(P_TEXT(id), P_TEXT(name), P_TEXT(description), P_JSON(policy), P_TEXT(by))));
    return rows == 1 ? OK : ERR_RETRY;
}

QUERY(project_update_sql,
      "UPDATE project SET description = $2, policy = $3::jsonb, revision = revision + 1,"
      " updated_at = now() WHERE tenant_id = current_tenant() AND id = $1::uuid");

enum err project_update(struct db *db, const struct project *p)
{
    return db_change(db, &project_update_sql,
                     PARAMS(P_TEXT(p->id), P_TEXT(p->description), P_JSON(p->policy)));
}

QUERY(project_delete_sql,
      "UPDATE project SET state = 'deleted', revision = revision + 1, updated_at = now()"
      " WHERE tenant_id = current_tenant() AND id = $1::uuid AND NOT EXISTS ("
      " SELECT FROM deployment d JOIN endpoint e ON e.tenant_id = d.tenant_id"
      " AND e.id = d.endpoint_id WHERE d.tenant_id = current_tenant() AND d.ended_at IS NULL"
      " AND e.project_id = $1::uuid)");

enum err project_delete(struct db *db, const struct project *p)
{
    enum err e = db_change(db, &project_delete_sql, PARAMS(P_TEXT(p->id)));

    return e == ERR_NOT_FOUND ? ERR_CONFLICT : e;
}
