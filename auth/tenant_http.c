/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/bootstrap.h"

#include "auth/handlers.h"
#include "core/request.h"

struct tenant {
    const char *name;
    const char *state;
};

static const struct field tenant_fields[] = {
    NAME(struct tenant, name),
    TEXT(struct tenant, state, 10),
    FIELDS_END,
};

QUERY(tenant_all_sql, "SELECT name, state FROM tenant_all()");

/* GET /v1/tenants */
enum err get_tenants(struct request *rq)
{
    struct rows rows;

    TRY(db_list(rq->db, &tenant_all_sql, tenant_fields, sizeof(struct tenant), &rows, NO_PARAMS));
    return request_reply_list(rq, tenant_fields, sizeof(struct tenant), &rows, NULL);
}

struct new_tenant {
    const char *name;
    const char *bootstrap_code;
    const char *expires_at;
};

const struct field new_tenant_fields[] = {
    NAME(struct new_tenant, name),
    FIELDS_END,
};

static const struct field made_tenant_fields[] = {
    NAME(struct new_tenant, name),
    TEXT(struct new_tenant, bootstrap_code, 100),
    TIME(struct new_tenant, expires_at),
    FIELDS_END,
};

QUERY(tenant_taken_sql, "SELECT name, state FROM tenant_find($1)");

/* POST /v1/tenants */
enum err post_tenant(struct request *rq)
{
    struct new_tenant n = {.name = NULL};
    struct tenant taken;
    enum err e;

    TRY(request_read(rq, &n));
    request_object(rq, "tenants/%s", n.name);
    e = db_one(rq->db, &tenant_taken_sql, tenant_fields, &taken, PARAMS(P_TEXT(n.name)));
    if (e == OK)
        return fail(rq, ERR_EXISTS, "there is a tenant %s already", n.name);
    if (e != ERR_NOT_FOUND)
        return e;
    TRY(bootstrap_code_for(rq->db, n.name, &n.bootstrap_code, &n.expires_at));
    request_status(rq, 201);
    request_set_header(rq, "Cache-Control", "no-store");
    return request_reply(rq, made_tenant_fields, &n);
}
