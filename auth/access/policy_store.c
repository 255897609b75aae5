/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/access/policy_store.h"

#include "auth/access/policy_load.h"

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

static enum err load_all(void *arg)
{
    struct load *l = arg;
    struct tenant_row tenant;

    policy_drop(l->policy); /* of an earlier attempt */
    l->policy = NULL;
    TRY(db_one(l->db, &policy_tenant_sql, tenant_columns, &tenant, NO_PARAMS));
    l->policy = policy_new(l->tenant_id, tenant.name, tenant.active, tenant.epoch);
    TRY(policy_load_things(l));
    TRY(policy_load_grants(l));
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
