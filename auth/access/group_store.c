/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/access/group.h"

#include "core/text.h"

const struct field group_fields[] = {
    TEXT(struct group, id, 36),
    NAME(struct group, name),
    OPT_TEXT(struct group, display_name, 200),
    TEXT(struct group, source, 10),
    INT(struct group, members, 0, INT64_MAX),
    OPT_TEXT(struct group, created_by, 63),
    TIME(struct group, created_at),
    FIELDS_END,
};

const struct field member_fields[] = {
    TEXT(struct member, id, 36),
    OPT_NAME(struct member, principal),
    OPT_NAME(struct member, group),
    TEXT(struct member, source, 10),
    OPT_TIME(struct member, valid_until),
    TIME(struct member, created_at),
    FIELDS_END,
};

#define GROUP_SELECT                                                                               \
    "SELECT g.id, g.name, g.display_name, g.source, c.name AS created_by, g.created_at,"           \
    " (SELECT count(*) FROM group_member m WHERE m.tenant_id = g.tenant_id AND m.group_id = g.id"  \
    "  AND (m.valid_until IS NULL OR m.valid_until > now())) AS members FROM principal_group g"    \
    " LEFT JOIN principal c ON c.tenant_id = g.tenant_id AND c.id = g.created_by"                  \
    " WHERE g.tenant_id = current_tenant()"

QUERY(group_find_sql, GROUP_SELECT " AND g.name = $1");
QUERY(group_list_sql, GROUP_SELECT " AND g.name > coalesce($1, '') ORDER BY g.name"
                                   " LIMIT $2::bigint");

enum err group_find(struct db *db, const char *name, struct group *out)
{
    return db_one(db, &group_find_sql, group_fields, out, PARAMS(P_TEXT(name)));
}

enum err group_list(struct db *db, const char *after, int64_t limit, struct rows *out)
{
    return db_list(db, &group_list_sql, group_fields, sizeof(struct group), out,
                   PARAMS(P_TEXT(after), P_INT(limit)));
}

QUERY(group_insert_sql,
      "INSERT INTO principal_group (tenant_id, id, name, display_name, source, created_by)"
      " VALUES (current_tenant(), $1::uuid, $2, $3, $4, $5::uuid)");

enum err group_insert(struct db *db, const struct group *g, const char *by)
{
    return db_change(db, &group_insert_sql,
                     PARAMS(P_TEXT(g->id), P_TEXT(g->name), P_TEXT(g->display_name),
                            P_TEXT(g->source), P_TEXT(by)));
}

/* Bindings that have run out go with it. */
QUERY(group_sweep_sql, "DELETE FROM binding WHERE tenant_id = current_tenant()"
                       " AND group_id = $1::uuid AND valid_until <= now()");
QUERY(group_delete_sql,
      "DELETE FROM principal_group WHERE tenant_id = current_tenant() AND id = $1::uuid");

enum err group_delete(struct db *db, const char *id)
{
    TRY(db_run(db, &group_sweep_sql, NULL, PARAMS(P_TEXT(id))));
    return db_change(db, &group_delete_sql, PARAMS(P_TEXT(id)));
}

QUERY(group_given_sql,
      "SELECT FROM binding WHERE tenant_id = current_tenant() AND group_id = $1::uuid"
      " AND (valid_until IS NULL OR valid_until > now()) UNION ALL"
      " SELECT FROM eligible WHERE tenant_id = current_tenant() AND group_id = $1::uuid UNION ALL"
      " SELECT FROM deny WHERE tenant_id = current_tenant() AND $1::uuid = ANY(holders || spared)"
      " AND (valid_until IS NULL OR valid_until > now()) LIMIT 1");

enum err group_given(struct db *db, const char *id, bool *given)
{
    PGresult *rows;

    TRY(db_rows(db, &group_given_sql, &rows, PARAMS(P_TEXT(id))));
    *given = PQntuples(rows) > 0;
    return OK;
}

/* Through other groups too, where each step was made by then. */
QUERY(group_joined_sql,
      "WITH RECURSIVE mine (id, depth) AS ("
      " SELECT group_id, 1 FROM group_member WHERE tenant_id = current_tenant()"
      "  AND principal_id = $1::uuid AND date_trunc('milliseconds', created_at) <= $2::timestamptz"
      " UNION SELECT m.group_id, mine.depth + 1 FROM mine JOIN group_member m"
      "  ON m.tenant_id = current_tenant() AND m.child_id = mine.id"
      "  AND date_trunc('milliseconds', m.created_at) <= $2::timestamptz WHERE mine.depth < 5)"
      " SELECT DISTINCT id::text FROM mine");

enum err group_joined(struct db *db, const char *principal_id, const char *by, struct texts *ids)
{
    PGresult *rows;

    TRY(db_rows(db, &group_joined_sql, &rows, PARAMS(P_TEXT(principal_id), P_TEXT(by))));
    ids->items = arena_alloc(db->arena, ((size_t)PQntuples(rows) + 1) * sizeof(*ids->items));
    ids->count = (size_t)PQntuples(rows);
    for (size_t i = 0; i < ids->count; i++)
        ids->items[i] = arena_text(db->arena, PQgetvalue(rows, (int)i, 0));
    return OK;
}

QUERY(member_list_sql,
      "SELECT m.id, p.name AS principal, g.name AS group, m.source, m.valid_until, m.created_at"
      " FROM group_member m"
      " LEFT JOIN principal p ON p.tenant_id = m.tenant_id AND p.id = m.principal_id"
      " LEFT JOIN principal_group g ON g.tenant_id = m.tenant_id AND g.id = m.child_id"
      " WHERE m.tenant_id = current_tenant() AND m.group_id = $1::uuid"
      " ORDER BY coalesce(p.name, g.name), m.source");

enum err member_list(struct db *db, const char *group_id, struct rows *out)
{
    return db_list(db, &member_list_sql, member_fields, sizeof(struct member), out,
                   PARAMS(P_TEXT(group_id)));
}

QUERY(member_put_sql,
      "INSERT INTO group_member (tenant_id, id, group_id, principal_id, child_id, source,"
      " valid_until, created_by) VALUES (current_tenant(), $1::uuid, $2::uuid, $3::uuid, $4::uuid,"
      " $5, $6::timestamptz, $7::uuid)"
      " ON CONFLICT (tenant_id, group_id, coalesce(principal_id, child_id), source)"
      " DO UPDATE SET valid_until = $6::timestamptz, created_at = CASE"
      "  WHEN group_member.valid_until <= now() THEN now() ELSE group_member.created_at END");

enum err member_put(struct db *db, const struct new_member *m, const char *by)
{
    char id[ID_SIZE];

    id_new(id);
    return db_change(db, &member_put_sql,
                     PARAMS(P_TEXT(id), P_TEXT(m->group_id), P_TEXT(m->principal_id),
                            P_TEXT(m->child_id), P_TEXT(m->source), P_TEXT(m->valid_until),
                            P_TEXT(by)));
}

QUERY(member_delete_sql,
      "DELETE FROM group_member WHERE tenant_id = current_tenant() AND group_id = $1::uuid"
      " AND coalesce(principal_id, child_id) = $2::uuid");

enum err member_delete(struct db *db, const char *group_id, const char *member_id)
{
    int64_t rows;

    TRY(db_run(db, &member_delete_sql, &rows, PARAMS(P_TEXT(group_id), P_TEXT(member_id))));
    return rows > 0 ? OK : ERR_NOT_FOUND;
}
