/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/policy_store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct tenant_row {
    int64_t epoch;
    const char *name;
    bool active;
};

static const struct field tenant_columns[] = {
    INT(struct tenant_row, epoch, 0, INT64_MAX),
    NAME(struct tenant_row, name),
    BOOL(struct tenant_row, active),
    FIELDS_END,
};

struct epoch_question {
    struct db *db;
    struct tenant_row row;
};

QUERY(policy_tenant_sql, "SELECT e.epoch, t.name, t.state = 'active' AS active"
                         " FROM authz_epoch e JOIN tenant t ON t.tenant_id = e.tenant_id"
                         " WHERE e.tenant_id = current_tenant()");

static enum err read_epoch(void *arg)
{
    struct epoch_question *q = arg;

    return db_one(q->db, &policy_tenant_sql, tenant_columns, &q->row, NO_PARAMS);
}

enum err policy_epoch_read(struct db *db, const char *tenant_id, int64_t *epoch)
{
    struct epoch_question q = {.db = db};
    enum err e = db_tx(db, TX_POINT, tenant_id, read_epoch, &q);

    *epoch = q.row.epoch;
    return e;
}

struct load {
    struct db *db;
    const char *tenant_id;
    struct policy *policy;
};

static void copy(char *out, size_t size, const char *text)
{
    (void)snprintf(out, size, "%s", text);
}

QUERY(policy_principals_sql, "SELECT id, name, coalesce(owner_id::text, ''), kind, state"
                             " FROM principal WHERE tenant_id = current_tenant()");

static enum err load_principals(struct load *l)
{
    PGresult *rows;

    TRY(db_rows(l->db, &policy_principals_sql, &rows, NO_PARAMS));
    for (int i = 0; i < PQntuples(rows); i++) {
        struct policy_principal who = {
            .kind =
                strcmp(PQgetvalue(rows, i, 3), "user") == 0 ? PRINCIPAL_USER : PRINCIPAL_SERVICE,
            .active = strcmp(PQgetvalue(rows, i, 4), "active") == 0,
        };

        copy(who.id, sizeof(who.id), PQgetvalue(rows, i, 0));
        copy(who.name, sizeof(who.name), PQgetvalue(rows, i, 1));
        copy(who.owner, sizeof(who.owner), PQgetvalue(rows, i, 2));
        (void)policy_add_principal(l->policy, &who);
    }
    return OK;
}

QUERY(policy_projects_sql,
      "SELECT id, name, state FROM project WHERE tenant_id = current_tenant() ORDER BY name");

static enum err load_projects(struct load *l)
{
    PGresult *rows;

    TRY(db_rows(l->db, &policy_projects_sql, &rows, NO_PARAMS));
    for (int i = 0; i < PQntuples(rows); i++) {
        struct policy_project what = {.active = strcmp(PQgetvalue(rows, i, 2), "active") == 0};

        copy(what.id, sizeof(what.id), PQgetvalue(rows, i, 0));
        copy(what.name, sizeof(what.name), PQgetvalue(rows, i, 1));
        (void)policy_add_project(l->policy, &what);
    }
    return OK;
}

/* What began before now has always been: our clock may be behind the database's. */
QUERY(policy_bindings_sql,
      "SELECT b.id, b.principal_id, b.role, b.scope, p.name,"
      " CASE WHEN b.valid_from <= now() THEN 0"
      "  ELSE (extract(epoch FROM b.valid_from) * 1000)::bigint END,"
      " coalesce((extract(epoch FROM b.valid_until) * 1000)::bigint, 9223372036854775807)"
      " FROM binding b LEFT JOIN project p ON p.tenant_id = b.tenant_id AND p.id = b.project_id"
      " WHERE b.tenant_id = current_tenant()");

static uint32_t scope_of(const struct policy *p, const char *scope, const char *project)
{
    uint32_t index;

    if (strcmp(scope, "platform") == 0)
        return SCOPE_AT_PLATFORM;
    if (strcmp(scope, "tenant") == 0)
        return SCOPE_AT_TENANT;
    index = policy_find_project(p, project);
    return index == POLICY_NONE ? POLICY_NONE : SCOPE_AT_PROJECTS + index;
}

static enum err load_bindings(struct load *l)
{
    PGresult *rows;

    TRY(db_rows(l->db, &policy_bindings_sql, &rows, NO_PARAMS));
    for (int i = 0; i < PQntuples(rows); i++) {
        struct policy_grant g = {
            .principal = policy_find_principal(l->policy, PQgetvalue(rows, i, 1)),
            .scope = scope_of(l->policy, PQgetvalue(rows, i, 3), PQgetvalue(rows, i, 4)),
            .role = role_find(PQgetvalue(rows, i, 2)),
            .from_ms = strtoll(PQgetvalue(rows, i, 5), NULL, 10),
            .until_ms = strtoll(PQgetvalue(rows, i, 6), NULL, 10),
        };

        copy(g.id, sizeof(g.id), PQgetvalue(rows, i, 0));
        policy_add_grant(l->policy, &g);
    }
    return OK;
}

static enum err load_all(void *arg)
{
    struct load *l = arg;
    struct tenant_row tenant;

    policy_drop(l->policy); /* of an earlier attempt */
    l->policy = NULL;
    TRY(db_one(l->db, &policy_tenant_sql, tenant_columns, &tenant, NO_PARAMS));
    l->policy = policy_new(l->tenant_id, tenant.name, tenant.active, tenant.epoch);
    TRY(load_principals(l));
    TRY(load_projects(l));
    policy_index(l->policy);
    TRY(load_bindings(l));
    policy_seal(l->policy);
    return OK;
}

static enum err loaded(struct load *l, enum err e, struct policy **out)
{
    if (e != OK) {
        policy_drop(l->policy);
        l->policy = NULL;
    }
    *out = l->policy;
    return e;
}

enum err policy_load(struct db *db, const char *tenant_id, struct policy **out)
{
    struct load l = {.db = db, .tenant_id = tenant_id};

    return loaded(&l, db_tx(db, TX_READ, tenant_id, load_all, &l), out);
}

QUERY(policy_lock_sql,
      "SELECT epoch FROM authz_epoch WHERE tenant_id = current_tenant() FOR NO KEY UPDATE");

enum err policy_lock(struct db *db, int64_t *epoch)
{
    static const struct field lock_columns[] = {INT(struct tenant_row, epoch, 0, INT64_MAX),
                                                FIELDS_END};
    struct tenant_row row;

    TRY(db_one(db, &policy_lock_sql, lock_columns, &row, NO_PARAMS));
    *epoch = row.epoch;
    return OK;
}

enum err policy_load_here(struct db *db, const char *tenant_id, struct policy **out)
{
    struct load l = {.db = db, .tenant_id = tenant_id};

    return loaded(&l, load_all(&l), out);
}
