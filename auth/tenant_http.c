/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/tenant.h"

#include "auth/bootstrap.h"
#include "auth/handlers.h"
#include "core/request.h"

/* GET /v1/tenants */
enum err get_tenants(struct request *rq)
{
    struct rows rows;

    TRY(tenant_list(rq->db, &rows));
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

/* POST /v1/tenants */
enum err post_tenant(struct request *rq)
{
    struct new_tenant n = {.name = NULL};
    struct tenant taken;
    enum err e;

    TRY(request_read(rq, &n));
    request_object(rq, "tenants/%s", n.name);
    e = tenant_find(rq->db, n.name, &taken);
    if (e == OK)
        return fail(rq, ERR_EXISTS, "there is a tenant %s already", n.name);
    if (e != ERR_NOT_FOUND)
        return e;
    TRY(bootstrap_code_for(rq->db, n.name, &n.bootstrap_code, &n.expires_at));
    request_status(rq, 201);
    request_set_header(rq, "Cache-Control", "no-store");
    return request_reply(rq, made_tenant_fields, &n);
}
