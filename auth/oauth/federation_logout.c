/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/oauth/federation.h"

#include "auth/access/snapshot.h"
#include "auth/handlers.h"
#include "auth/oauth/client.h"
#include "auth/oauth/form.h"
#include "auth/oauth/issuer.h"
#include "auth/sign_in/login_session.h"
#include "auth/sign_in/sign_in.h"

#include <string.h>

/* OpenID Connect Back-Channel Logout 1.0. */
enum { LIFE_S = 24 * 3600, SKEW_S = 60, JTI_MAX = 255 };

struct leave {
    struct request *rq;
    const char *name; /* of the provider */
    struct provider provider;
    struct sign_in tenant;
    const char *sid;
    const char *subject;
    const char *jti;
    int64_t expires; /* seconds since 1970 */
};

static enum err bad(struct request *rq, const char *why)
{
    return oauth_fail(rq, ERR_INVALID, "invalid_request", "logout_token: %s", why);
}

static enum err find_provider(void *arg)
{
    struct leave *l = arg;

    return provider_find(l->rq->db, l->name, &l->provider);
}

static enum err find(struct request *rq, struct leave *l)
{
    enum err e = name_valid(rq->args[0]) && name_valid(l->name)
                     ? sign_in_tenant(rq->db, rq->args[0], &l->tenant)
                     : ERR_NOT_FOUND;

    if (e == OK)
        e = db_tx(rq->db, TX_POINT, l->tenant.tenant_id, find_provider, l);
    if (e == ERR_NOT_FOUND)
        return oauth_fail(rq, ERR_INVALID, "invalid_request",
                          "there is no such tenant or identity provider");
    return e;
}

/* §2.4 and §2.6: an event of this kind, no nonce (so that no ID token will do), jti, and sub or
 * sid. */
static enum err read_claims(struct request *rq, const json_t *claims, struct leave *l)
{
    static const char event[] = "http://schemas.openid.net/event/backchannel-logout";
    const json_t *jti = json_object_get(claims, "jti");
    const json_t *sid = json_object_get(claims, "sid");

    if (!json_is_object(json_object_get(json_object_get(claims, "events"), event)))
        return bad(rq, "events does not say that it is one");
    if (json_object_get(claims, "nonce") != NULL)
        return bad(rq, "nonce must not be in it");
    if (!json_is_string(jti) || json_string_length(jti) == 0 || json_string_length(jti) > JTI_MAX)
        return bad(rq, "jti is missing or malformed");
    if (sid != NULL && (!json_is_string(sid) || json_string_length(sid) == 0 ||
                        strlen(json_string_value(sid)) != json_string_length(sid)))
        return bad(rq, "sid is malformed");
    l->jti = json_string_value(jti);
    l->sid = json_string_value(sid);
    l->subject = json_string_value(json_object_get(claims, "sub"));
    l->expires = json_integer_value(json_object_get(claims, "exp"));
    return l->sid == NULL && l->subject == NULL ? bad(rq, "it has neither sub nor sid") : OK;
}

static enum err believe(struct request *rq, const char *token, struct leave *l)
{
    const struct foreign_rules rules = {.issuer = l->provider.issuer,
                                        .audience = l->provider.client_id,
                                        .type = "logout+jwt",
                                        .subject_optional = true,
                                        .algs = provider_algorithms(&l->provider),
                                        .now = time_now_ms() / 1000,
                                        .skew = SKEW_S,
                                        .lifetime_max = LIFE_S};
    const json_t *claims;
    const char *why = NULL;
    enum err e = issuer_token(rq->arena, token, &rules, &claims, &why);

    if (e == ERR_TOKEN || e == ERR_INVALID)
        return bad(rq, why == NULL ? "is refused" : why);
    return e == OK ? read_claims(rq, claims, l)
                   : fail(rq, e, "the identity provider's keys cannot be read: %s",
                          why == NULL ? err_meaning(e) : why);
}

QUERY(logout_token_sweep_sql, "DELETE FROM logout_token WHERE tenant_id = current_tenant()"
                              " AND provider_id = $1::uuid AND expires_at < now()");
QUERY(logout_token_spend_sql,
      "INSERT INTO logout_token (tenant_id, provider_id, jti, expires_at) VALUES (current_tenant(),"
      " $1::uuid, $2, to_timestamp($3::bigint) + interval '1 minute')");

static enum err spend(struct request *rq, const struct leave *l)
{
    struct digest jti = sha256_of(l->jti, strlen(l->jti));
    enum err e;

    TRY(db_run(rq->db, &logout_token_sweep_sql, NULL, PARAMS(P_TEXT(l->provider.id))));
    e = db_change(
        rq->db, &logout_token_spend_sql,
        PARAMS(P_TEXT(l->provider.id), P_BYTES(jti.bytes, SHA256_SIZE), P_INT(l->expires)));
    return e == ERR_EXISTS ? bad(rq, "was used before") : e;
}

static enum err end(struct request *rq)
{
    const struct leave *l = rq->work;
    struct person person = {.id = NULL};
    int64_t ended = 0;
    enum err e = OK;

    request_object(rq, "identity-providers/%s", l->provider.name);
    TRY(spend(rq, l));
    if (l->subject != NULL)
        e = federation_known(rq->db, &l->provider, l->subject, &person);
    if (e == OK)
        e = login_session_end_from(rq->db, l->provider.id, l->sid, person.id, &ended);
    if (person.name != NULL)
        request_object(rq, "users/%s", person.name);
    request_audit(rq, "sessions_ended", json_integer(ended));
    request_status(rq, 200);
    return e == ERR_NOT_FOUND ? OK : e; /* nobody we know: there is nothing to end */
}

/* POST /v1/login/{tenant}/{provider}/logout */
enum err post_backchannel_logout(struct request *rq)
{
    struct leave l = {.rq = rq, .name = rq->args[1]};
    struct policy *policy = NULL;
    const char *token;
    struct form f;

    TRY(form_body(rq, &f));
    token = form_get(&f, "logout_token");
    if (token == NULL)
        return bad(rq, "is missing");
    TRY(find(rq, &l));
    TRY(believe(rq, token, &l));
    rq->caller = (struct caller){
        .tenant_id = l.tenant.tenant_id, .tenant = l.tenant.tenant, .id = "", .name = ""};
    rq->work = &l;
    TRY(request_tx(rq, end));
    if (snapshot_renew(rq->db, l.tenant.tenant_id, &policy) != OK)
        snapshot_forget(l.tenant.tenant_id);
    policy_drop(policy);
    request_set_header(rq, "Cache-Control", "no-store");
    return request_reply_bytes(rq, "text/plain", "", 0);
}
