/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/limit.h"

#include "auth/handlers.h"
#include "lineage/audit.h"

enum { RATE_MAX = 1000000 };

const struct field limit_fields[] = {
#define LIMIT(name, units, meaning) INT(struct limits, name, 1, RATE_MAX),
#include "auth/limits.def"
#undef LIMIT
    FIELDS_END,
};

const struct field limits_body_fields[] = {
#define LIMIT(name, units, meaning) OPT_INT(struct limits, name, 1, RATE_MAX),
#include "auth/limits.def"
#undef LIMIT
    FIELDS_END,
};

struct shown {
    struct limits limits; /* that hold */
    struct limits maxima; /* that the installation allows */
};

static const struct field shown_fields[] = {
    RECORD(struct shown, limits, limit_fields),
    RECORD(struct shown, maxima, limit_fields),
    FIELDS_END,
};

static enum err show(struct request *rq, const struct limits *own)
{
    const struct shown s = {.limits = limit_effective(own), .maxima = limit_effective(NULL)};

    return request_reply(rq, shown_fields, &s);
}

QUERY(limits_own_sql,
      "SELECT coalesce(tenant, 0) AS tenant, coalesce(principal, 0) AS principal,"
      " coalesce(read, 0) AS read, coalesce(write, 0) AS write, coalesce(heavy, 0) AS heavy,"
      " coalesce(auth, 0) AS auth, coalesce(invoke, 0) AS invoke FROM tenant_limit"
      " WHERE tenant_id = current_tenant()");

/* GET /v1/limits */
enum err get_limits(struct request *rq)
{
    struct limits own;
    enum err e = db_one(rq->db, &limits_own_sql, limit_fields, &own, NO_PARAMS);

    if (e != OK && e != ERR_NOT_FOUND)
        return e;
    return show(rq, e == OK ? &own : NULL);
}

QUERY(limits_put_sql,
      "INSERT INTO tenant_limit (tenant_id, tenant, principal, read, write, heavy, auth, invoke)"
      " VALUES (current_tenant(), nullif($1::bigint, 0), nullif($2::bigint, 0),"
      " nullif($3::bigint, 0), nullif($4::bigint, 0), nullif($5::bigint, 0), nullif($6::bigint, 0),"
      " nullif($7::bigint, 0)) ON CONFLICT ON CONSTRAINT tenant_limit_key DO UPDATE SET"
      " tenant = excluded.tenant, principal = excluded.principal, read = excluded.read,"
      " write = excluded.write, heavy = excluded.heavy, auth = excluded.auth,"
      " invoke = excluded.invoke");

static enum err within(struct request *rq, const char *name, int64_t wanted, int64_t most)
{
    if (wanted <= most)
        return OK;
    rq->target = name;
    return fail(rq, ERR_INVALID, "%s: at most %lld a second here", name, (long long)most);
}

static enum err store(struct request *rq)
{
    const struct limits *l = rq->work;
    struct limits was = {0};
    enum err e = db_one(rq->db, &limits_own_sql, limit_fields, &was, NO_PARAMS);

    if (e != OK && e != ERR_NOT_FOUND)
        return e;
    request_object(rq, "limits");
    audit_before(rq, limit_fields, &was);
    audit_after_as(rq, limit_fields, l);
    return db_change(rq->db, &limits_put_sql,
                     PARAMS(P_INT(l->tenant), P_INT(l->principal), P_INT(l->read), P_INT(l->write),
                            P_INT(l->heavy), P_INT(l->auth), P_INT(l->invoke)));
}

/* PUT /v1/limits. What is not named is as the installation has it. */
enum err put_limits(struct request *rq)
{
    const struct limits most = limit_effective(NULL);
    struct limits own = {0};

    TRY(request_read(rq, &own));
#define LIMIT(name, units, meaning) TRY(within(rq, #name, own.name, most.name));
#include "auth/limits.def"
#undef LIMIT
    rq->work = &own;
    TRY(request_tx(rq, store));
    limit_set(rq->caller.tenant_id, &own);
    return show(rq, &own);
}
