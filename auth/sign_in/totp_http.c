/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/sign_in/second_factor.h"

#include "auth/access/authority.h"
#include "auth/auth.h"
#include "auth/handlers.h"
#include "auth/principal.h"
#include "auth/session.h"
#include "auth/sign_in/login_session.h"
#include "auth/sign_in/password.h"
#include "auth/sign_in/totp_store.h"
#include "lineage/audit.h"

#include <openssl/crypto.h>
#include <string.h>

enum { BASE32_TEXT = TOTP_SECRET * 8 / 5, CODE_MAX = 20 };

struct totp_body {
    const char *password;
    const char *code;
};
const struct field totp_begin_fields[] = {TEXT(struct totp_body, password, PASSWORD_MAX),
                                          FIELDS_END};
const struct field totp_code_fields[] = {TEXT(struct totp_body, code, CODE_MAX), FIELDS_END};

struct work {
    uint8_t secret[TOTP_SECRET];
    const char *code;
    const char *codes[RECOVERY_CODES];
};

/* RFC 4648 §6. */
static void base32(const uint8_t secret[TOTP_SECRET], char out[BASE32_TEXT + 1])
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

    for (size_t i = 0; i < BASE32_TEXT; i++) {
        size_t bit = 5 * i;
        unsigned two =
            (unsigned)secret[bit / 8] << 8 | (bit / 8 + 1 < TOTP_SECRET ? secret[bit / 8 + 1] : 0U);

        out[i] = letters[two >> (11 - bit % 8) & 31];
    }
    out[BASE32_TEXT] = '\0';
}

static enum err begin(struct request *rq)
{
    const struct work *w = rq->work;

    request_object(rq, "users/%s", rq->caller.name);
    return totp_begin(rq->db, rq->caller.id, w->secret);
}

/* POST /v1/me/totp */
enum err post_my_totp(struct request *rq)
{
    struct totp_body b;
    struct work w = {.code = NULL};
    char text[BASE32_TEXT + 1];
    struct factors f = {.totp = false};
    enum err e;

    TRY(request_read(rq, &b));
    TRY(second_factor_person(rq));
    e = second_factor_own(rq, session_of(rq)->claims.mfa_ms, &f);
    if (f.totp)
        return fail(rq, ERR_CONFLICT, "there are one-time codes already; remove them first");
    TRY(e);
    e = sign_in_again(rq, b.password);
    rq->target = "password";
    if (e == ERR_CREDENTIALS)
        return fail(rq, ERR_DENIED, "password: is not the password");
    TRY(e);
    random_bytes(w.secret, sizeof(w.secret));
    rq->work = &w;
    e = request_tx(rq, begin);
    if (e == ERR_EXISTS)
        return fail(rq, ERR_CONFLICT, "there are one-time codes already; remove them first");
    TRY(e);
    base32(w.secret, text);
    OPENSSL_cleanse(w.secret, sizeof(w.secret));
    request_status(rq, 201);
    request_set_header(rq, "Cache-Control", "no-store");
    return request_reply_json(
        rq, json_pack("{s:s,s:s}", "secret", text, "uri",
                      arena_printf(rq->arena,
                                   "otpauth://totp/Chancery:%s%%2F%s?secret=%s&issuer=Chancery",
                                   rq->caller.tenant, rq->caller.name, text)));
}

static enum err confirm(struct request *rq)
{
    struct session *s = session_of(rq);
    struct work *w = rq->work;

    request_object(rq, "users/%s", rq->caller.name);
    TRY(totp_confirm(rq->db, rq->caller.id, w->code));
    TRY(login_session_factor(rq->db, s->claims.session, "pwd otp mfa"));
    return recovery_codes_make(rq->db, rq->caller.id, w->codes);
}

static enum err wrong_code(struct request *rq)
{
    rq->target = "code";
    return fail(rq, ERR_DENIED, "code: is wrong, or was used already");
}

/* POST /v1/me/totp/confirm */
enum err post_my_totp_confirm(struct request *rq)
{
    struct totp_body b;
    struct work w = {.code = NULL};
    enum err e;

    TRY(request_read(rq, &b));
    TRY(second_factor_person(rq));
    w.code = b.code;
    rq->work = &w;
    e = request_tx(rq, confirm);
    if (e == ERR_CREDENTIALS)
        return wrong_code(rq);
    if (e == ERR_NOT_FOUND)
        return fail(rq, ERR_CONFLICT, "there is no secret that waits; POST /v1/me/totp makes one");
    TRY(e);
    return second_factor_reply(
        rq, "pwd otp mfa",
        json_pack("{s:o}", "recovery_codes",
                  recovery_list(&(struct texts){.items = w.codes, .count = RECOVERY_CODES})));
}

/* The code is tried first, in a transaction of its own: a wrong one counts even so. any: a recovery
 * code that stands in for a passkey will do. */
static enum err show_code(struct request *rq, const char *code, bool any, struct sign_in *who)
{
    struct factors f;
    enum err e;

    *who = (struct sign_in){.tenant_id = rq->caller.tenant_id,
                            .tenant = rq->caller.tenant,
                            .id = rq->caller.id,
                            .name = rq->caller.name};
    TRY(factors_of(rq->db, rq->caller.tenant_id, rq->caller.id, &f));
    if (!f.totp && !(any && f.webauthn))
        return fail(rq, ERR_CONFLICT, "there are no one-time codes; POST /v1/me/totp begins");
    e = second_factor_check(rq, code, who);
    return e == ERR_CREDENTIALS ? wrong_code(rq) : e;
}

static enum err step_up(struct request *rq)
{
    const struct session *s = session_of(rq);
    const struct sign_in *who = rq->work;

    request_object(rq, "users/%s", rq->caller.name);
    return login_session_factor(rq->db, s->claims.session, who->amr);
}

/* POST /v1/me/step-up */
enum err post_my_step_up(struct request *rq)
{
    struct totp_body b;
    struct sign_in who;

    TRY(request_read(rq, &b));
    TRY(second_factor_person(rq));
    TRY(show_code(rq, b.code, true, &who));
    rq->work = &who;
    TRY(request_tx(rq, step_up));
    return second_factor_reply(rq, who.amr, NULL);
}

static enum err take_away(struct request *rq)
{
    request_object(rq, "users/%s", rq->caller.name);
    request_status(rq, 204);
    return totp_remove(rq->db, rq->caller.id);
}

/* POST /v1/me/totp/remove */
enum err post_my_totp_remove(struct request *rq)
{
    struct totp_body b;
    struct sign_in who;

    TRY(request_read(rq, &b));
    TRY(second_factor_person(rq));
    TRY(show_code(rq, b.code, false, &who));
    TRY(request_tx(rq, take_away));
    return request_reply_empty(rq);
}

static const struct field factors_fields[] = {
    BOOL(struct factors, totp), BOOL(struct factors, webauthn), BOOL(struct factors, required),
    INT(struct factors, max_age, 60, 86400), FIELDS_END};

/* GET /v1/me/second-factors */
enum err get_my_factors(struct request *rq)
{
    struct factors f;

    TRY(factors_of(rq->db, rq->caller.tenant_id, rq->caller.id, &f));
    return request_reply(rq, factors_fields, &f);
}

const struct field mfa_policy_fields[] = {BOOL(struct factors, required),
                                          OPT_INT(struct factors, max_age, 60, 86400), FIELDS_END};

QUERY(mfa_policy_put_sql,
      "INSERT INTO mfa_policy (tenant_id, required, max_age) VALUES (current_tenant(), $1::boolean,"
      " $2::bigint) ON CONFLICT ON CONSTRAINT mfa_policy_key DO UPDATE SET required = $1::boolean,"
      " max_age = $2::bigint");

/* GET /v1/mfa-policy */
enum err get_mfa_policy(struct request *rq)
{
    struct factors f;

    TRY(factors_of(rq->db, rq->caller.tenant_id, rq->caller.id, &f));
    return request_reply(rq, mfa_policy_fields, &f);
}

/* PUT /v1/mfa-policy */
enum err put_mfa_policy(struct request *rq)
{
    struct factors f = {.max_age = MFA_MAX_AGE_S}, was;

    TRY(request_read(rq, &f));
    request_object(rq, "mfa-policy");
    TRY(factors_of(rq->db, rq->caller.tenant_id, rq->caller.id, &was));
    audit_before(rq, mfa_policy_fields, &was);
    TRY(db_change(rq->db, &mfa_policy_put_sql, PARAMS(P_BOOL(f.required), P_INT(f.max_age))));
    return request_reply(rq, mfa_policy_fields, &f);
}

static enum err find_user(struct request *rq, struct principal *p)
{
    uint32_t index;

    TRY(authority_fence(rq));
    TRY(principal_find(rq->db, "user", rq->args[0], p));
    request_object(rq, "users/%s", p->name);
    index = policy_find_principal(session_of(rq)->policy, p->id);
    return authority_covers(rq, index);
}

/* POST /v1/users/{user}/second-factors/reset. Nobody does it to an account that may more. */
enum err post_factor_reset(struct request *rq)
{
    struct principal p;

    TRY(find_user(rq, &p));
    TRY(factors_remove(rq->db, p.id));
    TRY(login_session_end_all(rq->db, p.id, NULL, "the second factor was taken away"));
    return request_reply_empty(rq);
}
