/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/sign_in.h"

#include "auth/delay.h"
#include "auth/password.h"

#include <string.h>

static const struct field tenant_columns[] = {
    TEXT(struct sign_in, tenant_id, 36),
    NAME(struct sign_in, tenant),
    TEXT(struct sign_in, tenant_state, 10),
    FIELDS_END,
};

static const struct field user_columns[] = {
    TEXT(struct sign_in, id, 36),
    NAME(struct sign_in, name),
    TEXT(struct sign_in, password_hash, 200),
    FIELDS_END,
};

struct lookup {
    struct db *db;
    const char *name;
    struct sign_in *out;
};

QUERY(sign_in_tenant_sql, "SELECT id AS tenant_id, name AS tenant, state AS tenant_state"
                          " FROM tenant_find($1)");

static enum err find_tenant(void *arg)
{
    const struct lookup *l = arg;

    return db_one(l->db, &sign_in_tenant_sql, tenant_columns, l->out, PARAMS(P_TEXT(l->name)));
}

enum err sign_in_tenant(struct db *db, const char *name, struct sign_in *out)
{
    struct lookup l = {.db = db, .name = name, .out = out};

    return db_tx(db, TX_POINT, NULL, find_tenant, &l);
}

QUERY(sign_in_user_sql, "SELECT id, name, password_hash FROM principal"
                        " WHERE tenant_id = current_tenant() AND name = $1"
                        " AND kind = 'user' AND state = 'active'");

static enum err find_user(void *arg)
{
    const struct lookup *l = arg;

    return db_one(l->db, &sign_in_user_sql, user_columns, l->out, PARAMS(P_TEXT(l->name)));
}

static enum err find(struct request *rq, const char *tenant, const char *user, struct sign_in *out)
{
    struct lookup l = {.db = rq->db, .name = user, .out = out};
    enum err e = sign_in_tenant(rq->db, tenant, out);

    if (e == OK)
        rq->caller = (struct caller){.tenant_id = out->tenant_id, .tenant = out->tenant, .id = ""};
    else if (e != ERR_NOT_FOUND)
        return e;
    /* A tenant that is not there is asked too, so that it takes no less time. */
    e = db_tx(rq->db, TX_POINT, out->tenant_id, find_user, &l);
    if (e == OK && strcmp(out->tenant_state, "active") != 0)
        out->password_hash = NULL;
    return e == ERR_NOT_FOUND ? OK : e;
}

static enum err rate(struct request *rq, int64_t wait_ms)
{
    int64_t seconds = (wait_ms + 999) / 1000;

    request_set_header(rq, "Retry-After", arena_printf(rq->arena, "%lld", (long long)seconds));
    return fail(rq, ERR_RATE, "too many failed sign-ins; try again in %lld s", (long long)seconds);
}

static enum err check(struct request *rq, const char *account, const char *phc,
                      const char *password)
{
    int64_t wait = delay_before(account, rq->remote, time_steady_ms());
    enum err e;

    if (wait > 0)
        return rate(rq, wait);
    e = password_check(phc, password);
    if (e == ERR_RATE)
        return rate(rq, 1000);
    if (e == ERR_CREDENTIALS)
        delay_failed(account, rq->remote, time_steady_ms());
    if (e == OK)
        delay_succeeded(account, rq->remote);
    return e;
}

enum err sign_in(struct request *rq, const char *tenant, const char *user, const char *password,
                 struct sign_in *out)
{
    const char *account = arena_printf(rq->arena, "%s/%s", tenant, user);
    int64_t wait = delay_before(account, rq->remote, time_steady_ms());

    *out = (struct sign_in){.id = NULL};
    if (wait > 0)
        return rate(rq, wait);
    TRY(find(rq, tenant, user, out));
    TRY(check(rq, account, out->password_hash, password));
    out->amr = "pwd";
    out->auth_ms = time_now_ms();
    rq->caller.kind = PRINCIPAL_USER;
    rq->caller.id = out->id;
    rq->caller.name = out->name;
    return OK;
}

QUERY(sign_in_store_sql, "UPDATE principal SET password_hash = $2"
                         " WHERE tenant_id = current_tenant() AND id = $1::uuid");

enum err sign_in_store(struct db *db, const char *id, const char *phc)
{
    return db_change(db, &sign_in_store_sql, PARAMS(P_TEXT(id), P_TEXT(phc)));
}

enum err sign_in_again(struct request *rq, const char *password)
{
    struct sign_in found = {.id = NULL};
    struct lookup l = {.db = rq->db, .name = rq->caller.name, .out = &found};
    const char *account = arena_printf(rq->arena, "%s/%s", rq->caller.tenant, rq->caller.name);
    enum err e = db_tx(rq->db, TX_POINT, rq->caller.tenant_id, find_user, &l);

    if (e != OK && e != ERR_NOT_FOUND)
        return e;
    return check(rq, account, found.password_hash, password);
}
