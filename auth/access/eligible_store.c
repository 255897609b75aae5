/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/access/eligible.h"

#define SHOWN                                                                                      \
    TEXT(struct eligible, id, 36), OPT_NAME(struct eligible, principal),                           \
        OPT_NAME(struct eligible, group), TEXT(struct eligible, role, 63),                         \
        TEXT(struct eligible, scope, 10), OPT_NAME(struct eligible, project),                      \
        OPT_TEXT(struct eligible, asset, 80), INT(struct eligible, max_hours, 1, 720),             \
        BOOL(struct eligible, approval), BOOL(struct eligible, step_up),                           \
        OPT_TIME(struct eligible, valid_until), OPT_TEXT(struct eligible, created_by, 63),         \
        TIME(struct eligible, created_at)

const struct field eligible_fields[] = {SHOWN, FIELDS_END};

static const struct field columns[] = {
    SHOWN,
    TEXT(struct eligible, principal_id, 36),
    TEXT(struct eligible, group_id, 36),
    TEXT(struct eligible, project_id, 36),
    FIELDS_END,
};

#define ELIGIBLE_SELECT                                                                            \
    "SELECT e.id, n.name AS principal, g.name AS group, e.role, e.scope, p.name AS project,"       \
    " e.asset, e.max_hours, e.approval, e.step_up, e.valid_until, c.name AS created_by,"           \
    " e.created_at, e.principal_id, e.group_id, e.project_id FROM eligible e"                      \
    " LEFT JOIN principal n ON n.tenant_id = e.tenant_id AND n.id = e.principal_id"                \
    " LEFT JOIN principal_group g ON g.tenant_id = e.tenant_id AND g.id = e.group_id"              \
    " LEFT JOIN project p ON p.tenant_id = e.tenant_id AND p.id = e.project_id"                    \
    " LEFT JOIN principal c ON c.tenant_id = e.tenant_id AND c.id = e.created_by"                  \
    " WHERE e.tenant_id = current_tenant()"

QUERY(eligible_find_sql, ELIGIBLE_SELECT " AND e.id = $1::uuid");
QUERY(eligible_list_sql, ELIGIBLE_SELECT " ORDER BY e.id LIMIT 1000");

enum err eligible_find(struct db *db, const char *id, struct eligible *out)
{
    return db_one(db, &eligible_find_sql, columns, out, PARAMS(P_TEXT(id)));
}

enum err eligible_list(struct db *db, struct rows *out)
{
    return db_list(db, &eligible_list_sql, columns, sizeof(struct eligible), out, NO_PARAMS);
}

QUERY(eligible_insert_sql,
      "INSERT INTO eligible (tenant_id, id, principal_id, group_id, role, scope, project_id, asset,"
      " max_hours, approval, step_up, valid_until, created_by) VALUES (current_tenant(), $1::uuid,"
      " $2::uuid, $3::uuid, $4, $5, $6::uuid, $7, $8::int, $9::boolean, $10::boolean,"
      " $11::timestamptz, $12::uuid)");

enum err eligible_insert(struct db *db, const struct eligible *e, const char *by)
{
    return db_change(db, &eligible_insert_sql,
                     PARAMS(P_TEXT(e->id), P_TEXT(e->principal_id), P_TEXT(e->group_id),
                            P_TEXT(e->role), P_TEXT(e->scope), P_TEXT(e->project_id),
                            P_TEXT(e->asset), P_INT(e->max_hours), P_BOOL(e->approval),
                            P_BOOL(e->step_up), P_TEXT(e->valid_until), P_TEXT(by)));
}

QUERY(eligible_delete_sql,
      "DELETE FROM eligible WHERE tenant_id = current_tenant() AND id = $1::uuid");

enum err eligible_delete(struct db *db, const char *id)
{
    return db_change(db, &eligible_delete_sql, PARAMS(P_TEXT(id)));
}

#define ACTIVATION_SHOWN                                                                           \
    TEXT(struct activation, id, 36), TEXT(struct activation, eligible, 36),                        \
        NAME(struct activation, principal), TEXT(struct activation, role, 63),                     \
        INT(struct activation, hours, 1, 720), TEXT(struct activation, justification, 2000),       \
        OPT_TEXT(struct activation, ticket, 200), TEXT(struct activation, state, 10),              \
        OPT_TEXT(struct activation, decided_by, 63), OPT_TEXT(struct activation, reason, 2000),    \
        TIME(struct activation, expires_at), TIME(struct activation, created_at)

const struct field activation_fields[] = {ACTIVATION_SHOWN, FIELDS_END};

static const struct field activation_columns[] = {
    ACTIVATION_SHOWN,
    TEXT(struct activation, principal_id, 36),
    TEXT(struct activation, binding_id, 36),
    FIELDS_END,
};

#define ACTIVATION_SELECT                                                                          \
    "SELECT a.id, a.eligible_id AS eligible, p.name AS principal, a.role, a.hours,"                \
    " a.justification, a.ticket, CASE WHEN a.state IN ('pending', 'active')"                       \
    "  AND a.expires_at <= now() THEN 'ended' ELSE a.state END AS state, d.name AS decided_by,"    \
    " a.reason, a.expires_at, a.created_at, a.principal_id, a.binding_id FROM activation a"        \
    " JOIN principal p ON p.tenant_id = a.tenant_id AND p.id = a.principal_id"                     \
    " LEFT JOIN principal d ON d.tenant_id = a.tenant_id AND d.id = a.decided_by"                  \
    " WHERE a.tenant_id = current_tenant()"

QUERY(activation_lock_sql, ACTIVATION_SELECT " AND a.id = $1::uuid FOR UPDATE OF a");
QUERY(activation_list_sql, ACTIVATION_SELECT " AND ($1::uuid IS NULL OR a.principal_id = $1::uuid)"
                                             " ORDER BY a.id DESC LIMIT 1000");

enum err activation_lock(struct db *db, const char *id, struct activation *out)
{
    return db_one(db, &activation_lock_sql, activation_columns, out, PARAMS(P_TEXT(id)));
}

enum err activation_list(struct db *db, const char *principal_id, struct rows *out)
{
    return db_list(db, &activation_list_sql, activation_columns, sizeof(struct activation), out,
                   PARAMS(P_TEXT(principal_id)));
}

QUERY(activation_sweep_sql,
      "UPDATE activation SET state = 'ended' WHERE tenant_id = current_tenant()"
      " AND eligible_id = $1::uuid AND state = 'pending' AND expires_at <= now()");
QUERY(activation_insert_sql,
      "INSERT INTO activation (tenant_id, id, eligible_id, principal_id, role, hours,"
      " justification, ticket, state) VALUES (current_tenant(), $1::uuid, $2::uuid, $3::uuid, $4,"
      " $5::int, $6, $7, 'pending')");

enum err activation_insert(struct db *db, const struct activation *a, const char *eligible_id)
{
    TRY(db_run(db, &activation_sweep_sql, NULL, PARAMS(P_TEXT(eligible_id))));
    return db_change(db, &activation_insert_sql,
                     PARAMS(P_TEXT(a->id), P_TEXT(eligible_id), P_TEXT(a->principal_id),
                            P_TEXT(a->role), P_INT(a->hours), P_TEXT(a->justification),
                            P_TEXT(a->ticket)));
}

QUERY(activation_update_sql, "UPDATE activation SET state = $2, reason = $3, binding_id = $4::uuid,"
                             " expires_at = $5::timestamptz, decided_by = $6::uuid"
                             " WHERE tenant_id = current_tenant() AND id = $1::uuid");

enum err activation_update(struct db *db, const struct activation *a, const char *by)
{
    return db_change(db, &activation_update_sql,
                     PARAMS(P_TEXT(a->id), P_TEXT(a->state), P_TEXT(a->reason),
                            P_TEXT(a->binding_id), P_TEXT(a->expires_at), P_TEXT(by)));
}
