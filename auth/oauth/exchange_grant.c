/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/oauth/grant.h"

#include "auth/access_jwt.h"
#include "auth/jwt.h"
#include "auth/oauth/scope.h"
#include "auth/session.h"

#include <string.h>

static const char access_type[] = "urn:ietf:params:oauth:token-type:access_token";

static enum err record(struct request *rq)
{
    request_object(rq, "%s/%s", rq->caller.kind == PRINCIPAL_USER ? "users" : "service-accounts",
                   rq->caller.name);
    return OK;
}

/* Machines sign in anew each time: the token lives no longer than what they showed. */
enum err grant_client(struct request *rq, const struct form *f, const struct oauth_client *c)
{
    const char *scope;
    enum err e;

    TRY(grant_scope(rq, f, &scope));
    e = login_session_enter(rq, c->tenant_id, c->account_id, NULL);
    if (e == ERR_TOKEN)
        return fail(rq, ERR_CREDENTIALS, "the client or its secret is wrong");
    TRY(e);
    TRY(request_tx(rq, record));
    return sign_in_reply(rq,
                         &(struct bearer){.tenant_id = rq->caller.tenant_id,
                                          .tenant = rq->caller.tenant,
                                          .id = rq->caller.id,
                                          .name = rq->caller.name,
                                          .kind = "service",
                                          .client_id = c->client_id,
                                          .scope = scope,
                                          .expires_ms = c->secret_expires_ms},
                         json_pack("{s:s*}", "scope", scope));
}

struct subject {
    struct claims claims;
    const json_t *json;
    const char *scope; /* NULL: all */
};

/* The subject's own tenant is the client's, and its session goes on. */
static enum err open_subject(struct request *rq, const struct form *f, const struct oauth_client *c,
                             struct subject *s)
{
    const char *text = form_get(f, "subject_token");
    const char *type = form_get(f, "subject_token_type");
    struct jwt_parts parts;
    const char *why = "";
    enum err e;

    if (text == NULL || type == NULL)
        return fail(rq, ERR_INVALID, "%s is missing",
                    text == NULL ? "subject_token" : "subject_token_type");
    if (strcmp(type, access_type) != 0)
        return fail(rq, ERR_INVALID, "subject_token_type must be %s", access_type);
    e = access_jwt_open(rq->db, text, &s->claims, &why);
    if (e == OK && strcmp(s->claims.tenant_id, c->tenant_id) != 0)
        e = ERR_TOKEN;
    if (e == OK && s->claims.session[0] != '\0')
        e = login_session_alive(rq->db, c->tenant_id, s->claims.session, s->claims.principal);
    if (e == OK)
        e = login_session_enter(rq, c->tenant_id, s->claims.principal, s->claims.id);
    if (e == ERR_TOKEN || e == ERR_NOT_FOUND)
        return grant_invalid(rq, "subject_token", "is not a good token of this tenant");
    TRY(e);
    TRY(jwt_unpack(rq->arena, text, strlen(text), &parts, &why));
    s->json = parts.claims;
    s->scope = json_string_value(json_object_get(s->json, "scope"));
    return OK;
}

static enum err check_wishes(struct request *rq, const struct form *f)
{
    const char *audience = form_get(f, "audience");
    const char *wanted = form_get(f, "requested_token_type");

    if (audience != NULL && strcmp(audience, "chancery") != 0 &&
        strcmp(audience, access_jwt_issuer()) != 0)
        return oauth_fail(rq, ERR_INVALID, "invalid_target", "audience must be chancery");
    if (form_get(f, "resource") != NULL)
        return oauth_fail(rq, ERR_INVALID, "invalid_target", "resource is not known here");
    if (form_get(f, "actor_token") != NULL)
        return fail(rq, ERR_INVALID, "actor_token is not taken: the client is the actor");
    if (wanted != NULL && strcmp(wanted, access_type) != 0)
        return fail(rq, ERR_INVALID, "requested_token_type must be %s", access_type);
    return OK;
}

/* RFC 8693. The new token may less, ends no later and has no second factor: it only narrows. */
enum err grant_exchange(struct request *rq, const struct form *f, const struct oauth_client *c)
{
    struct subject s = {.json = NULL};
    const char *scope;

    TRY(check_wishes(rq, f));
    TRY(grant_scope(rq, f, &scope));
    if (scope == NULL)
        return oauth_fail(rq, ERR_INVALID, "invalid_scope", "scope is missing: say what is needed");
    TRY(open_subject(rq, f, c, &s));
    if (!scope_within(scope, s.scope))
        return oauth_fail(rq, ERR_INVALID, "invalid_scope", "scope is more than the token's");
    TRY(request_tx(rq, record));
    return sign_in_reply(
        rq,
        &(struct bearer){.tenant_id = rq->caller.tenant_id,
                         .tenant = rq->caller.tenant,
                         .id = rq->caller.id,
                         .name = rq->caller.name,
                         .kind = rq->caller.kind == PRINCIPAL_USER ? "user" : "service",
                         .session_id = s.claims.session[0] == '\0' ? NULL : s.claims.session,
                         .client_id = c->client_id,
                         .scope = scope,
                         .auth_ms = s.claims.auth_ms,
                         .expires_ms = s.claims.expires_ms},
        json_pack("{s:s,s:s}", "issued_token_type", access_type, "scope", scope));
}
