/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/sign_in/passkey.h"

#include "auth/handlers.h"
#include "auth/oauth/authorize.h"
#include "auth/session.h"
#include "auth/sign_in/known_browser.h"
#include "auth/sign_in/password.h"

#include <string.h>

static const char path[] = "/passkeys";

/* A browser at the page. */
struct visit {
    struct form form;
    struct login_session session;
    bool signed_in;
    struct sign_in who; /* of one that signs in now */
    struct opaque cookie;
    struct rows passkeys;
};

static void begin_form(struct request *rq, struct text *t)
{
    const char *token = page_token(rq);

    text_printf(t, "<form method=\"post\" action=\"%s\">\n", path);
    page_hidden(t, "csrf", token);
}

static enum err sign_in_page(struct request *rq, const struct visit *v, unsigned status,
                             const char *alert)
{
    struct text t;

    page_begin(&t, "Sign in to see your passkeys");
    page_alert(&t, alert);
    if (v->who.ceremony != NULL) {
        begin_form(rq, &t);
        page_hidden(&t, "tenant", v->who.tenant);
        passkey_inputs(&t, v->who.ceremony, "Use your passkey");
    }
    begin_form(rq, &t);
    authorize_inputs(&t, NULL, form_get(&v->form, "user"));
    return authorize_send_page(rq, &t, status, NULL, &v->who);
}

static enum err list_page(struct request *rq, const struct visit *v, unsigned status,
                          const char *alert)
{
    const struct passkey *all = v->passkeys.items;
    struct text t;

    page_begin(&t, "Your passkeys");
    page_alert(&t, alert);
    text_puts(&t, "<ul>\n");
    for (size_t i = 0; i < v->passkeys.count; i++) {
        text_puts(&t, "<li>");
        page_text(&t, all[i].name);
        text_puts(&t, "</li>\n");
    }
    text_puts(&t, "</ul>\n");
    begin_form(rq, &t);
    text_puts(&t,
              "<label for=\"name\">A name for a new one</label><input id=\"name\" name=\"name\" "
              "required maxlength=\"100\">\n<label for=\"password\">Password</label><input "
              "id=\"password\" name=\"password\" type=\"password\" required maxlength=\"256\" "
              "autocomplete=\"current-password\">\n<button>Next</button></form>\n");
    return page_send(rq, &t, status, NULL);
}

static enum err make_page(struct request *rq, const struct ceremony *c, const char *name)
{
    struct text t;

    page_begin(&t, "Make a passkey");
    begin_form(rq, &t);
    page_hidden(&t, "name", name);
    passkey_inputs(&t, c, "Make it now");
    return page_send_script(rq, &t, 200, NULL, passkey_script);
}

static enum err made_page(struct request *rq, const struct passkey_new *n)
{
    struct text t;

    page_begin(&t, "Your passkey is kept");
    if (n->recovery.count > 0)
        text_puts(&t, "<p>If you lose it, each of these codes signs you in once. They are shown "
                      "now and never again.</p>\n<ul>\n");
    for (size_t i = 0; i < n->recovery.count; i++) {
        text_puts(&t, "<li><code>");
        page_text(&t, n->recovery.items[i]);
        text_puts(&t, "</code></li>\n");
    }
    text_puts(&t, n->recovery.count > 0 ? "</ul>\n" : "<p>You can close this page.</p>\n");
    return page_send(rq, &t, 200, NULL);
}

static enum err find_passkeys(void *arg)
{
    struct request *rq = arg;

    return passkey_list(rq->db, rq->caller.id, rq->work);
}

static enum err look(struct request *rq, struct visit *v)
{
    enum err e = login_session_of_browser(rq, &v->session);

    v->signed_in = e == OK;
    if (e != OK)
        return e == ERR_NOT_FOUND ? OK : e;
    rq->work = &v->passkeys;
    return db_tx(rq->db, TX_POINT, rq->caller.tenant_id, find_passkeys, rq);
}

/* GET /passkeys */
enum err get_passkeys_page(struct request *rq)
{
    struct visit v = {.signed_in = false};

    TRY(look(rq, &v));
    return v.signed_in ? list_page(rq, &v, 200, NULL) : sign_in_page(rq, &v, 200, NULL);
}

static enum err begin(struct request *rq)
{
    struct visit *v = rq->work;

    request_object(rq, "users/%s", rq->caller.name);
    return login_session_begin(rq, &v->who, "browser", &v->cookie);
}

static enum err sign_in_here(struct request *rq, struct visit *v)
{
    enum err e = authorize_sign_in(rq, &v->form, &v->who);

    if (authorize_asks_again(e)) {
        (void)sign_in_page(rq, v, err_status(e), rq->detail);
        return e;
    }
    TRY(e);
    opaque_make(rq->arena, COOKIE_PREFIX, v->who.tenant_id, &v->cookie);
    rq->work = v;
    TRY(request_tx(rq, begin));
    login_session_set_cookie(rq, v->cookie.text);
    known_browser_set(rq, v->who.tenant, v->who.name);
    return page_redirect(rq, path);
}

static enum err offer(struct request *rq, const struct visit *v, const char *name)
{
    const char *password = form_get(&v->form, "password");
    struct ceremony c = {.session_id = v->session.id};
    enum err e;

    if (password == NULL || strlen(password) > PASSWORD_MAX)
        return fail(rq, ERR_INVALID, "password: is missing or too long");
    e = passkey_offer(rq, password, v->session.mfa_ms, &c);
    if (e != OK) {
        (void)list_page(rq, v, err_status(e), rq->detail);
        return e;
    }
    return make_page(rq, &c, name);
}

static enum err keep(struct request *rq, const struct visit *v, const char *name)
{
    struct passkey_new n = {.name = name, .ceremony = {.session_id = v->session.id}};
    enum err e;

    TRY(passkey_form(rq, &v->form, &n.ceremony));
    e = passkey_add(rq, &n);
    if (e != OK) {
        (void)list_page(rq, v, err_status(e), rq->detail);
        return e;
    }
    return made_page(rq, &n);
}

/* POST /passkeys: who says no name for a new one signs in. */
enum err post_passkeys_page(struct request *rq)
{
    struct visit v = {.signed_in = false};
    const char *name;

    TRY(form_body(rq, &v.form));
    TRY(page_check(rq, form_get(&v.form, "csrf")));
    name = form_get(&v.form, "name");
    if (name == NULL)
        return sign_in_here(rq, &v);
    if (strlen(name) > PASSKEY_NAME_MAX)
        return fail(rq, ERR_INVALID, "name: has more than 100 bytes");
    TRY(look(rq, &v));
    if (!v.signed_in)
        return fail(rq, ERR_DENIED, "you are not signed in any more; go back and reload");
    return form_get(&v.form, "ceremony") == NULL ? offer(rq, &v, name) : keep(rq, &v, name);
}
