/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/oauth/federation.h"

#include "auth/access/snapshot.h"
#include "auth/handlers.h"
#include "auth/keys/envelope.h"
#include "auth/oauth/form.h"
#include "auth/oauth/issuer.h"
#include "auth/oauth/login_cookie.h"
#include "auth/oauth/scope.h"
#include "auth/outbound.h"
#include "auth/sign_in/login_session.h"
#include "auth/sign_in/page.h"
#include "auth/sign_in/sign_in.h"

#include <string.h>

enum { LOGIN_SECONDS = 600, RANDOM = 32, SKEW_S = 60, ID_TOKEN_S = 24 * 3600, CODE_MAX = 4000 };

static const char callback_path[] = "/v1/login/callback";

/* A sign-in on its way: begun here, or come back. */
struct journey {
    struct sign_in tenant;
    struct provider provider;
    struct issuer issuer;
    struct login_state state;
    struct federated federated;
    struct person person;
    struct sign_in who;
    struct opaque handle; /* of the session that begins */
};

static const char *redirect_uri(struct arena *a)
{
    return arena_printf(a, "%s%s", access_jwt_issuer(), callback_path);
}

struct lookup {
    struct request *rq;
    const char *provider;
    struct journey *journey;
};

static enum err find_provider(void *arg)
{
    const struct lookup *l = arg;

    return provider_find(l->rq->db, l->provider, &l->journey->provider);
}

/* The same answer whichever of the two is not there. */
static enum err find(struct request *rq, const char *tenant, const char *provider,
                     struct journey *j)
{
    struct lookup l = {.rq = rq, .provider = provider, .journey = j};
    enum err e = sign_in_tenant(rq->db, tenant, &j->tenant);

    if (e == OK && strcmp(j->tenant.tenant_state, "active") != 0)
        e = ERR_NOT_FOUND;
    if (e == OK)
        e = db_tx(rq->db, TX_POINT, j->tenant.tenant_id, find_provider, &l);
    if (e == ERR_NOT_FOUND)
        return fail(rq, ERR_INVALID, "there is no such tenant or identity provider");
    if (e == OK)
        rq->caller =
            (struct caller){.tenant_id = j->tenant.tenant_id, .tenant = j->tenant.tenant, .id = ""};
    return e;
}

static enum err unreachable(struct request *rq, enum err e, const char *why)
{
    if (e == ERR_TOKEN)
        return fail(rq, ERR_CREDENTIALS, "the ID token is refused: %s", why);
    if (e != ERR_RATE)
        e = ERR_UNAVAILABLE;
    return fail(rq, e, "the identity provider cannot be used: %s",
                why == NULL ? err_meaning(e) : why);
}

static const char *random_text(struct arena *a)
{
    uint8_t bytes[RANDOM];

    random_bytes(bytes, sizeof(bytes));
    return base64url_encode(a, bytes, sizeof(bytes));
}

/* Pages of ours alone, so that nobody is sent elsewhere by our name. */
static bool back_valid(const char *back)
{
    static const char *const pages[] = {"/oauth2/authorize?", "/device", "/passkeys"};

    for (size_t i = 0; strlen(back) <= LOGIN_BACK_MAX && i < sizeof(pages) / sizeof(pages[0]);
         i++) {
        size_t length = strlen(pages[i]);

        if (strncmp(back, pages[i], length) == 0 &&
            (pages[i][length - 1] == '?' || back[length] == '\0' || back[length] == '?'))
            return strpbrk(back, "\\#\r\n") == NULL;
    }
    return false;
}

static const char *authorization_url(struct request *rq, const struct journey *j)
{
    struct arena *a = rq->arena;
    struct digest d = sha256_of(j->state.verifier, strlen(j->state.verifier));
    const char *endpoint = j->issuer.authorization_endpoint;

    return arena_printf(
        a,
        "%s%cresponse_type=code&client_id=%s&redirect_uri=%s&scope=%s&state=%s&nonce=%s"
        "&code_challenge=%s&code_challenge_method=S256%s%s%s",
        endpoint, strchr(endpoint, '?') == NULL ? '?' : '&',
        percent_encode(a, j->provider.client_id), percent_encode(a, redirect_uri(a)),
        percent_encode(a, j->provider.scopes), j->state.state, j->state.nonce,
        base64url_encode(a, d.bytes, SHA256_SIZE),
        request_query(rq, "fresh") == NULL ? "" : "&prompt=login",
        j->provider.acr_values == NULL ? "" : "&acr_values=",
        j->provider.acr_values == NULL ? "" : percent_encode(a, j->provider.acr_values));
}

/* GET /v1/login/{tenant}/{provider}. ?back=: a page of ours, to which the browser comes back signed
 * in; without it the callback answers with an access token. ?fresh=: ask for the password there. */
enum err get_federated_login(struct request *rq)
{
    struct journey j = {.person = {.id = NULL}};
    const char *why = NULL;
    enum err e;

    if (!name_valid(rq->args[0]) || !name_valid(rq->args[1]))
        return fail(rq, ERR_INVALID, "there is no such tenant or identity provider");
    if (request_query(rq, "back") != NULL && !back_valid(request_query(rq, "back")))
        return fail(rq, ERR_INVALID, "back: must be a page of this service");
    TRY(find(rq, rq->args[0], rq->args[1], &j));
    e = issuer_find(rq->arena, j.provider.issuer, &j.issuer, &why);
    if (e != OK)
        return unreachable(rq, e, why);
    j.state = (struct login_state){.tenant = j.tenant.tenant,
                                   .provider = j.provider.name,
                                   .provider_id = j.provider.id,
                                   .state = random_text(rq->arena),
                                   .nonce = random_text(rq->arena),
                                   .verifier = random_text(rq->arena),
                                   .back = request_query(rq, "back"),
                                   .expires = time_now_ms() / 1000 + LOGIN_SECONDS};
    TRY(login_cookie_set(rq, &j.state, LOGIN_SECONDS));
    request_status(rq, 303);
    request_set_header(rq, "Location", authorization_url(rq, &j));
    request_set_header(rq, "Cache-Control", "no-store");
    request_set_header(rq, "Referrer-Policy", "no-referrer");
    return request_reply_bytes(rq, "text/plain", "", 0);
}

/* RFC 9207, and OAuth 2.0 Mix-Up: the answer comes from the provider that was asked. */
static enum err check_source(struct request *rq, const struct journey *j)
{
    const char *iss = request_query(rq, "iss");

    if (iss == NULL && j->issuer.says_iss)
        return fail(rq, ERR_INVALID, "the provider's answer lacks iss, which it always says");
    if (iss != NULL && strcmp(iss, j->provider.issuer) != 0)
        return fail(rq, ERR_INVALID, "the answer is from another issuer than the one asked");
    return OK;
}

/* What brings the answer and the browser that began together: the cookie and state. */
static enum err check_answer(struct request *rq, struct journey *j)
{
    const char *state = request_query(rq, "state");
    const char *why = NULL;
    enum err e;

    login_cookie_clear(rq);
    if (login_cookie_read(rq, &j->state) != OK || state == NULL ||
        j->state.expires <= time_now_ms() / 1000 || strlen(state) != strlen(j->state.state) ||
        !secret_equal(state, j->state.state, strlen(state)))
        return fail(rq, ERR_INVALID, "this sign-in was not begun in this browser, or not lately");
    TRY(find(rq, j->state.tenant, j->state.provider, j));
    if (strcmp(j->provider.id, j->state.provider_id) != 0)
        return fail(rq, ERR_INVALID, "the identity provider has been replaced; begin anew");
    e = issuer_find(rq->arena, j->provider.issuer, &j->issuer, &why);
    return e == OK ? check_source(rq, j) : unreachable(rq, e, why);
}

struct opening {
    struct request *rq;
    const struct journey *journey;
    const char *secret;
};

static enum err open_secret(void *arg)
{
    struct opening *o = arg;
    size_t length;

    return envelope_open(o->rq->db,
                         &(struct envelope_place){o->journey->provider.id, 1, PROVIDER_PURPOSE},
                         &o->secret, &length);
}

static void release_json(void *json)
{
    json_decref(json);
}

static enum err read_tokens(struct request *rq, const struct outbound_reply *r, const char **out)
{
    json_t *json = json_loadb(r->body, r->length, JSON_REJECT_DUPLICATES, NULL);
    const char *error = json_string_value(json_object_get(json, "error"));

    if (json != NULL)
        arena_own(rq->arena, json, release_json);
    if (r->status != 200)
        return fail(rq, ERR_CREDENTIALS, "the identity provider refuses the code: %s",
                    error == NULL ? "no reason is given" : error);
    *out = json_string_value(json_object_get(json, "id_token"));
    return *out == NULL ? fail(rq, ERR_CREDENTIALS, "the identity provider gives no ID token") : OK;
}

/* RFC 6749 §4.1.3 with RFC 7636. */
static enum err redeem(struct request *rq, const struct journey *j, const char *code,
                       const char **id_token)
{
    struct arena *a = rq->arena;
    struct opening o = {.rq = rq, .journey = j};
    const char *client = percent_encode(a, j->provider.client_id);
    struct outbound_reply reply;
    struct outbound call = {.url = j->issuer.token_endpoint};
    const char *why = NULL;
    enum err e = db_tx(rq->db, TX_POINT, j->tenant.tenant_id, open_secret, &o);

    if (e == ERR_NOT_FOUND)
        return fail(rq, ERR_UNAVAILABLE, "the identity provider's client secret is gone");
    TRY(e);
    call.form = arena_printf(a,
                             "grant_type=authorization_code&code=%s&redirect_uri=%s"
                             "&code_verifier=%s&client_id=%s",
                             percent_encode(a, code), percent_encode(a, redirect_uri(a)),
                             j->state.verifier, client);
    if (j->issuer.secret_post) {
        call.form = arena_printf(a, "%s&client_secret=%s", call.form, percent_encode(a, o.secret));
    } else {
        call.user = client;
        call.password = percent_encode(a, o.secret);
    }
    e = outbound_send(a, &call, &reply, &why);
    return e == OK ? read_tokens(rq, &reply, id_token) : unreachable(rq, e, why);
}

unsigned provider_algorithms(const struct provider *p)
{
    unsigned set = 0;

    for (size_t i = 0; i < p->algorithms.count; i++)
        set |= jws_alg_find(p->algorithms.items[i]);
    return set;
}

/* Asking is no more than a wish (Core §3.1.2.1): what counts is what the token says. */
static bool strong_enough(const struct provider *p, const json_t *claims)
{
    const char *acr = json_string_value(json_object_get(claims, "acr"));

    return p->acr_values == NULL ||
           (acr != NULL && strchr(acr, ' ') == NULL && scope_has(p->acr_values, acr));
}

static enum err believe(struct request *rq, struct journey *j, const char *id_token)
{
    const struct foreign_rules rules = {.issuer = j->provider.issuer,
                                        .audience = j->provider.client_id,
                                        .nonce = j->state.nonce,
                                        .algs = provider_algorithms(&j->provider),
                                        .now = time_now_ms() / 1000,
                                        .skew = SKEW_S,
                                        .lifetime_max = ID_TOKEN_S};
    const json_t *claims;
    const char *why = NULL;
    enum err e = issuer_token(rq->arena, id_token, &rules, &claims, &why);

    if (e != OK)
        return unreachable(rq, e, why);
    if (!strong_enough(&j->provider, claims))
        return fail(rq, ERR_CREDENTIALS,
                    "the ID token is refused: its acr is none of the provider's acr_values");
    return federation_read(rq->arena, &j->provider, claims, &j->federated) == OK
               ? OK
               : fail(rq, ERR_CREDENTIALS, "the ID token is refused: its claims are malformed");
}

/* A person, and a session that the provider may end. What the provider says of second factors is
 * not taken over: here none was shown. */
static enum err arrive(struct request *rq)
{
    struct journey *j = rq->work;
    int64_t now = time_now_ms();

    TRY(federation_enter(rq, &j->provider, &j->federated, &j->person));
    rq->caller.kind = PRINCIPAL_USER;
    rq->caller.id = j->person.id;
    rq->caller.name = j->person.name;
    request_object(rq, "users/%s", j->person.name);
    request_audit(rq, "identity_provider", json_string(j->provider.name));
    if (j->federated.overage)
        request_audit(rq, "groups_overage", json_true());
    j->who = (struct sign_in){.tenant_id = j->tenant.tenant_id,
                              .id = j->person.id,
                              .amr = "",
                              .auth_ms = j->federated.auth_ms > 0 && j->federated.auth_ms < now
                                             ? j->federated.auth_ms
                                             : now};
    opaque_make(rq->arena, COOKIE_PREFIX, j->tenant.tenant_id, &j->handle);
    TRY(login_session_begin(rq, &j->who, j->state.back == NULL ? "federated" : "browser",
                            &j->handle));
    return login_session_from(rq->db, j->handle.id, j->provider.id, j->federated.sid);
}

static enum err welcome(struct request *rq, const struct journey *j)
{
    json_t *more;

    request_set_header(rq, "Referrer-Policy", "no-referrer");
    if (j->state.back != NULL) {
        login_session_set_cookie(rq, j->handle.text);
        return page_redirect(rq, j->state.back);
    }
    more = json_pack("{s:s,s:s}", "tenant", j->tenant.tenant, "user", j->person.name);
    if (j->federated.overage)
        json_object_set_new(more, "warning",
                            json_string("the identity provider says this account is in too many "
                                        "groups to name them; no group of it counts here"));
    return sign_in_reply(rq,
                         &(struct bearer){.tenant_id = j->tenant.tenant_id,
                                          .tenant = j->tenant.tenant,
                                          .id = j->person.id,
                                          .name = j->person.name,
                                          .kind = "user",
                                          .session_id = j->handle.id,
                                          .auth_ms = j->who.auth_ms,
                                          .amr = j->who.amr},
                         more);
}

/* GET /v1/login/callback */
enum err get_federated_callback(struct request *rq)
{
    struct journey j = {.person = {.id = NULL}};
    struct policy *policy = NULL;
    const char *error = request_query(rq, "error");
    const char *code = request_query(rq, "code");
    const char *id_token = NULL;

    TRY(check_answer(rq, &j));
    if (error != NULL)
        return fail(rq, ERR_DENIED, "the identity provider refuses: %.100s", error);
    if (code == NULL || *code == '\0' || strlen(code) > CODE_MAX)
        return fail(rq, ERR_INVALID, "code is missing");
    TRY(redeem(rq, &j, code, &id_token));
    TRY(believe(rq, &j, id_token));
    rq->work = &j;
    TRY(request_tx(rq, arrive));
    login_cookie_clear(rq); /* the transaction took back what was said before it */
    if (snapshot_renew(rq->db, j.tenant.tenant_id, &policy) == OK)
        policy_drop(policy);
    return welcome(rq, &j);
}
