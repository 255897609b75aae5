/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/sign_in/page.h"

#include "auth/access_jwt.h"
#include "auth/oauth/opaque.h"

#include <stdlib.h>
#include <string.h>

#define FORM_COOKIE "__Host-chancery-form"

enum { COOKIE_BYTES = 32, COOKIE_TEXT = 43 };

static const char style[] =
    "body{font:16px/1.5 system-ui,sans-serif;max-width:26rem;margin:12vh auto;padding:0 1rem;"
    "color:#1b1f24;background:#f6f7f9}main{background:#fff;border:1px solid #d5d9df;padding:1.5rem "
    "2rem;border-radius:8px}h1{font-size:1.25rem}label{display:block;margin:.75rem "
    "0 .25rem}input{font:inherit;width:100%;box-sizing:border-box;padding:.4rem}button{font:"
    "inherit;margin:1rem .5rem 0 0;padding:.45rem 1.1rem}.alert{color:#8c1515}";

void page_text(struct text *t, const char *s)
{
    for (; s != NULL && *s != '\0'; s++) {
        if (*s == '&')
            text_puts(t, "&amp;");
        else if (*s == '<')
            text_puts(t, "&lt;");
        else if (*s == '>')
            text_puts(t, "&gt;");
        else if (*s == '"')
            text_puts(t, "&quot;");
        else if (*s == '\'')
            text_puts(t, "&#39;");
        else
            text_add(t, s, 1);
    }
}

void page_begin(struct text *t, const char *title)
{
    *t = text_new(PAGE_MAX);
    text_puts(t, "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
                 "<meta name=\"viewport\" content=\"width=device-width\"><title>");
    page_text(t, title);
    text_printf(t, "</title><style>%s</style></head>\n<body><main><h1>", style);
    page_text(t, title);
    text_puts(t, "</h1>\n");
}

void page_alert(struct text *t, const char *what)
{
    if (what == NULL)
        return;
    text_puts(t, "<p class=\"alert\" role=\"alert\">");
    page_text(t, what);
    text_puts(t, "</p>\n");
}

void page_hidden(struct text *t, const char *name, const char *value)
{
    if (value == NULL)
        return;
    text_puts(t, "<input type=\"hidden\" name=\"");
    page_text(t, name);
    text_puts(t, "\" value=\"");
    page_text(t, value);
    text_puts(t, "\">\n");
}

/* CSP 3 §8.4: an element's text is allowed by its digest. */
static const char *hash_source(struct arena *a, const char *directive, const char *text)
{
    struct digest d;

    if (text == NULL)
        return "";
    d = sha256_of(text, strlen(text));
    return arena_printf(a, "%s 'sha256-%s'; ", directive, base64_encode(a, d.bytes, SHA256_SIZE));
}

static void set_policy(struct request *rq, const char *next, const char *script)
{
    request_set_header(rq, "Content-Security-Policy",
                       arena_printf(rq->arena,
                                    "default-src 'none'; %s%sform-action 'self'%s%s; "
                                    "frame-ancestors 'none'; base-uri 'none'",
                                    hash_source(rq->arena, "style-src", style),
                                    hash_source(rq->arena, "script-src", script),
                                    next == NULL ? "" : " ", next == NULL ? "" : next));
    request_set_header(rq, "X-Frame-Options", "DENY");
    request_set_header(rq, "Referrer-Policy", "same-origin");
    request_set_header(rq, "Cache-Control", "no-store");
}

enum err page_send(struct request *rq, struct text *t, unsigned status, const char *next)
{
    return page_send_script(rq, t, status, next, NULL);
}

enum err page_send_script(struct request *rq, struct text *t, unsigned status, const char *next,
                          const char *script)
{
    if (script != NULL)
        text_printf(t, "<script>%s</script>", script);
    text_puts(t, "</main></body></html>\n");
    arena_own(rq->arena, t->data, free);
    if (t->failed)
        return fail(rq, ERR_INTERNAL, "the page is too large");
    set_policy(rq, next, script);
    request_status(rq, status);
    return request_reply_bytes(rq, "text/html; charset=utf-8", t->data, t->length);
}

void page_problem(struct request *rq, unsigned status, const char *message)
{
    struct text t;

    page_begin(&t, "This did not work");
    text_puts(&t, "<p class=\"alert\">");
    page_text(&t, message);
    text_puts(&t, "</p>\n");
    (void)page_send(rq, &t, status, NULL);
}

const char *page_cookie(struct request *rq, const char *name)
{
    const char *p = request_header(rq, "cookie");
    size_t length = strlen(name);
    const char *found = NULL;

    while (p != NULL && *p != '\0') {
        p += strspn(p, " ;");
        if (strncmp(p, name, length) == 0 && p[length] == '=') {
            if (found != NULL)
                return NULL;
            found = arena_copy(rq->arena, p + length + 1, strcspn(p + length + 1, "; "));
        }
        p += strcspn(p, ";");
    }
    return found;
}

const char *page_token(struct request *rq)
{
    const char *cookie = page_cookie(rq, FORM_COOKIE);
    uint8_t bytes[COOKIE_BYTES];

    if (cookie == NULL || strlen(cookie) != COOKIE_TEXT) {
        random_bytes(bytes, sizeof(bytes));
        cookie = base64url_encode(rq->arena, bytes, sizeof(bytes));
        request_set_header(rq, "Set-Cookie",
                           arena_printf(rq->arena,
                                        FORM_COOKIE "=%s; Path=/; Secure; HttpOnly; SameSite=Lax",
                                        cookie));
    }
    return opaque_mac(rq->arena, "form", cookie);
}

enum err page_check(struct request *rq, const char *token)
{
    const char *cookie = page_cookie(rq, FORM_COOKIE);
    const char *origin = request_header(rq, "origin");
    const char *site = request_header(rq, "sec-fetch-site");
    const char *wanted = cookie == NULL ? "" : opaque_mac(rq->arena, "form", cookie);

    if (origin != NULL && strcmp(origin, access_jwt_issuer()) != 0)
        return fail(rq, ERR_DENIED, "Origin: the form was sent from another site");
    if (site != NULL && strcmp(site, "same-origin") != 0)
        return fail(rq, ERR_DENIED, "Sec-Fetch-Site: the form was sent from another site");
    if (cookie == NULL || token == NULL || strlen(token) != strlen(wanted) ||
        !secret_equal(token, wanted, strlen(wanted)))
        return fail(rq, ERR_DENIED, "csrf: the form is not from this browser; go back and reload");
    return OK;
}

enum err page_redirect(struct request *rq, const char *location)
{
    request_set_header(rq, "Location", location);
    request_set_header(rq, "Cache-Control", "no-store");
    request_set_header(rq, "Referrer-Policy", "no-referrer");
    request_status(rq, 303);
    return request_reply_bytes(rq, NULL, "", 0);
}
