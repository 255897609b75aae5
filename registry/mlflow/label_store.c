/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/mlflow/label.h"

static const struct field label_columns[] = {
    INT(struct label, level, 0, 15),   BOOL(struct label, limited),
    TEXTS(struct label, purposes, 50), TEXTS(struct label, sources, 1000),
    OPT_TIME(struct label, set_at),    FIELDS_END,
};

QUERY(label_find_sql,
      "SELECT coalesce(l.level, 0) AS level, l.purposes IS NOT NULL AS limited,"
      " coalesce(l.purposes, '{}') AS purposes, coalesce(l.sources, '{}') AS sources, l.set_at"
      " FROM asset a LEFT JOIN asset_label l ON l.tenant_id = a.tenant_id AND l.asset_id = a.id"
      " WHERE a.tenant_id = current_tenant() AND a.id = $1::uuid");

enum err label_find(struct db *db, const char *asset_id, struct label *out)
{
    return db_one(db, &label_find_sql, label_columns, out, PARAMS(P_TEXT(asset_id)));
}

QUERY(label_put_sql,
      "INSERT INTO asset_label (tenant_id, asset_id, level, purposes, set_by)"
      " VALUES (current_tenant(), $1::uuid, $2::int, CASE WHEN $3::boolean THEN $4::text[] END,"
      " $5::uuid) ON CONFLICT ON CONSTRAINT asset_label_key DO UPDATE SET level = EXCLUDED.level,"
      " purposes = EXCLUDED.purposes, set_by = EXCLUDED.set_by, set_at = now()");

enum err label_put(struct db *db, const char *asset_id, const struct label *l, const char *by)
{
    return db_change(db, &label_put_sql,
                     PARAMS(P_TEXT(asset_id), P_INT(l->level), P_BOOL(l->limited),
                            P_TEXTS(l->purposes.items, l->purposes.count), P_TEXT(by)));
}

static const struct field columns[] = {
    TEXT(struct declassification, id, 36),
    TEXT(struct declassification, asset, 80),
    INT(struct declassification, from_level, 0, 15),
    INT(struct declassification, level, 0, 15),
    BOOL(struct declassification, limited),
    TEXTS(struct declassification, purposes, 50),
    TEXT(struct declassification, reason, 2000),
    NAME(struct declassification, requested_by),
    TEXT(struct declassification, state, 10),
    TEXT(struct declassification, decided_by, 63),
    TEXT(struct declassification, verdict, 2000),
    TIME(struct declassification, created_at),
    TEXT(struct declassification, asset_id, 36),
    TEXT(struct declassification, requester_id, 36),
    FIELDS_END,
};

#define DECLASSIFICATION_SELECT                                                                    \
    "SELECT d.id, a.kind || 's/' || a.name AS asset, d.from_level, d.level,"                       \
    " d.purposes IS NOT NULL AS limited, coalesce(d.purposes, '{}') AS purposes, d.reason,"        \
    " r.name AS requested_by, d.state, c.name AS decided_by, d.verdict, d.created_at, d.asset_id," \
    " d.requested_by AS requester_id FROM declassification d"                                      \
    " JOIN asset a ON a.tenant_id = d.tenant_id AND a.id = d.asset_id"                             \
    " JOIN principal r ON r.tenant_id = d.tenant_id AND r.id = d.requested_by"                     \
    " LEFT JOIN principal c ON c.tenant_id = d.tenant_id AND c.id = d.decided_by"                  \
    " WHERE d.tenant_id = current_tenant() AND a.project_id = $1::uuid"

QUERY(declassification_list_sql, DECLASSIFICATION_SELECT " ORDER BY d.id DESC LIMIT 1000");
QUERY(declassification_lock_sql, DECLASSIFICATION_SELECT " AND d.id = $2::uuid FOR UPDATE OF d");

enum err declassification_list(struct db *db, const char *project_id, struct rows *out)
{
    return db_list(db, &declassification_list_sql, columns, sizeof(struct declassification), out,
                   PARAMS(P_TEXT(project_id)));
}

enum err declassification_lock(struct db *db, const char *project_id, const char *id,
                               struct declassification *out)
{
    return db_one(db, &declassification_lock_sql, columns, out,
                  PARAMS(P_TEXT(project_id), P_TEXT(id)));
}

QUERY(declassification_insert_sql,
      "INSERT INTO declassification (tenant_id, id, asset_id, from_level, level, purposes, reason,"
      " requested_by) VALUES (current_tenant(), $1::uuid, $2::uuid, $3::int, $4::int,"
      " CASE WHEN $5::boolean THEN $6::text[] END, $7, $8::uuid)");

enum err declassification_insert(struct db *db, const struct declassification *d, const char *by)
{
    return db_change(db, &declassification_insert_sql,
                     PARAMS(P_TEXT(d->id), P_TEXT(d->asset_id), P_INT(d->from_level),
                            P_INT(d->level), P_BOOL(d->limited),
                            P_TEXTS(d->purposes.items, d->purposes.count), P_TEXT(d->reason),
                            P_TEXT(by)));
}

QUERY(declassification_close_sql,
      "UPDATE declassification SET state = $2, verdict = $3, decided_by = $4::uuid,"
      " decided_at = now() WHERE tenant_id = current_tenant() AND id = $1::uuid"
      " AND state = 'pending'");

enum err declassification_close(struct db *db, const struct declassification *d, const char *by)
{
    return db_change(db, &declassification_close_sql,
                     PARAMS(P_TEXT(d->id), P_TEXT(d->state), P_TEXT(d->verdict), P_TEXT(by)));
}
