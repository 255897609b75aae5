/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/sign_in.h"

#include "auth/access_token.h"
#include "auth/handlers.h"
#include "auth/key.h"
#include "auth/session.h"
#include "auth/workload.h"

#include <string.h>

enum { SECRET_MAX = 8192 };

/* A client that shows itself (RFC 6749 §2.3.1): id is "<tenant>/<service account>". */
struct client {
    const char *grant_type;
    const char *id;
    const char *secret;
    const char *assertion;     /* RFC 7523: a workload's token */
    const char *subject_token; /* RFC 8693: the same */
    const char *subject_token_type;
};

/* application/x-www-form-urlencoded; NULL when it is not, or hides a NUL. */
static const char *decode(struct arena *a, const char *text, size_t length)
{
    char *out = arena_alloc(a, length + 1);
    size_t n = 0;

    for (size_t i = 0; i < length; i++) {
        if (text[i] == '%' && i + 2 < length &&
            hex_decode(arena_copy(a, text + i + 1, 2), out + n, 1))
            i += 2;
        else if (text[i] == '%')
            return NULL;
        else
            out[n] = (char)(text[i] == '+' ? ' ' : text[i]);
        if (out[n++] == '\0')
            return NULL;
    }
    return out;
}

static enum err twice(struct request *rq, const char *name)
{
    return fail(rq, ERR_INVALID, "%s is said twice", name);
}

/* Where a parameter goes; NULL for one we do not know (RFC 6749 §3.2: it is ignored). */
static const char **parameter(struct client *c, const char *name)
{
    const struct {
        const char *name;
        const char **into;
    } known[] = {
        {"grant_type", &c->grant_type},       {"client_id", &c->id},
        {"client_secret", &c->secret},        {"assertion", &c->assertion},
        {"subject_token", &c->subject_token}, {"subject_token_type", &c->subject_token_type},
    };

    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        if (strcmp(name, known[i].name) == 0)
            return known[i].into;
    return NULL;
}

static enum err take(struct request *rq, struct client *c, const char *name, const char *value)
{
    const char **into = parameter(c, name);

    if (into == NULL)
        return OK;
    if (*into != NULL)
        return twice(rq, name);
    *into = value;
    return OK;
}

static const char *find(const char *from, const char *end, char c)
{
    const char *at = memchr(from, c, (size_t)(end - from));

    return at == NULL ? end : at;
}

static enum err read_pair(struct request *rq, struct client *c, const char *from, const char *end)
{
    const char *equals = find(from, end, '=');
    const char *after = equals == end ? end : equals + 1;
    const char *name = decode(rq->arena, from, (size_t)(equals - from));
    const char *value = decode(rq->arena, after, (size_t)(end - after));

    if (name == NULL || value == NULL)
        return fail(rq, ERR_INVALID, "the body is not well formed");
    return take(rq, c, name, value);
}

static enum err read_form(struct request *rq, struct client *c)
{
    const char *type = request_header(rq, "content-type");
    const char *p = rq->raw;
    const char *end = rq->raw + rq->raw_length;

    if (type == NULL || strncasecmp(type, "application/x-www-form-urlencoded", 33) != 0)
        return fail(rq, ERR_INVALID, "the body must be application/x-www-form-urlencoded");
    while (p < end) {
        const char *stop = find(p, end, '&');

        TRY(read_pair(rq, c, p, stop));
        p = stop + 1;
    }
    return OK;
}

static enum err read_basic(struct request *rq, struct client *c)
{
    const char *header = request_header(rq, "authorization");
    char *text;
    long n;
    const char *colon;

    if (header == NULL)
        return OK;
    if (strncasecmp(header, "Basic ", 6) != 0 || strlen(header) > SECRET_MAX)
        return fail(rq, ERR_CREDENTIALS, "clients show themselves with Basic, or in the body");
    if (c->id != NULL || c->secret != NULL)
        return fail(rq, ERR_INVALID, "the client shows itself twice");
    text = arena_alloc(rq->arena, strlen(header));
    n = base64_decode(header + 6, strlen(header) - 6, text, strlen(header) - 1);
    colon = n < 0 ? NULL : memchr(text, ':', (size_t)n);
    if (colon == NULL)
        return fail(rq, ERR_CREDENTIALS, "the Basic credentials are malformed");
    c->id = decode(rq->arena, text, (size_t)(colon - text));
    c->secret = decode(rq->arena, colon + 1, (size_t)(text + n - colon - 1));
    return OK;
}

static enum err wrong_client(struct request *rq)
{
    return fail(rq, ERR_CREDENTIALS, "the client or its secret is wrong");
}

static bool is_client(struct request *rq, const struct client *c, const struct policy *policy,
                      uint32_t who)
{
    const struct policy_principal *p = policy_principal(policy, who);

    return policy_alive(policy, who) && p->kind == PRINCIPAL_SERVICE &&
           strcmp(c->id, arena_printf(rq->arena, "%s/%s", policy_tenant(policy), p->name)) == 0;
}

/* The secret must be a token of the very service account that the client says it is. */
static enum err check_client(struct request *rq, const struct client *c)
{
    struct claims claims;
    struct policy *policy = NULL;
    uint32_t who;
    enum err e = c->id == NULL || c->secret == NULL
                     ? ERR_TOKEN
                     : access_token_open(rq->db, c->secret, &claims, &policy);

    if (e != OK)
        return e == ERR_TOKEN ? wrong_client(rq) : e;
    who = policy_find_principal(policy, claims.principal);
    if (!is_client(rq, c, policy, who)) {
        policy_drop(policy);
        return wrong_client(rq);
    }
    (void)session_begin(rq, &claims, policy, who);
    return OK;
}

static enum err record(struct request *rq)
{
    request_object(rq, "service-accounts/%s", rq->caller.name);
    return OK;
}

static enum err other_grant(struct request *rq)
{
    request_status(rq, 400);
    return request_reply_json(rq, json_pack("{s:s,s:s}", "error", "unsupported_grant_type",
                                            "error_description",
                                            "this issuer knows client_credentials, and for "
                                            "workloads' tokens jwt-bearer and token-exchange"));
}

/* A workload's own token (RFC 7523 §2.1, RFC 8693 §2.1); NULL when it is another grant. */
static const char *workload_token(const struct client *c)
{
    static const char bearer[] = "urn:ietf:params:oauth:grant-type:jwt-bearer";
    static const char exchange[] = "urn:ietf:params:oauth:grant-type:token-exchange";
    static const char jwt[] = "urn:ietf:params:oauth:token-type:jwt";
    static const char id_token[] = "urn:ietf:params:oauth:token-type:id_token";

    if (strcmp(c->grant_type, bearer) == 0)
        return c->assertion;
    if (strcmp(c->grant_type, exchange) != 0 || c->subject_token_type == NULL ||
        (strcmp(c->subject_token_type, jwt) != 0 && strcmp(c->subject_token_type, id_token) != 0))
        return NULL;
    return c->subject_token;
}

/* POST /oauth2/token */
enum err post_oauth_token(struct request *rq)
{
    struct client c = {.grant_type = NULL};

    TRY(read_form(rq, &c));
    TRY(read_basic(rq, &c));
    if (c.grant_type == NULL)
        return fail(rq, ERR_INVALID, "grant_type is missing");
    if (workload_token(&c) != NULL)
        return workload_grant(rq, c.id, workload_token(&c));
    if (strcmp(c.grant_type, "client_credentials") != 0)
        return other_grant(rq);
    TRY(check_client(rq, &c));
    TRY(request_tx(rq, record));
    return sign_in_reply(rq,
                         &(struct bearer){.tenant_id = rq->caller.tenant_id,
                                          .tenant = rq->caller.tenant,
                                          .id = rq->caller.id,
                                          .name = rq->caller.name,
                                          .kind = "service",
                                          .expires_ms = rq->caller.expires_ms},
                         NULL);
}

/* GET /oauth2/jwks */
enum err get_jwks(struct request *rq)
{
    json_t *set;

    TRY(keys_jwks(rq->db, &set));
    request_set_header(rq, "Cache-Control", "max-age=300");
    return request_reply_json(rq, set);
}

/* GET /.well-known/openid-configuration: only what there is (RFC 8414 §2). */
enum err get_openid_configuration(struct request *rq)
{
    const char *issuer = access_jwt_issuer();
    const char *token = arena_printf(rq->arena, "%s/oauth2/token", issuer);
    const char *jwks = arena_printf(rq->arena, "%s/oauth2/jwks", issuer);

    return request_reply_json(
        rq, json_pack("{s:s,s:s,s:s,s:[sss],s:[],s:[ss]}", "issuer", issuer, "token_endpoint",
                      token, "jwks_uri", jwks, "grant_types_supported", "client_credentials",
                      "urn:ietf:params:oauth:grant-type:jwt-bearer",
                      "urn:ietf:params:oauth:grant-type:token-exchange", "response_types_supported",
                      "token_endpoint_auth_methods_supported", "client_secret_basic",
                      "client_secret_post"));
}
