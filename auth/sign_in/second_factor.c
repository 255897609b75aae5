/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/sign_in/second_factor.h"

#include "auth/session.h"
#include "auth/sign_in/delay.h"
#include "auth/sign_in/totp_store.h"

#include <string.h>

static const struct field columns[] = {
    BOOL(struct factors, totp),
    BOOL(struct factors, webauthn),
    BOOL(struct factors, required),
    INT(struct factors, max_age, 60, 86400),
    FIELDS_END,
};

QUERY(factors_sql,
      "SELECT EXISTS (SELECT FROM totp WHERE tenant_id = current_tenant()"
      " AND principal_id = $1::uuid AND confirmed_at IS NOT NULL) AS totp,"
      " EXISTS (SELECT FROM webauthn_credential WHERE tenant_id = current_tenant()"
      " AND principal_id = $1::uuid) AS webauthn, coalesce((SELECT required FROM mfa_policy"
      " WHERE tenant_id = current_tenant()), false) AS required, coalesce((SELECT max_age"
      " FROM mfa_policy WHERE tenant_id = current_tenant()), 900) AS max_age");

struct look {
    struct db *db;
    const char *id;
    struct factors *out;
};

static enum err find(void *arg)
{
    const struct look *l = arg;

    return db_one(l->db, &factors_sql, columns, l->out, PARAMS(P_TEXT(l->id)));
}

enum err factors_of(struct db *db, const char *tenant_id, const char *principal_id,
                    struct factors *out)
{
    struct look l = {.db = db, .id = principal_id, .out = out};

    return db_tx(db, TX_POINT, tenant_id, find, &l);
}

struct trial {
    struct db *db;
    const char *id;
    const char *code;
    const char *amr;
};

static enum err use(void *arg)
{
    struct trial *t = arg;

    return totp_use(t->db, t->id, t->code, &t->amr);
}

/* Guessing codes costs the same waits as guessing passwords, and from everywhere at once too: this
 * locks nobody out who has not lost the password already. */
static enum err try_code(struct request *rq, const char *code, struct sign_in *who)
{
    const struct attempt guess = {.account =
                                      arena_printf(rq->arena, "mfa:%s/%s", who->tenant, who->name)};
    struct trial t = {.db = rq->db, .id = who->id, .code = code};
    int64_t wait = delay_before(&guess, time_steady_ms());
    enum err e;

    if (wait > 0) {
        request_set_header(rq, "Retry-After",
                           arena_printf(rq->arena, "%lld", (long long)(wait + 999) / 1000));
        return fail(rq, ERR_RATE, "code: too many wrong codes; try again in %lld s",
                    (long long)(wait + 999) / 1000);
    }
    e = db_tx(rq->db, TX_WRITE, who->tenant_id, use, &t);
    if (e == ERR_CREDENTIALS) {
        delay_failed(&guess, time_steady_ms());
        return fail(rq, e, "code: is wrong, or was used already");
    }
    TRY(e);
    delay_succeeded(&guess);
    who->amr = t.amr;
    who->mfa_ms = time_now_ms();
    return OK;
}

enum err second_factor_check(struct request *rq, const char *code, struct sign_in *who)
{
    struct factors f;

    TRY(factors_of(rq->db, who->tenant_id, who->id, &f));
    if (!f.totp && !f.webauthn)
        return OK;
    if (code != NULL)
        return try_code(rq, code, who);
    who->passkeys = f.webauthn;
    rq->target = "code";
    return f.totp ? fail(rq, ERR_STEP_UP, "code: the code of your second factor is needed")
                  : fail(rq, ERR_STEP_UP,
                         "code: your second factor is a passkey, which a browser asks for; a "
                         "recovery code does too");
}

/* RFC 9470 §3: what a client must ask the issuer for, to come back with a better token. */
enum err second_factor_demand(struct request *rq, int64_t max_age)
{
    request_set_header(rq, "WWW-Authenticate",
                       arena_printf(rq->arena,
                                    "Bearer realm=\"chancery\", "
                                    "error=\"insufficient_user_authentication\", "
                                    "error_description=\"a fresh second factor is needed\", "
                                    "acr_values=\"mfa\", max_age=%lld",
                                    (long long)max_age));
    return fail(rq, ERR_STEP_UP,
                "this needs a second factor shown within %lld s; POST /v1/me/step-up takes its "
                "code, /v1/me/step-up/passkey a passkey",
                (long long)max_age);
}

static int64_t age_of(int64_t mfa_ms)
{
    return mfa_ms == 0 ? INT64_MAX : (time_now_ms() - mfa_ms) / 1000;
}

enum err second_factor_fresh(struct request *rq)
{
    const struct session *s = session_of(rq);
    struct factors f;

    if (rq->caller.kind != PRINCIPAL_USER)
        return OK;
    TRY(factors_of(rq->db, rq->caller.tenant_id, rq->caller.id, &f));
    if ((!f.totp && !f.webauthn && !f.required) || age_of(s->claims.mfa_ms) <= f.max_age)
        return OK;
    return second_factor_demand(rq, f.max_age);
}

enum err second_factor_own(struct request *rq, int64_t mfa_ms, struct factors *out)
{
    TRY(factors_of(rq->db, rq->caller.tenant_id, rq->caller.id, out));
    return (!out->totp && !out->webauthn) || age_of(mfa_ms) <= out->max_age
               ? OK
               : second_factor_demand(rq, out->max_age);
}

enum err second_factor_person(struct request *rq)
{
    const struct session *s = session_of(rq);

    if (rq->caller.kind != PRINCIPAL_USER || s->claims.kind != TOKEN_ACCESS ||
        s->claims.session[0] == '\0' || s->claims.limited)
        return fail(rq, ERR_DENIED, "second factors are for users who have signed in here");
    return OK;
}

enum err second_factor_reply(struct request *rq, const char *amr, json_t *more)
{
    const struct session *s = session_of(rq);

    return sign_in_reply(rq,
                         &(struct bearer){.tenant_id = rq->caller.tenant_id,
                                          .tenant = rq->caller.tenant,
                                          .id = rq->caller.id,
                                          .name = rq->caller.name,
                                          .kind = "user",
                                          .session_id = s->claims.session,
                                          .auth_ms = s->claims.auth_ms,
                                          .mfa_ms = time_now_ms(),
                                          .amr = amr},
                         more);
}

json_t *recovery_list(const struct texts *codes)
{
    json_t *list = json_array();

    for (size_t i = 0; i < codes->count; i++)
        json_array_append_new(list, json_string(codes->items[i]));
    return list;
}
