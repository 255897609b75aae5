/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/auth.h"

#include "auth/access/barrier.h"
#include "auth/access/policy_watch.h"
#include "auth/access/snapshot.h"
#include "auth/access_jwt.h"
#include "auth/access_token.h"
#include "auth/jwt.h"
#include "auth/keys/key.h"
#include "auth/limit.h"
#include "auth/oauth/issuer.h"
#include "auth/oauth/login_cookie.h"
#include "auth/outbound.h"
#include "auth/session.h"
#include "auth/sign_in/breached.h"
#include "auth/sign_in/login_session.h"
#include "core/sip.h"
#include "lineage/audit_view.h"
#include "lineage/graph/provenance.h"

#include <string.h>

enum { CACHED_TOKENS = 16384, HEADER_MAX = JWT_MAX + 16 };

static struct token_cache *cache;

/* The floor below asks through these, as it knows no roles. */
static bool writes_lineage(struct request *rq, const char *project)
{
    return auth_may(rq, LINEAGE_WRITE, project);
}

enum err auth_start(const struct service *service)
{
    lineage_visibility = auth_sees_node;
    audit_hidden = auth_audit_hidden;
    lineage_writer = writes_lineage;
    keys_start(service->key);
    opaque_start(service->key);
    access_jwt_start(service);
    outbound_start(service);
    login_cookie_start(service);
    cache = token_cache_new(CACHED_TOKENS);
    if (breached_start(service) != OK)
        return ERR_INVALID;
    if (limit_start(service) != OK || barrier_start(service->conninfo) != OK)
        return ERR_UNAVAILABLE;
    if (watch_start(service->conninfo) == OK)
        return OK;
    barrier_stop();
    return ERR_UNAVAILABLE;
}

void auth_stop(void)
{
    watch_stop();
    barrier_stop();
    limit_stop();
    snapshot_forget(NULL);
    keys_stop();
    issuers_stop();
    breached_stop();
    token_cache_free(cache);
    cache = NULL;
}

void auth_tokens_forget(void)
{
    if (cache != NULL)
        token_cache_clear(cache);
}

static enum err refuse(struct request *rq, const char *why)
{
    return fail(rq, ERR_TOKEN, "the access token is refused: %s", why);
}

/* RFC 9110 §5.3: Authorization is no list, so a second one is an attack or a fault. */
static enum err read_header(struct request *rq, const char **out)
{
    unsigned count = 0;

    for (size_t i = 0; i < rq->headers_count; i++)
        count += strcmp(rq->headers[i].name, "authorization") == 0;
    if (count > 1)
        return fail(rq, ERR_TOKEN, "there are two Authorization headers");
    *out = request_header(rq, "authorization");
    if (*out == NULL)
        return fail(
            rq, ERR_TOKEN,
            "an access token is needed (Authorization: Bearer …); POST /v1/login gives one");
    if (strlen(*out) > HEADER_MAX)
        return refuse(rq, "it is too long");
    return OK;
}

/* RFC 7617: user and password; the user may be any, the password is a personal access token. */
static enum err basic_password(struct request *rq, const char *encoded, const char **out)
{
    size_t length = strlen(encoded);
    char *text = arena_alloc(rq->arena, length + 1);
    long n = base64_decode(encoded, length, text, length);
    const char *colon = n < 0 ? NULL : memchr(text, ':', (size_t)n);

    if (colon == NULL || strlen(text) != (size_t)n)
        return refuse(rq, "the Basic credentials are malformed");
    if (strncmp(colon + 1, ACCESS_TOKEN_PREFIX, strlen(ACCESS_TOKEN_PREFIX)) != 0)
        return refuse(rq, "Basic takes a personal access token as its password");
    *out = colon + 1;
    return OK;
}

static enum err read_credential(struct request *rq, const char **out)
{
    const char *header = "";

    TRY(read_header(rq, &header));
    if (strncasecmp(header, "Basic ", 6) == 0)
        return basic_password(rq, header + 6, out);
    if (strncasecmp(header, "Bearer ", 7) != 0)
        return fail(rq, ERR_TOKEN, "Authorization must be Bearer or Basic");
    *out = header + 7;
    return OK;
}

/* Look at the token itself. *policy is as old as the look, or older; the caller drops it. */
static enum err open_token(struct request *rq, const char *text, struct claims *claims,
                           struct policy **policy)
{
    bool personal = strncmp(text, ACCESS_TOKEN_PREFIX, strlen(ACCESS_TOKEN_PREFIX)) == 0;
    const char *why = "it is unknown, revoked or expired";
    enum err e = personal ? access_token_open(rq->db, text, claims, policy)
                          : access_jwt_open(rq->db, text, claims, &why);

    if (e == OK && !personal)
        e = snapshot_take(rq->db, claims->tenant_id, policy);
    if (e == OK && claims->session[0] != '\0') {
        why = "its session has ended";
        e = login_session_alive(rq->db, claims->tenant_id, claims->session, claims->principal);
        if (e != OK) {
            policy_drop(*policy);
            *policy = NULL;
        }
    }
    if (e == ERR_TOKEN || e == ERR_NOT_FOUND)
        return refuse(rq, why);
    return e;
}

/* What a look at the credential finds without the database. */
struct seen {
    const char *text;
    struct digest hash;
    bool known; /* it was found good before, and the rest is of then */
    int64_t epoch;
    struct claims claims;
};

static enum err look(struct request *rq, struct seen **out)
{
    struct seen *s = arena_alloc(rq->arena, sizeof(*s));

    TRY(read_credential(rq, &s->text));
    s->hash = sha256_of(s->text, strlen(s->text));
    s->known =
        cache != NULL && token_cache_find(cache, &s->hash, time_now_ms(), &s->claims, &s->epoch);
    *out = s;
    return OK;
}

/* What was found good before, if nothing has changed in its tenant since. */
static enum err open_known(struct request *rq, const struct seen *s, struct policy **policy)
{
    if (!s->known)
        return ERR_NOT_FOUND;
    TRY(snapshot_take(rq->db, s->claims.tenant_id, policy));
    if (policy_epoch(*policy) == s->epoch)
        return OK;
    policy_drop(*policy);
    *policy = NULL;
    return ERR_NOT_FOUND;
}

/* The bearer, who may have come into being since the policy was loaded. Takes policy. */
static enum err enter(struct request *rq, const struct claims *claims, struct policy *policy)
{
    uint32_t principal = policy_find_principal(policy, claims->principal);
    bool alive;

    if (!policy_alive(policy, principal)) {
        policy_drop(policy);
        TRY(snapshot_renew(rq->db, claims->tenant_id, &policy));
        principal = policy_find_principal(policy, claims->principal);
    }
    if (policy_alive(policy, principal) &&
        (claims->kind != TOKEN_ACCESS ||
         claims->issued_ms >= policy_principal(policy, principal)->tokens_since_ms)) {
        (void)session_begin(rq, claims, policy, principal);
        return OK;
    }
    alive = policy_alive(policy, principal);
    policy_drop(policy);
    return refuse(rq, alive ? "its bearer's password was set anew" : "its bearer is disabled");
}

static enum err judge(const struct request *rq, enum err e)
{
    if (e == ERR_TOKEN)
        limit_bad_token(rq);
    return e;
}

static enum err identify(struct request *rq, struct seen *s)
{
    struct policy *policy = NULL;
    enum err e = open_known(rq, s, &policy);

    if (e == ERR_NOT_FOUND) {
        TRY(judge(rq, open_token(rq, s->text, &s->claims, &policy)));
        if (cache != NULL)
            token_cache_put(cache, &s->hash, time_now_ms(), &s->claims, policy_epoch(policy));
    } else if (e != OK) {
        return e;
    }
    return enter(rq, &s->claims, policy);
}

enum err auth_glance(struct request *rq)
{
    struct seen *s = NULL;

    if (rq->route->action == PUBLIC)
        return limit_unknown(rq);
    if (look(rq, &s) != OK) {
        rq->detail = NULL; /* a worker says what is wrong */
        return OK;
    }
    rq->seen = s;
    if (!s->known) {
        rq->flow = FLOW_UNPROVEN;
        return limit_unknown(rq);
    }
    rq->flow = sip_text(FLOWS_NAMED, s->claims.tenant_id);
    return limit_caller(rq, s->claims.tenant_id, s->claims.principal);
}

static const char least_header[] = "if-authz-epoch-at-least";

/* The caller has seen this epoch somewhere: what is older is not good enough. */
static enum err reach_epoch(struct request *rq, struct seen *s, const char *least)
{
    struct policy *newest = NULL;
    uint64_t epoch = 0;

    if (!uint_parse(least, INT64_MAX, &epoch)) {
        rq->target = "If-Authz-Epoch-At-Least";
        return fail(rq, ERR_INVALID, "If-Authz-Epoch-At-Least must be a number");
    }
    if (policy_epoch(session_of(rq)->policy) >= (int64_t)epoch)
        return OK;
    TRY(snapshot_renew(rq->db, session_of(rq)->claims.tenant_id, &newest));
    policy_drop(newest);
    TRY(identify(rq, s)); /* the token too, by the newer policy */
    if (policy_epoch(session_of(rq)->policy) >= (int64_t)epoch)
        return OK;
    return fail(rq, ERR_UNAVAILABLE, "the policy of the tenant has not reached epoch %s", least);
}

enum err auth_identify(struct request *rq)
{
    const char *least = request_header(rq, least_header);
    struct seen *s = rq->seen;

    if (rq->route->action == PUBLIC)
        return OK;
    if (s == NULL)
        TRY(look(rq, &s));
    TRY(identify(rq, s));
    TRY(limit_caller(rq, s->claims.tenant_id, s->claims.principal));
    return least == NULL ? OK : reach_epoch(rq, s, least);
}
