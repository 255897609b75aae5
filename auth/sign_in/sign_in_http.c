/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/sign_in/sign_in.h"

#include "auth/access_token.h"
#include "auth/auth.h"
#include "auth/handlers.h"
#include "auth/session.h"
#include "auth/sign_in/known_browser.h"
#include "auth/sign_in/login_session.h"
#include "auth/sign_in/new_password.h"
#include "auth/sign_in/password.h"
#include "auth/sign_in/second_factor.h"

#include <string.h>

enum err sign_in_reply(struct request *rq, const struct bearer *b, json_t *more)
{
    json_t *json = more == NULL ? json_object() : more;
    const char *token = NULL;
    int64_t expires_in = 0;
    enum err e = access_jwt_mint(rq->db, b, &token, &expires_in);

    if (e != OK) {
        json_decref(json);
        return e;
    }
    json_object_set_new(json, "access_token", json_string(token));
    json_object_set_new(json, "token_type", json_string("Bearer"));
    json_object_set_new(json, "expires_in", json_integer(expires_in));
    request_set_header(rq, "Cache-Control", "no-store");
    return request_reply_json(rq, json);
}

struct login {
    const char *tenant;
    const char *user;
    const char *password;
    const char *code;
};

const struct field login_fields[] = {
    TEXT(struct login, tenant, 63),
    TEXT(struct login, user, 63),
    TEXT(struct login, password, PASSWORD_MAX),
    OPT_TEXT(struct login, code, 20),
    FIELDS_END,
};

struct begun {
    struct sign_in who;
    struct opaque handle;
};

static enum err begin(struct request *rq)
{
    struct begun *b = rq->work;

    request_object(rq, "users/%s", rq->caller.name);
    return login_session_begin(rq, &b->who, "password", &b->handle);
}

/* POST /v1/login */
enum err post_login(struct request *rq)
{
    struct login l = {.code = NULL};
    struct begun b;
    enum err e;

    TRY(request_read(rq, &l));
    if (name_valid(l.user))
        request_object(rq, "users/%s", l.user);
    e = sign_in(rq, l.tenant, l.user, l.password, &b.who);
    if (e == ERR_CREDENTIALS)
        return fail(rq, e, "the tenant, user or password is wrong");
    TRY(e);
    TRY(second_factor_check(rq, l.code, &b.who));
    TRY(login_session_enter(rq, b.who.tenant_id, b.who.id, NULL));
    opaque_make(rq->arena, COOKIE_PREFIX, b.who.tenant_id, &b.handle);
    rq->work = &b;
    TRY(request_tx(rq, begin));
    known_browser_set(rq, b.who.tenant, b.who.name);
    return sign_in_reply(rq,
                         &(struct bearer){.tenant_id = b.who.tenant_id,
                                          .tenant = b.who.tenant,
                                          .id = b.who.id,
                                          .name = b.who.name,
                                          .kind = "user",
                                          .session_id = b.handle.id,
                                          .auth_ms = b.who.auth_ms,
                                          .mfa_ms = b.who.mfa_ms,
                                          .amr = b.who.amr},
                         NULL);
}

struct password_change {
    const char *current;
    const char *new;
    const char *hash;
};

const struct field password_change_fields[] = {
    TEXT(struct password_change, current, PASSWORD_MAX),
    FIELD_(struct password_change, new, FIELD_TEXT, .min = PASSWORD_MIN, .max = PASSWORD_MAX),
    FIELDS_END,
};

static enum err store(struct request *rq)
{
    const struct password_change *c = rq->work;

    request_object(rq, "users/%s", rq->caller.name);
    request_status(rq, 204);
    TRY(login_session_end_all(rq->db, rq->caller.id, session_of(rq)->claims.session,
                              "the password was changed"));
    return sign_in_store(rq->db, rq->caller.id, c->hash);
}

static enum err check_current(struct request *rq, const char *current)
{
    enum err e = sign_in_again(rq, current);

    if (e != ERR_CREDENTIALS)
        return e;
    rq->target = "current";
    return fail(rq, ERR_DENIED, "current: is not the password");
}

/* POST /v1/me/password. A token does not do: whoever finds one must not take the account over. */
enum err post_my_password(struct request *rq)
{
    struct password_change c = {.hash = NULL};
    struct session *s = session_of(rq);

    TRY(request_read(rq, &c));
    if (rq->caller.kind != PRINCIPAL_USER || s->claims.kind != TOKEN_ACCESS)
        return fail(rq, ERR_DENIED, "passwords are changed by users who have signed in");
    TRY(check_current(rq, c.current));
    TRY(new_password(rq, "new", c.new, &c.hash));
    rq->work = &c;
    TRY(request_tx(rq, store));
    return request_reply_empty(rq);
}
