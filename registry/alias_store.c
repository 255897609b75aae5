/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/alias.h"

const struct field alias_fields[] = {
    NAME(struct alias, alias),        INT(struct alias, version, 1, INT32_MAX),
    TEXT(struct alias, approval, 36), NAME(struct alias, set_by),
    TIME(struct alias, set_at),       FIELDS_END,
};

const struct field alias_event_fields[] = {
    NAME(struct alias_event, alias),        INT(struct alias_event, version, 0, INT32_MAX),
    TEXT(struct alias_event, approval, 36), NAME(struct alias_event, set_by),
    TIME(struct alias_event, set_at),       FIELDS_END,
};

static const struct field alias_event_columns[] = {
    INT(struct alias_event, seq, 0, INT64_MAX),
    NAME(struct alias_event, alias),
    INT(struct alias_event, version, 0, INT32_MAX),
    TEXT(struct alias_event, approval, 36),
    NAME(struct alias_event, set_by),
    TIME(struct alias_event, set_at),
    FIELDS_END,
};

#define ALIAS_SELECT                                                                               \
    "SELECT l.name AS alias, v.number AS version, l.approval_id AS approval, u.name AS set_by,"    \
    " l.set_at FROM alias l"                                                                       \
    " JOIN version v ON v.tenant_id = l.tenant_id AND v.id = l.version_id"                         \
    " JOIN principal u ON u.tenant_id = l.tenant_id AND u.id = l.set_by"                           \
    " WHERE l.tenant_id = current_tenant() AND l.asset_id = $1::uuid AND " ALIAS_HOLDS

QUERY(alias_find_sql, ALIAS_SELECT " AND l.name = $2");
QUERY(alias_list_sql,
      ALIAS_SELECT " AND l.name > coalesce($2, '') ORDER BY l.name LIMIT $3::bigint");

enum err alias_find(struct db *db, const char *asset_id, const char *name, struct alias *out)
{
    return db_one(db, &alias_find_sql, alias_fields, out, PARAMS(P_TEXT(asset_id), P_TEXT(name)));
}

enum err alias_list(struct db *db, const char *asset_id, const char *after, int64_t limit,
                    struct rows *out)
{
    return db_list(db, &alias_list_sql, alias_fields, sizeof(struct alias), out,
                   PARAMS(P_TEXT(asset_id), P_TEXT(after), P_INT(limit)));
}

QUERY(alias_history_sql,
      "SELECT h.seq, h.name AS alias, coalesce(v.number, 0) AS version, h.approval_id AS approval,"
      " u.name AS set_by, h.set_at FROM alias_history h"
      " LEFT JOIN version v ON v.tenant_id = h.tenant_id AND v.id = h.version_id"
      " JOIN principal u ON u.tenant_id = h.tenant_id AND u.id = h.set_by"
      " WHERE h.tenant_id = current_tenant() AND h.asset_id = $1::uuid AND h.name = $2"
      " AND h.seq < $3::bigint ORDER BY h.seq DESC LIMIT $4::bigint");

enum err alias_history(struct db *db, const char *asset_id, const char *name, int64_t before,
                       int64_t limit, struct rows *out)
{
    return db_list(db, &alias_history_sql, alias_event_columns, sizeof(struct alias_event), out,
                   PARAMS(P_TEXT(asset_id), P_TEXT(name), P_INT(before), P_INT(limit)));
}

QUERY(alias_lock_sql, "SELECT FROM asset WHERE tenant_id = current_tenant() AND id = $1::uuid"
                      " FOR NO KEY UPDATE");

enum err alias_lock(struct db *db, const char *asset_id)
{
    return db_run(db, &alias_lock_sql, NULL, PARAMS(P_TEXT(asset_id)));
}

/* The change and its line in the history are one statement: there is never one without the other.
 */
QUERY(alias_set_sql,
      "WITH l AS (INSERT INTO alias (tenant_id, asset_id, name, version_id, approval_id, set_by)"
      " VALUES (current_tenant(), $1::uuid, $2, $3::uuid, $4::uuid, $5::uuid)"
      " ON CONFLICT (tenant_id, asset_id, name) DO UPDATE SET version_id = excluded.version_id,"
      " approval_id = excluded.approval_id, set_by = excluded.set_by, set_at = now() RETURNING *)"
      " INSERT INTO alias_history (tenant_id, asset_id, name, version_id, approval_id, set_by)"
      " SELECT tenant_id, asset_id, name, version_id, approval_id, set_by FROM l");

enum err alias_set(struct db *db, const struct alias_move *m)
{
    return db_change(db, &alias_set_sql,
                     PARAMS(P_TEXT(m->asset_id), P_TEXT(m->alias), P_TEXT(m->version_id),
                            P_TEXT(m->approval_id), P_TEXT(m->by)));
}

QUERY(alias_remove_sql, "WITH l AS (DELETE FROM alias WHERE tenant_id = current_tenant()"
                        " AND asset_id = $1::uuid AND name = $2 RETURNING *)"
                        " INSERT INTO alias_history (tenant_id, asset_id, name, set_by)"
                        " SELECT tenant_id, asset_id, name, $3::uuid FROM l");

enum err alias_remove(struct db *db, const struct alias_move *m)
{
    return db_change(db, &alias_remove_sql,
                     PARAMS(P_TEXT(m->asset_id), P_TEXT(m->alias), P_TEXT(m->by)));
}

QUERY(alias_remove_approved_sql,
      "WITH l AS (DELETE FROM alias WHERE tenant_id = current_tenant()"
      " AND approval_id = $1::uuid RETURNING *)"
      " INSERT INTO alias_history (tenant_id, asset_id, name, approval_id, set_by)"
      " SELECT tenant_id, asset_id, name, approval_id, $2::uuid FROM l");

enum err alias_remove_approved(struct db *db, const char *approval_id, const char *by)
{
    return db_run(db, &alias_remove_approved_sql, NULL, PARAMS(P_TEXT(approval_id), P_TEXT(by)));
}

struct found {
    const char *id;
};

static const struct field found_fields[] = {
    TEXT(struct found, id, 36),
    FIELDS_END,
};

QUERY(alias_approval_sql,
      "SELECT x.id FROM approval x WHERE x.tenant_id = current_tenant()"
      " AND x.version_id = $1::uuid AND x.alias = $2 AND x.action = 'promote'"
      " AND x.state = 'approved' AND x.expires_at > now() ORDER BY x.closed_at DESC LIMIT 1");

enum err alias_approval(struct db *db, const char *version_id, const char *alias,
                        const char **approval_id)
{
    struct found f;

    TRY(db_one(db, &alias_approval_sql, found_fields, &f,
               PARAMS(P_TEXT(version_id), P_TEXT(alias))));
    *approval_id = f.id;
    return OK;
}
