/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/oauth/device.h"

#include "auth/handlers.h"
#include "auth/oauth/authorize.h"
#include "auth/session.h"
#include "auth/sign_in/delay.h"
#include "auth/sign_in/known_browser.h"
#include "auth/sign_in/passkey.h"

#include <string.h>

struct confirming {
    struct form form;
    struct login_session session;
    bool signed_in;
    char user_code[USER_CODE + 1]; /* "" for none */
    struct device device;
    struct db *db;
    struct sign_in who;
    struct opaque cookie;
    const char *state;
};

static void begin_form(struct text *t, const struct confirming *k, const char *token)
{
    text_puts(t, "<form method=\"post\" action=\"/device\">\n");
    page_hidden(t, "csrf", token);
    if (k->user_code[0] != '\0')
        page_hidden(t, "user_code", k->user_code);
}

static enum err sign_in_page(struct request *rq, const struct confirming *k, unsigned status,
                             const char *alert)
{
    const char *token = page_token(rq);
    struct text t;

    page_begin(&t, "Sign in to confirm a device");
    page_alert(&t, alert);
    if (k->who.ceremony != NULL) {
        begin_form(&t, k, token);
        page_hidden(&t, "tenant", k->who.tenant);
        passkey_inputs(&t, k->who.ceremony, "Use your passkey");
    }
    begin_form(&t, k, token);
    authorize_inputs(&t, NULL, form_get(&k->form, "user"));
    return authorize_send_page(rq, &t, status, NULL, &k->who);
}

static enum err code_page(struct request *rq, const struct confirming *k, unsigned status,
                          const char *alert)
{
    const char *token = page_token(rq);
    struct text t;

    page_begin(&t, "Which device?");
    page_alert(&t, alert);
    begin_form(&t, &(struct confirming){.user_code = ""}, token);
    text_puts(&t, "<label for=\"user_code\">The code it shows</label><input id=\"user_code\" "
                  "name=\"user_code\" required maxlength=\"12\" autocomplete=\"off\" value=\"");
    page_text(&t, k->user_code);
    text_puts(&t, "\">\n<button>Next</button></form>\n");
    return page_send(rq, &t, status, NULL);
}

/* RFC 8628 §5.4: whoever was sent a link by a stranger must be able to see what it is. */
static enum err confirm_page(struct request *rq, const struct confirming *k)
{
    const char *token = page_token(rq);
    struct text t;

    page_begin(&t, "Is this your device?");
    text_puts(&t, "<p><b>");
    page_text(&t, k->device.client);
    text_puts(&t, "</b> at the address <b>");
    page_text(&t, k->device.remote);
    text_puts(&t, "</b> wants to act in the name of ");
    page_text(&t, rq->caller.name);
    text_puts(&t, ", for: ");
    page_text(&t, *k->device.scope == '\0' ? "who you are" : k->device.scope);
    text_printf(&t,
                ".</p>\n<p>Its code is <b>%.4s-%s</b>.</p>\n<p class=\"alert\">Say yes only if "
                "you started this yourself, just now, and your device shows this very code. "
                "Somebody who sent you this link wants your access.</p>\n",
                k->device.user_code, k->device.user_code + 4);
    begin_form(&t, k, token);
    text_puts(&t, "<button name=\"decision\" value=\"allow\">Yes, it is mine</button>"
                  "<button name=\"decision\" value=\"deny\">No</button></form>\n");
    return page_send(rq, &t, 200, NULL);
}

static enum err find(void *arg)
{
    struct confirming *k = arg;

    return device_by_user_code(k->db, k->user_code, &k->device);
}

/* Codes of others cannot be tried out: wrong ones cost waits as wrong passwords do. */
static enum err find_device(struct request *rq, struct confirming *k)
{
    const struct attempt guess = {.account = arena_printf(rq->arena, "device:%s", rq->caller.id)};
    int64_t wait = delay_before(&guess, time_steady_ms());
    enum err e;

    if (wait > 0)
        return fail(rq, ERR_RATE, "too many wrong codes; try again in %lld s",
                    (long long)(wait + 999) / 1000);
    k->db = rq->db;
    e = db_tx(rq->db, TX_POINT, rq->caller.tenant_id, find, k);
    if (e == ERR_NOT_FOUND) {
        delay_failed(&guess, time_steady_ms());
        (void)code_page(rq, k, 400, "No device shows this code, or it has expired.");
        return fail(rq, ERR_INVALID, "user_code: no device shows it");
    }
    return e;
}

static enum err look(struct request *rq, struct confirming *k)
{
    const char *code = form_get(&k->form, "user_code");
    enum err e = login_session_of_browser(rq, &k->session);

    if (e != OK && e != ERR_NOT_FOUND)
        return e;
    k->signed_in = e == OK;
    if (code != NULL && !user_code_read(code, k->user_code))
        return fail(rq, ERR_INVALID, "user_code: has eight letters");
    return OK;
}

static enum err show(struct request *rq, struct confirming *k)
{
    if (!k->signed_in)
        return sign_in_page(rq, k, 200, NULL);
    if (k->user_code[0] == '\0')
        return code_page(rq, k, 200, NULL);
    TRY(find_device(rq, k));
    return confirm_page(rq, k);
}

/* GET /device */
enum err get_device(struct request *rq)
{
    struct confirming k = {.user_code = ""};

    TRY(form_query(rq, &k.form));
    TRY(look(rq, &k));
    return show(rq, &k);
}

static enum err begin(struct request *rq)
{
    struct confirming *k = rq->work;

    request_object(rq, "users/%s", rq->caller.name);
    return login_session_begin(rq, &k->who, "browser", &k->cookie);
}

static enum err sign_in_here(struct request *rq, struct confirming *k)
{
    enum err e = authorize_sign_in(rq, &k->form, &k->who);

    if (authorize_asks_again(e)) {
        (void)sign_in_page(rq, k, err_status(e), rq->detail);
        return e;
    }
    TRY(e);
    opaque_make(rq->arena, COOKIE_PREFIX, k->who.tenant_id, &k->cookie);
    rq->work = k;
    TRY(request_tx(rq, begin));
    login_session_set_cookie(rq, k->cookie.text);
    known_browser_set(rq, k->who.tenant, k->who.name);
    return page_redirect(rq, k->user_code[0] == '\0'
                                 ? "/device"
                                 : arena_printf(rq->arena, "/device?user_code=%s", k->user_code));
}

static enum err decide(struct request *rq)
{
    const struct confirming *k = rq->work;

    request_object(rq, "users/%s", rq->caller.name);
    request_audit(rq, "device", json_string(k->device.client));
    request_audit(rq, "answer", json_string(k->state));
    return device_decide(rq->db, k->device.id, k->state, k->session.id);
}

/* POST /device */
enum err post_device(struct request *rq)
{
    struct confirming k = {.user_code = ""};
    const char *decision;
    struct text t;

    TRY(form_body(rq, &k.form));
    TRY(page_check(rq, form_get(&k.form, "csrf")));
    TRY(look(rq, &k));
    decision = form_get(&k.form, "decision");
    if (form_get(&k.form, "password") != NULL || form_get(&k.form, "ceremony") != NULL)
        return sign_in_here(rq, &k);
    if (!k.signed_in)
        return fail(rq, ERR_DENIED, "you are not signed in any more; go back and reload");
    if (k.user_code[0] == '\0')
        return fail(rq, ERR_INVALID, "user_code is missing");
    TRY(find_device(rq, &k));
    if (decision == NULL)
        return page_redirect(rq, arena_printf(rq->arena, "/device?user_code=%s", k.user_code));
    k.state = strcmp(decision, "allow") == 0 ? "approved" : "denied";
    rq->work = &k;
    TRY(request_tx(rq, decide));
    page_begin(&t, strcmp(k.state, "approved") == 0 ? "Your device goes on" : "Refused");
    text_puts(&t, "<p>You can close this page.</p>\n");
    return page_send(rq, &t, 200, NULL);
}
