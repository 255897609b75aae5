/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/oauth/authorize.h"

#include "auth/oauth/login_cookie.h"
#include "auth/oauth/provider.h"
#include "auth/oauth/scope.h"
#include "auth/sign_in/passkey.h"

#include <string.h>

enum { PROVIDERS_SHOWN = 10 };

/* Browsers check form-action again when we redirect: the client's origin, or its scheme. */
static const char *origin_of(struct arena *a, const char *uri)
{
    const char *host = strstr(uri, "://");

    if (host == NULL || strncmp(uri, "http", 4) != 0)
        return arena_printf(a, "%.*s:", (int)strcspn(uri, ":"), uri);
    return arena_printf(a, "%.*s", (int)(host + 3 - uri + (long)strcspn(host + 3, "/?")), uri);
}

static void begin_form(struct request *rq, struct text *t, const struct authorize *z)
{
    const char *token = page_token(rq);

    text_puts(t, "<form method=\"post\" action=\"/oauth2/authorize\">\n");
    page_hidden(t, "csrf", token);
    for (size_t i = 0; authorize_parameters[i] != NULL; i++)
        page_hidden(t, authorize_parameters[i], form_get(&z->form, authorize_parameters[i]));
}

void authorize_inputs(struct text *t, const char *tenant, const char *user)
{
    if (tenant == NULL)
        text_puts(t, "<label for=\"tenant\">Tenant</label><input id=\"tenant\" name=\"tenant\" "
                     "required maxlength=\"63\" autocomplete=\"organization\">\n");
    else
        page_hidden(t, "tenant", tenant);
    text_puts(t, "<label for=\"user\">User</label><input id=\"user\" name=\"user\" required "
                 "maxlength=\"63\" autocomplete=\"username\" value=\"");
    page_text(t, user);
    text_puts(t, "\">\n<label for=\"password\">Password</label><input id=\"password\" "
                 "name=\"password\" type=\"password\" required maxlength=\"256\" "
                 "autocomplete=\"current-password\">\n"
                 "<label for=\"code\">Code of your second factor, if you have one</label>"
                 "<input id=\"code\" name=\"code\" maxlength=\"20\" inputmode=\"numeric\" "
                 "autocomplete=\"one-time-code\">\n<button>Sign in</button></form>\n");
}

/* What comes after a sign-in elsewhere: the same request, but not asking for a sign-in again. */
static const char *back_of(struct arena *a, const struct authorize *z)
{
    const char *back = "/oauth2/authorize?";

    for (size_t i = 0; authorize_parameters[i] != NULL; i++) {
        const char *name = authorize_parameters[i];
        const char *value = form_get(&z->form, name);

        if (value != NULL && strcmp(name, "prompt") != 0 && strcmp(name, "max_age") != 0)
            back = arena_printf(a, "%s%s%s=%s", back, strchr(back, '=') == NULL ? "" : "&", name,
                                percent_encode(a, value));
    }
    return scope_has(z->prompt, "consent") ? arena_printf(a, "%s&prompt=consent", back) : back;
}

struct elsewhere {
    struct db *db;
    struct rows providers;
};

static enum err find_providers(void *arg)
{
    struct elsewhere *w = arg;

    return provider_list(w->db, NULL, PROVIDERS_SHOWN, &w->providers);
}

/* Links to the tenant's identity providers; the page does without when they cannot be read. */
static void add_providers(struct request *rq, struct text *t, const struct authorize *z)
{
    const char *back = back_of(rq->arena, z);
    struct elsewhere w = {.db = rq->db};
    const struct provider *all;

    if (strlen(back) > LOGIN_BACK_MAX ||
        db_tx(rq->db, TX_POINT, z->client.tenant_id, find_providers, &w) != OK)
        return;
    all = w.providers.items;
    for (size_t i = 0; i < w.providers.count; i++) {
        text_printf(t, "<p><a href=\"/v1/login/%s/%s?%sback=%s\">Sign in at ", z->client.tenant,
                    all[i].name, z->prompt != NULL || z->max_age >= 0 ? "fresh=1&amp;" : "",
                    percent_encode(rq->arena, back));
        page_text(t, all[i].name);
        text_puts(t, "</a></p>\n");
    }
}

static const char *client_name(const struct authorize *z)
{
    return *z->client.display_name == '\0' ? z->client.name : z->client.display_name;
}

enum err authorize_sign_in_page(struct request *rq, const struct authorize *z, unsigned status,
                                const char *alert)
{
    struct text t;

    page_begin(&t, "Sign in");
    text_puts(&t, "<p>to ");
    page_text(&t, client_name(z));
    text_puts(&t, ", in the tenant <b>");
    page_text(&t, z->client.tenant);
    text_puts(&t, "</b>.</p>\n");
    page_alert(&t, alert);
    if (z->who.ceremony != NULL) {
        begin_form(rq, &t, z);
        page_hidden(&t, "tenant", z->client.tenant);
        passkey_inputs(&t, z->who.ceremony, "Use your passkey");
    }
    begin_form(rq, &t, z);
    authorize_inputs(&t, z->client.tenant, form_get(&z->form, "user"));
    add_providers(rq, &t, z);
    return authorize_send_page(rq, &t, status, origin_of(rq->arena, z->want.redirect_uri), &z->who);
}

bool authorize_asks_again(enum err e)
{
    return e == ERR_CREDENTIALS || e == ERR_RATE || e == ERR_STEP_UP || e == ERR_TOKEN;
}

enum err authorize_send_page(struct request *rq, struct text *t, unsigned status, const char *next,
                             const struct sign_in *who)
{
    return page_send_script(rq, t, status, next, who->ceremony == NULL ? NULL : passkey_script);
}

enum err authorize_consent_page(struct request *rq, const struct authorize *z)
{
    struct text t;

    page_begin(&t, "May this program act for you?");
    text_puts(&t, "<p><b>");
    page_text(&t, client_name(z));
    text_puts(&t, "</b> asks, in the name of ");
    page_text(&t, rq->caller.name);
    text_puts(&t, ", for: <b>");
    page_text(&t, *z->want.scope == '\0' ? "who you are" : z->want.scope);
    text_puts(&t, "</b>. The answer goes to ");
    page_text(&t, origin_of(rq->arena, z->want.redirect_uri));
    text_puts(&t, ".</p>\n");
    begin_form(rq, &t, z);
    text_puts(&t, "<button name=\"decision\" value=\"allow\">Allow</button>"
                  "<button name=\"decision\" value=\"deny\">Refuse</button></form>\n");
    return page_send(rq, &t, 200, origin_of(rq->arena, z->want.redirect_uri));
}
