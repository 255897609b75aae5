/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/oauth/authorize.h"

#include "auth/access_jwt.h"
#include "auth/auth.h"
#include "auth/handlers.h"
#include "auth/session.h"
#include "auth/sign_in/known_browser.h"

#include <string.h>

static bool wants_silence(const struct authorize *z)
{
    return z->prompt != NULL && strcmp(z->prompt, "none") == 0;
}

/* A browser signed in to another tenant is nobody here. */
static enum err look_for_browser(struct request *rq, struct authorize *z)
{
    enum err e = login_session_of_browser(rq, &z->session);

    if (e != OK && e != ERR_NOT_FOUND)
        return e;
    z->signed_in = e == OK && strcmp(rq->caller.tenant_id, z->client.tenant_id) == 0;
    return OK;
}

static void set_cookies(struct request *rq, const struct authorize *z)
{
    login_session_set_cookie(rq, z->cookie.text);
    known_browser_set(rq, z->who.tenant, z->who.name);
}

static enum err give_code(struct request *rq, struct authorize *z)
{
    z->code = ""; /* is wanted */
    TRY(authorize_commit(rq, z));
    if (z->cookie.text != NULL)
        set_cookies(rq, z);
    return authorize_answer(rq, z, NULL);
}

/* Somebody who is there, and only too weakly so (OpenID Connect Core Error Code
 * unmet_authentication_requirements). */
static const char *silent_error(const struct authorize *z)
{
    return z->signed_in && authorize_is_weak(z, z->session.mfa_ms)
               ? "unmet_authentication_requirements"
               : "login_required";
}

static enum err go_on(struct request *rq, struct authorize *z)
{
    bool asks;

    if (authorize_needs_sign_in(z) && !wants_silence(z))
        return authorize_sign_in_page(rq, z, 200, NULL);
    if (authorize_needs_sign_in(z))
        return authorize_answer(rq, z, silent_error(z));
    TRY(authorize_needs_consent(rq, z, &asks));
    if (asks)
        return wants_silence(z) ? authorize_answer(rq, z, "consent_required")
                                : authorize_consent_page(rq, z);
    return give_code(rq, z);
}

/* GET /oauth2/authorize */
enum err get_oauth_authorize(struct request *rq)
{
    struct authorize z = {.max_age = -1};
    const char *error = NULL;

    TRY(form_query(rq, &z.form));
    TRY(authorize_read(rq, &z, &error));
    if (error != NULL)
        return authorize_answer(rq, &z, error);
    TRY(look_for_browser(rq, &z));
    return go_on(rq, &z);
}

static enum err decide(struct request *rq, struct authorize *z, const char *decision)
{
    TRY(look_for_browser(rq, z));
    if (!z->signed_in)
        return fail(rq, ERR_DENIED, "you are not signed in any more; go back and reload");
    if (strcmp(decision, "allow") == 0) {
        z->consented = true;
        return give_code(rq, z);
    }
    TRY(authorize_commit(rq, z));
    rq->detail = "the person refused";
    return authorize_answer(rq, z, "access_denied");
}

/* A new session at every sign-in, whatever cookie came along: none can be foisted on a browser. */
static enum err sign_in_and_go_on(struct request *rq, struct authorize *z)
{
    bool asks;
    enum err e = authorize_sign_in(rq, &z->form, &z->who);

    if (e == OK && strcmp(z->who.tenant_id, z->client.tenant_id) != 0)
        return fail(rq, ERR_DENIED, "tenant: is not the client's");
    if (authorize_asks_again(e)) {
        (void)authorize_sign_in_page(rq, z, err_status(e), rq->detail);
        return e;
    }
    TRY(e);
    if (authorize_is_weak(z, z->who.mfa_ms)) {
        rq->detail = "this account has no second factor";
        return authorize_answer(rq, z, "unmet_authentication_requirements");
    }
    opaque_make(rq->arena, COOKIE_PREFIX, z->client.tenant_id, &z->cookie);
    TRY(authorize_needs_consent(rq, z, &asks));
    if (!asks)
        return give_code(rq, z);
    TRY(authorize_commit(rq, z));
    set_cookies(rq, z);
    return authorize_consent_page(rq, z);
}

/* POST /oauth2/authorize: from our own page alone. */
enum err post_oauth_authorize(struct request *rq)
{
    struct authorize z = {.max_age = -1};
    const char *error = NULL;
    const char *decision;

    TRY(form_body(rq, &z.form));
    TRY(page_check(rq, form_get(&z.form, "csrf")));
    TRY(authorize_read(rq, &z, &error));
    if (error != NULL)
        return ERR_INVALID; /* rq->detail says what it is */
    decision = form_get(&z.form, "decision");
    return decision != NULL ? decide(rq, &z, decision) : sign_in_and_go_on(rq, &z);
}

struct leaving {
    struct form form;
    struct login_session session;
    bool signed_in;
    const char *client_id; /* of who asks; NULL for nobody */
    const char *back;      /* where to, once signed out; NULL for nowhere */
};

/* Who asks: by its name, or by an ID token it was given, even if that has expired (RP-Initiated
 * Logout §2). */
static enum err read_client(struct request *rq, struct leaving *l)
{
    const char *hint = form_get(&l->form, "id_token_hint");
    const char *of_hint = NULL;

    l->client_id = form_get(&l->form, "client_id");
    if (hint == NULL)
        return OK;
    if (access_jwt_id_token(rq->db, hint, &of_hint) != OK)
        return fail(rq, ERR_INVALID, "id_token_hint is no ID token of this issuer");
    if (l->client_id != NULL && strcmp(l->client_id, of_hint) != 0)
        return fail(rq, ERR_INVALID, "client_id is not the one of id_token_hint");
    l->client_id = of_hint;
    return OK;
}

/* OpenID Connect RP-Initiated Logout: only to an address that the client has registered for it. */
static enum err read_leaving(struct request *rq, struct leaving *l)
{
    const char *uri = form_get(&l->form, "post_logout_redirect_uri");
    const char *state = form_get(&l->form, "state");
    struct oauth_client c;
    enum err e = login_session_of_browser(rq, &l->session);

    if (e != OK && e != ERR_NOT_FOUND)
        return e;
    l->signed_in = e == OK;
    TRY(read_client(rq, l));
    if (uri == NULL)
        return OK;
    if (l->client_id == NULL)
        return fail(rq, ERR_INVALID,
                    "client_id or id_token_hint is missing beside post_logout_redirect_uri");
    e = oauth_client_open(rq->db, l->client_id, &c);
    if (e == ERR_NOT_FOUND || (e == OK && !redirect_uri_matches(&c.logout_uris, uri)))
        return fail(rq, ERR_INVALID, "post_logout_redirect_uri is none the client has registered");
    l->back = state == NULL ? uri
                            : arena_printf(rq->arena, "%s%cstate=%s", uri,
                                           strchr(uri, '?') == NULL ? '?' : '&',
                                           percent_encode(rq->arena, state));
    return e;
}

static enum err leave_page(struct request *rq, const struct leaving *l)
{
    static const char *const carried[] = {"post_logout_redirect_uri", "state", NULL};
    const char *token = page_token(rq);
    struct text t;

    page_begin(&t, l->signed_in ? "Sign out?" : "You are not signed in");
    if (l->signed_in) {
        text_puts(&t, "<form method=\"post\" action=\"/oauth2/logout\">\n");
        page_hidden(&t, "csrf", token);
        page_hidden(&t, "client_id", l->client_id);
        for (size_t i = 0; carried[i] != NULL; i++)
            page_hidden(&t, carried[i], form_get(&l->form, carried[i]));
        text_puts(&t, "<button>Sign out</button></form>\n");
    }
    return page_send(rq, &t, 200, NULL);
}

/* GET /oauth2/logout: asks first, as any site can send a browser here. */
enum err get_oauth_logout(struct request *rq)
{
    struct leaving l = {.back = NULL};

    TRY(form_query(rq, &l.form));
    TRY(read_leaving(rq, &l));
    return leave_page(rq, &l);
}

static enum err end(struct request *rq)
{
    const struct leaving *l = rq->work;

    request_object(rq, "users/%s", rq->caller.name);
    return login_session_end(rq->db, l->session.id, "signed out");
}

/* POST /oauth2/logout */
enum err post_oauth_logout(struct request *rq)
{
    struct leaving l = {.back = NULL};
    struct text t;

    TRY(form_body(rq, &l.form));
    TRY(page_check(rq, form_get(&l.form, "csrf")));
    TRY(read_leaving(rq, &l));
    if (!l.signed_in)
        return fail(rq, ERR_CONFLICT, "you are not signed in");
    rq->work = &l;
    TRY(request_tx(rq, end));
    login_session_set_cookie(rq, NULL);
    /* Not "cookies": that the browser has been here before stays known. */
    request_set_header(rq, "Clear-Site-Data", "\"cache\", \"storage\"");
    if (l.back != NULL)
        return page_redirect(rq, l.back);
    page_begin(&t, "You are signed out");
    return page_send(rq, &t, 200, NULL);
}
