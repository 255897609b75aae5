/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/oauth/workload.h"

#include "auth/oauth/issuer.h"
#include "auth/sign_in/sign_in.h"

#include <string.h>

enum { SKEW_S = 60, TOKEN_S = 24 * 3600, LIFE_MS = 15 * 60 * 1000 };

/* What is asked for, and what was found. */
struct exchange {
    struct request *rq;
    const char *account;
    const char *issuer;
    const char *subject;
    struct workload_trust trust;
};

static enum err match(void *arg)
{
    struct exchange *x = arg;

    return workload_match(x->rq->db, x->account, x->issuer, x->subject, &x->trust);
}

/* The same for whatever is not there. */
static enum err unknown(struct request *rq)
{
    return fail(rq, ERR_CREDENTIALS, "no service account of that name trusts this workload");
}

static const char *claim(const json_t *claims, const char *name)
{
    const json_t *value = json_object_get(claims, name);
    const char *text = json_string_value(value);

    return text != NULL && strlen(text) == json_string_length(value) ? text : "";
}

/* What the token says of itself only finds the trust; only then is anybody asked for keys. */
static enum err find_trust(struct request *rq, const char *client, const char *token,
                           struct exchange *x, struct sign_in *tenant)
{
    const char *slash = client == NULL ? NULL : strchr(client, '/');
    struct jwt_parts parts;
    const char *why;
    enum err e;

    if (slash == NULL || !name_valid(slash + 1))
        return fail(rq, ERR_INVALID, "client_id is <tenant>/<service account>");
    if (jwt_unpack(rq->arena, token, strlen(token), &parts, &why) != OK)
        return fail(rq, ERR_CREDENTIALS, "the workload's token is refused: %s", why);
    *x = (struct exchange){.rq = rq,
                           .account = slash + 1,
                           .issuer = claim(parts.claims, "iss"),
                           .subject = claim(parts.claims, "sub")};
    e = sign_in_tenant(rq->db, arena_copy(rq->arena, client, (size_t)(slash - client)), tenant);
    if (e == OK && strcmp(tenant->tenant_state, "active") != 0)
        e = ERR_NOT_FOUND;
    if (e == OK) {
        rq->caller =
            (struct caller){.tenant_id = tenant->tenant_id, .tenant = tenant->tenant, .id = ""};
        request_object(rq, "service-accounts/%s", x->account);
        e = db_tx(rq->db, TX_POINT, tenant->tenant_id, match, x);
    }
    if (e == OK && strcmp(x->trust.state, "active") != 0)
        e = ERR_NOT_FOUND;
    if (e == ERR_NOT_FOUND)
        return unknown(rq);
    return e;
}

static enum err check_pins(struct request *rq, const struct workload_trust *t, const json_t *claims)
{
    const char *name;
    const json_t *wanted;

    json_object_foreach((json_t *)t->claims, name, wanted) if (
        !json_equal(json_object_get(claims, name),
                    wanted)) return fail(rq, ERR_CREDENTIALS,
                                         "the workload's token is refused: %s is not as pinned",
                                         name);
    return OK;
}

static enum err verify(struct request *rq, const struct exchange *x, const char *token,
                       int64_t *until_ms)
{
    const struct foreign_rules rules = {.issuer = x->trust.issuer,
                                        .audience = x->trust.audience,
                                        .algs = JWS_ALL,
                                        .now = time_now_ms() / 1000,
                                        .skew = SKEW_S,
                                        .lifetime_max = TOKEN_S};
    const json_t *claims;
    const char *why = NULL;
    enum err e = issuer_token(rq->arena, token, &rules, &claims, &why);

    if (e == ERR_TOKEN)
        return fail(rq, ERR_CREDENTIALS, "the workload's token is refused: %s", why);
    if (e != OK)
        return fail(rq, ERR_UNAVAILABLE, "the workload's issuer cannot be used: %s",
                    why == NULL ? err_meaning(e) : why);
    *until_ms = json_integer_value(json_object_get(claims, "exp")) * 1000;
    if (*until_ms > time_now_ms() + LIFE_MS)
        *until_ms = time_now_ms() + LIFE_MS;
    return check_pins(rq, &x->trust, claims);
}

static enum err record(struct request *rq)
{
    request_object(rq, "service-accounts/%s", rq->caller.name);
    request_audit(rq, "grant", json_string("workload token"));
    return OK;
}

enum err workload_grant(struct request *rq, const char *client, const char *token)
{
    struct sign_in tenant = {.id = NULL};
    struct exchange x;
    int64_t until_ms = 0;

    TRY(find_trust(rq, client, token, &x, &tenant));
    TRY(verify(rq, &x, token, &until_ms));
    rq->caller.kind = PRINCIPAL_SERVICE;
    rq->caller.id = x.trust.principal_id;
    rq->caller.name = x.trust.service_account;
    TRY(request_tx(rq, record));
    return sign_in_reply(
        rq,
        &(struct bearer){.tenant_id = tenant.tenant_id,
                         .tenant = tenant.tenant,
                         .id = x.trust.principal_id,
                         .name = x.trust.service_account,
                         .kind = "service",
                         .expires_ms = until_ms},
        json_pack("{s:s}", "issued_token_type", "urn:ietf:params:oauth:token-type:access_token"));
}
