/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/sign_in/sign_in.h"

#include "auth/auth.h"
#include "auth/handlers.h"
#include "auth/sign_in/delay.h"
#include "auth/sign_in/known_browser.h"
#include "auth/sign_in/password.h"
#include "core/sip.h"
#include "core/source.h"

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

enum err sign_in_wait(struct request *rq, int64_t wait_ms)
{
    int64_t seconds = (wait_ms + 999) / 1000;

    request_set_header(rq, "Retry-After", arena_printf(rq->arena, "%lld", (long long)seconds));
    return fail(rq, ERR_RATE, "too many failed sign-ins; try again in %lld s", (long long)seconds);
}

/* Before any statement and any hashing. */
static enum err may_try(struct request *rq, const struct attempt *a)
{
    int64_t wait = delay_before(a, time_steady_ms());

    return wait > 0 ? sign_in_wait(rq, wait) : OK;
}

static enum err check(struct request *rq, const struct attempt *a, const char *phc,
                      const char *password)
{
    bool known = a->known != NULL || a->source == NULL;
    enum err e;

    TRY(may_try(rq, a)); /* again: others may have failed meanwhile */
    e = password_check(phc, password, known ? PASSWORD_AHEAD : PASSWORD_IN_TURN);
    if (e == ERR_RATE)
        return sign_in_wait(rq, 1000);
    if (e == ERR_CREDENTIALS)
        delay_failed(a, time_steady_ms());
    if (e == OK)
        delay_succeeded(a);
    return e;
}

enum err sign_in(struct request *rq, const char *tenant, const char *user, const char *password,
                 struct sign_in *out)
{
    const char *account = known_browser_account(rq->arena, tenant, user);
    char source[SOURCE_SIZE];
    const struct attempt a = {
        .account = account, .source = source, .known = known_browser_id(rq, account)};

    source_of(rq->remote, source);
    *out = (struct sign_in){.id = NULL};
    TRY(may_try(rq, &a));
    TRY(find(rq, tenant, user, out));
    TRY(check(rq, &a, out->password_hash, password));
    out->amr = "pwd";
    out->auth_ms = time_now_ms();
    rq->caller.kind = PRINCIPAL_USER;
    rq->caller.id = out->id;
    rq->caller.name = out->name;
    return OK;
}

/* The forms of our pages, and the one route for programs. */
static bool is_sign_in(const struct route *r)
{
    return r->handler == post_login ||
           (r->action == PUBLIC && r->dialect == DIALECT_PAGE && strcmp(r->method, "POST") == 0);
}

/* Escapes may hide the word: those sign_in meets. */
static bool brings_password(const struct request *rq)
{
    return rq->route->handler == post_login ||
           memmem(rq->raw, rq->raw_length, "password", sizeof("password") - 1) != NULL;
}

enum err auth_glance_body(struct request *rq)
{
    const char *known;
    char source[SOURCE_SIZE];
    int64_t wait;

    if (!is_sign_in(rq->route))
        return OK;
    known = known_browser_id(rq, NULL);
    rq->flow = known == NULL ? FLOW_SIGN_IN : sip_text(FLOWS_NAMED, known);
    if (known != NULL || !brings_password(rq))
        return OK;
    source_of(rq->remote, source);
    wait = delay_of_source(source, time_steady_ms());
    return wait > 0 ? sign_in_wait(rq, wait) : OK;
}

QUERY(sign_in_store_sql, "UPDATE principal SET password_hash = $2"
                         " WHERE tenant_id = current_tenant() AND id = $1::uuid");

enum err sign_in_store(struct db *db, const char *id, const char *phc)
{
    return db_change(db, &sign_in_store_sql, PARAMS(P_TEXT(id), P_TEXT(phc)));
}

/* Whoever has found a token and guesses on keeps nobody from signing in. */
enum err sign_in_again(struct request *rq, const char *password)
{
    struct sign_in found = {.id = NULL};
    struct lookup l = {.db = rq->db, .name = rq->caller.name, .out = &found};
    const struct attempt a = {.account = arena_printf(rq->arena, "again:%s", rq->caller.id)};
    enum err e;

    TRY(may_try(rq, &a));
    e = db_tx(rq->db, TX_POINT, rq->caller.tenant_id, find_user, &l);
    if (e != OK && e != ERR_NOT_FOUND)
        return e;
    return check(rq, &a, found.password_hash, password);
}
