/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/oauth/client.h"

#include "auth/access_token.h"

#include <stdarg.h>
#include <string.h>

enum { SECRET_MAX = 8192 };
static const char assertion_type[] = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/* What a client shows of itself (RFC 6749 §2.3). */
struct shown {
    const char *id;
    const char *secret;
    const char *assertion;
};

enum err oauth_fail(struct request *rq, enum err e, const char *code, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    rq->detail = arena_vprintf(rq->arena, format, args);
    va_end(args);
    rq->target = code;
    return e;
}

static enum err read_basic(struct request *rq, struct shown *s)
{
    const char *header = request_header(rq, "authorization");
    char *text;
    long n;
    const char *colon;

    if (header == NULL)
        return OK;
    if (strncasecmp(header, "Basic ", 6) != 0 || strlen(header) > SECRET_MAX)
        return fail(rq, ERR_CREDENTIALS, "clients show themselves with Basic, or in the body");
    if (s->secret != NULL || s->assertion != NULL)
        return fail(rq, ERR_INVALID, "the client shows itself twice");
    text = arena_alloc(rq->arena, strlen(header));
    n = base64_decode(header + 6, strlen(header) - 6, text, strlen(header) - 1);
    colon = n < 0 ? NULL : memchr(text, ':', (size_t)n);
    if (colon == NULL)
        return fail(rq, ERR_CREDENTIALS, "the Basic credentials are malformed");
    s->secret = form_decode(rq->arena, colon + 1, (size_t)(text + n - colon - 1));
    header = form_decode(rq->arena, text, (size_t)(colon - text));
    if (header == NULL || s->secret == NULL || (s->id != NULL && strcmp(s->id, header) != 0))
        return fail(rq, ERR_INVALID, "client_id: the client shows itself twice");
    s->id = header;
    return OK;
}

static enum err read_shown(struct request *rq, const struct form *form, struct shown *s)
{
    const char *type = form_get(form, "client_assertion_type");

    *s = (struct shown){.id = form_get(form, "client_id"),
                        .secret = form_get(form, "client_secret"),
                        .assertion = form_get(form, "client_assertion")};
    if ((type == NULL) != (s->assertion == NULL) ||
        (type != NULL && strcmp(type, assertion_type) != 0))
        return fail(rq, ERR_INVALID, "client_assertion_type must be %s, beside client_assertion",
                    assertion_type);
    if (s->secret != NULL && s->assertion != NULL)
        return fail(rq, ERR_INVALID, "the client shows itself twice");
    TRY(read_basic(rq, s));
    if (s->assertion != NULL && s->id == NULL)
        s->id = client_assertion_subject(rq->arena, s->assertion);
    return OK;
}

/* A service account is a client of its own name, for client_credentials. */
static enum err as_account(struct request *rq, const struct policy *policy, uint32_t who,
                           struct oauth_client *out)
{
    static const char *grants[] = {GRANT_CLIENT};
    const struct policy_principal *p = policy_principal(policy, who);

    *out = (struct oauth_client){.tenant_id = arena_text(rq->arena, policy_tenant_id(policy)),
                                 .tenant = arena_text(rq->arena, policy_tenant(policy)),
                                 .name = arena_text(rq->arena, p->name),
                                 .kind = "confidential",
                                 .grants = {.items = grants, .count = 1},
                                 .account_id = arena_text(rq->arena, p->id)};
    out->client_id = arena_printf(rq->arena, "%s/%s", out->tenant, out->name);
    return OK;
}

/* The secret must be a token of the very service account that the client acts as. */
static enum err check_secret(struct request *rq, const struct shown *s, bool known,
                             struct oauth_client *c)
{
    struct claims claims;
    struct policy *policy = NULL;
    uint32_t who;
    enum err e = access_token_open(rq->db, s->secret, &claims, &policy);

    if (e != OK)
        return e == ERR_TOKEN ? ERR_CREDENTIALS : e;
    who = policy_find_principal(policy, claims.principal);
    e = ERR_CREDENTIALS;
    if (policy_alive(policy, who) && policy_principal(policy, who)->kind == PRINCIPAL_SERVICE) {
        const char *own = arena_printf(rq->arena, "%s/%s", policy_tenant(policy),
                                       policy_principal(policy, who)->name);

        if (known && c->account_id != NULL && strcmp(c->account_id, claims.principal) == 0)
            e = OK;
        else if (!known && strcmp(own, s->id) == 0)
            e = as_account(rq, policy, who, c);
    }
    c->secret_expires_ms = claims.expires_ms;
    policy_drop(policy);
    return e;
}

static enum err check(struct request *rq, const struct shown *s, struct oauth_client *out)
{
    enum err e = s->id == NULL ? ERR_NOT_FOUND : oauth_client_open(rq->db, s->id, out);
    bool known = e == OK;

    if (e != OK && e != ERR_NOT_FOUND)
        return e;
    if (s->id == NULL)
        return ERR_CREDENTIALS;
    if (s->secret != NULL)
        return check_secret(rq, s, known, out);
    if (!known)
        return ERR_CREDENTIALS;
    if (s->assertion != NULL)
        return client_assertion_check(rq, out, s->assertion);
    return strcmp(out->kind, "public") == 0 ? OK : ERR_CREDENTIALS;
}

enum err oauth_client_identify(struct request *rq, const struct form *form,
                               struct oauth_client *out)
{
    struct shown s;
    enum err e;

    TRY(read_shown(rq, form, &s));
    e = check(rq, &s, out);
    if (e == OK)
        rq->caller = (struct caller){
            .tenant_id = out->tenant_id, .tenant = out->tenant, .id = "", .name = out->name};
    if (e == ERR_CREDENTIALS)
        return fail(rq, e, "the client or its secret is wrong");
    return e;
}
