/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/oauth/authorize.h"

#include "auth/access_jwt.h"
#include "auth/oauth/scope.h"
#include "auth/session.h"
#include "auth/sign_in/passkey.h"
#include "auth/sign_in/password.h"
#include "auth/sign_in/second_factor.h"

#include <stdio.h>
#include <string.h>

enum { CHALLENGE = 43, AGE_MAX = 365 * 86400, TEXT_LONGEST = 1000 };

const char *const authorize_parameters[] = {"client_id",
                                            "redirect_uri",
                                            "response_type",
                                            "response_mode",
                                            "scope",
                                            "state",
                                            "nonce",
                                            "code_challenge",
                                            "code_challenge_method",
                                            "prompt",
                                            "max_age",
                                            "acr_values",
                                            NULL};

static enum err find_client(struct request *rq, struct authorize *z)
{
    const char *id = form_get(&z->form, "client_id");
    enum err e = id == NULL ? ERR_NOT_FOUND : oauth_client_open(rq->db, id, &z->client);

    if (e == ERR_NOT_FOUND)
        return fail(rq, ERR_INVALID, "client_id: %s",
                    id == NULL ? "is missing" : "there is no such client");
    TRY(e);
    z->want.redirect_uri = form_get(&z->form, "redirect_uri");
    if (z->want.redirect_uri == NULL)
        return fail(rq, ERR_INVALID, "redirect_uri is missing");
    if (strlen(z->want.redirect_uri) > TEXT_LONGEST || !redirect_uri_valid(z->want.redirect_uri) ||
        !redirect_uri_matches(&z->client.redirect_uris, z->want.redirect_uri))
        return fail(rq, ERR_INVALID, "redirect_uri is none that the client has registered");
    return OK;
}

static const char *say(struct request *rq, const char *code, const char *detail)
{
    rq->detail = detail;
    return code;
}

/* RFC 9700 §2.1.1: PKCE for every client, and S256 alone. */
static const char *check_challenge(struct request *rq, const struct authorize *z)
{
    const char *method = form_get(&z->form, "code_challenge_method");
    uint8_t digest[SHA256_SIZE];

    if (z->want.challenge == NULL)
        return say(rq, "invalid_request", "code_challenge is missing");
    if (method == NULL || strcmp(method, "S256") != 0)
        return say(rq, "invalid_request", "code_challenge_method must be S256");
    if (strlen(z->want.challenge) != CHALLENGE ||
        base64url_decode(z->want.challenge, CHALLENGE, digest, sizeof(digest)) != SHA256_SIZE)
        return say(rq, "invalid_request", "code_challenge is no SHA-256 in base64url");
    return NULL;
}

/* OpenID Connect Core §3.1.2.1: words, of which none stands alone. */
static bool prompt_valid(const char *prompt)
{
    static const char words[] = "login consent select_account";
    const char *rest = prompt == NULL ? "" : prompt;

    if (prompt != NULL && strcmp(prompt, "none") == 0)
        return true;
    while (*(rest += strspn(rest, " ")) != '\0') {
        char word[sizeof(words)];
        size_t length = strcspn(rest, " ");

        if (length >= sizeof(word))
            return false;
        (void)snprintf(word, sizeof(word), "%.*s", (int)length, rest);
        if (!scope_has(words, word))
            return false;
        rest += length;
    }
    return true;
}

static const char *check_wishes(struct request *rq, struct authorize *z)
{
    const char *age = form_get(&z->form, "max_age");
    uint64_t seconds = 0;

    z->max_age = -1;
    if (!prompt_valid(z->prompt))
        return say(rq, "invalid_request",
                   "prompt must be none, or of login, consent and select_account");
    if (z->acr != NULL && !scope_has(z->acr, "pwd") && !scope_has(z->acr, "mfa"))
        return say(rq, "unmet_authentication_requirements", "acr_values has neither pwd nor mfa");
    if (age != NULL && !uint_parse(age, AGE_MAX, &seconds))
        return say(rq, "invalid_request", "max_age is no number of seconds");
    if (age != NULL)
        z->max_age = (int64_t)seconds;
    if (z->want.nonce != NULL && strlen(z->want.nonce) > TEXT_LONGEST)
        return say(rq, "invalid_request", "nonce is longer than 1000 bytes");
    if (!scope_valid(form_get(&z->form, "scope")))
        return say(rq, "invalid_scope", "scope has a word that is not known here");
    return NULL;
}

static const char *check(struct request *rq, struct authorize *z)
{
    const char *type = form_get(&z->form, "response_type");
    const char *mode = form_get(&z->form, "response_mode");
    const char *wrong;

    if (form_get(&z->form, "request") != NULL)
        return say(rq, "request_not_supported", "request is not taken");
    if (form_get(&z->form, "request_uri") != NULL)
        return say(rq, "request_uri_not_supported", "request_uri is not taken");
    if (type == NULL)
        return say(rq, "invalid_request", "response_type is missing");
    if (strcmp(type, "code") != 0)
        return say(rq, "unsupported_response_type", "response_type must be code");
    if (mode != NULL && strcmp(mode, "query") != 0)
        return say(rq, "invalid_request", "response_mode must be query");
    if (!oauth_client_may(&z->client, GRANT_CODE))
        return say(rq, "unauthorized_client", "the client was not given authorization_code");
    wrong = check_challenge(rq, z);
    return wrong != NULL ? wrong : check_wishes(rq, z);
}

enum err authorize_read(struct request *rq, struct authorize *z, const char **error)
{
    TRY(find_client(rq, z));
    z->state = form_get(&z->form, "state");
    z->prompt = form_get(&z->form, "prompt");
    z->acr = form_get(&z->form, "acr_values");
    z->want.challenge = form_get(&z->form, "code_challenge");
    z->want.nonce = form_get(&z->form, "nonce");
    z->want.scope = form_get(&z->form, "scope");
    if (z->want.scope == NULL)
        z->want.scope = "";
    *error = check(rq, z);
    return OK;
}

/* RFC 9207: iss says which server this answer is from. */
enum err authorize_answer(struct request *rq, const struct authorize *z, const char *error)
{
    struct arena *a = rq->arena;
    const char *uri = z->want.redirect_uri;
    const char *what =
        error == NULL ? arena_printf(a, "code=%s", z->code)
                      : arena_printf(a, "error=%s&error_description=%s", error,
                                     percent_encode(a, rq->detail == NULL ? error : rq->detail));
    const char *state =
        z->state == NULL ? "" : arena_printf(a, "&state=%s", percent_encode(a, z->state));

    return page_redirect(rq, arena_printf(a, "%s%c%s%s&iss=%s", uri,
                                          strchr(uri, '?') == NULL ? '?' : '&', what, state,
                                          percent_encode(a, access_jwt_issuer())));
}

static bool is_too_old(const struct authorize *z, int64_t since_ms)
{
    return z->max_age >= 0 && (time_now_ms() - since_ms) / 1000 > z->max_age;
}

/* "mfa" without "pwd" beside it: a second factor, as fresh as the sign-in is to be. */
bool authorize_is_weak(const struct authorize *z, int64_t mfa_ms)
{
    return z->acr != NULL && !scope_has(z->acr, "pwd") && (mfa_ms == 0 || is_too_old(z, mfa_ms));
}

bool authorize_needs_sign_in(const struct authorize *z)
{
    return !z->signed_in || scope_has(z->prompt, "login") ||
           scope_has(z->prompt, "select_account") || is_too_old(z, z->session.auth_ms) ||
           authorize_is_weak(z, z->session.mfa_ms);
}

struct consent {
    struct db *db;
    const char *principal;
    const char *client;
    const char *scope;
};
static const struct field consent_columns[] = {TEXT(struct consent, scope, 1000), FIELDS_END};
QUERY(consent_find_sql, "SELECT scope FROM consent WHERE tenant_id = current_tenant()"
                        " AND principal_id = $1::uuid AND client_id = $2::uuid");
QUERY(consent_put_sql,
      "INSERT INTO consent (tenant_id, principal_id, client_id, scope) VALUES (current_tenant(),"
      " $1::uuid, $2::uuid, $3) ON CONFLICT ON CONSTRAINT consent_key DO UPDATE SET scope = $3,"
      " created_at = now()");

static enum err find_consent(void *arg)
{
    struct consent *c = arg;

    return db_one(c->db, &consent_find_sql, consent_columns, c,
                  PARAMS(P_TEXT(c->principal), P_TEXT(c->client)));
}

enum err authorize_needs_consent(struct request *rq, const struct authorize *z, bool *out)
{
    struct consent c = {.db = rq->db, .principal = rq->caller.id, .client = z->client.id};
    enum err e;

    *out = scope_has(z->prompt, "consent");
    if (*out || !z->client.third_party)
        return OK;
    e = db_tx(rq->db, TX_POINT, z->client.tenant_id, find_consent, &c);
    *out = e == ERR_NOT_FOUND || (e == OK && !scope_within(z->want.scope, c.scope));
    return e == ERR_NOT_FOUND ? OK : e;
}

static enum err commit(struct request *rq)
{
    struct authorize *z = rq->work;
    struct opaque code;

    request_object(rq, "users/%s", rq->caller.name);
    request_audit(rq, "client", json_string(z->client.client_id));
    if (z->cookie.text != NULL)
        TRY(login_session_begin(rq, &z->who, "browser", &z->cookie));
    z->want.session_id = z->cookie.text != NULL ? z->cookie.id : z->session.id;
    if (z->consented)
        TRY(db_change(rq->db, &consent_put_sql,
                      PARAMS(P_TEXT(rq->caller.id), P_TEXT(z->client.id), P_TEXT(z->want.scope))));
    if (z->code == NULL)
        return OK;
    opaque_make(rq->arena, CODE_PREFIX, z->client.tenant_id, &code);
    z->code = code.text;
    return code_insert(rq->db, &code, &z->client, &z->want);
}

enum err authorize_commit(struct request *rq, struct authorize *z)
{
    rq->work = z;
    return request_tx(rq, commit);
}

static enum err with_password(struct request *rq, const struct form *f, struct sign_in *who)
{
    const char *tenant = form_get(f, "tenant");
    const char *user = form_get(f, "user");
    const char *password = form_get(f, "password");
    enum err e;

    if (tenant == NULL || user == NULL || password == NULL)
        return fail(rq, ERR_INVALID, "%s is missing",
                    tenant == NULL ? "tenant"
                    : user == NULL ? "user"
                                   : "password");
    if (!name_valid(tenant) || !name_valid(user) || strlen(password) > PASSWORD_MAX)
        return fail(rq, ERR_CREDENTIALS, "the tenant, user or password is wrong");
    request_object(rq, "users/%s", user);
    e = sign_in(rq, tenant, user, password, who);
    if (e == ERR_CREDENTIALS)
        return fail(rq, e, "the tenant, user or password is wrong");
    TRY(e);
    return second_factor_check(rq, form_get(f, "code"), who);
}

enum err authorize_sign_in(struct request *rq, const struct form *f, struct sign_in *who)
{
    enum err e =
        form_get(f, "ceremony") != NULL ? passkey_sign_in(rq, f, who) : with_password(rq, f, who);

    if (e == ERR_STEP_UP && who->passkeys)
        TRY(passkey_ask(rq, who));
    TRY(e);
    return login_session_enter(rq, who->tenant_id, who->id, NULL);
}
