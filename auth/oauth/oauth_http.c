/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/oauth/grant.h"

#include "auth/access_jwt.h"
#include "auth/handlers.h"
#include "auth/keys/key.h"
#include "auth/oauth/workload.h"

#include <string.h>

static const struct grant {
    const char *name;
    enum err (*run)(struct request *rq, const struct form *f, const struct oauth_client *c);
} grants[] = {{GRANT_CODE, grant_code},
              {GRANT_REFRESH, grant_refresh},
              {GRANT_CLIENT, grant_client},
              {GRANT_DEVICE, grant_device},
              {GRANT_EXCHANGE, grant_exchange}};

static const struct grant *grant_find(const char *name)
{
    for (size_t i = 0; i < sizeof(grants) / sizeof(grants[0]); i++)
        if (strcmp(grants[i].name, name) == 0)
            return &grants[i];
    return NULL;
}

/* A workload's own token (RFC 7523 §2.1, RFC 8693 §2.1); NULL when it is another grant. */
static const char *workload_token(const struct form *f, const char *grant_type)
{
    const char *type = form_get(f, "subject_token_type");

    if (strcmp(grant_type, GRANT_BEARER) == 0)
        return form_get(f, "assertion");
    if (strcmp(grant_type, GRANT_EXCHANGE) != 0 || type == NULL ||
        (strcmp(type, "urn:ietf:params:oauth:token-type:jwt") != 0 &&
         strcmp(type, "urn:ietf:params:oauth:token-type:id_token") != 0))
        return NULL;
    return form_get(f, "subject_token");
}

/* POST /oauth2/token */
enum err post_oauth_token(struct request *rq)
{
    struct oauth_client c;
    struct form f;
    const struct grant *grant;
    const char *type;

    TRY(form_body(rq, &f));
    type = form_get(&f, "grant_type");
    if (type == NULL)
        return fail(rq, ERR_INVALID, "grant_type is missing");
    if (workload_token(&f, type) != NULL)
        return workload_grant(rq, form_get(&f, "client_id"), workload_token(&f, type));
    grant = grant_find(type);
    if (grant == NULL)
        return oauth_fail(rq, ERR_INVALID, "unsupported_grant_type",
                          "grant_type is none that this issuer knows");
    TRY(oauth_client_identify(rq, &f, &c));
    if (!oauth_client_may(&c, grant->name))
        return oauth_fail(rq, ERR_INVALID, "unauthorized_client",
                          "grant_type: the client was not given this grant");
    return grant->run(rq, &f, &c);
}

/* GET /oauth2/jwks */
enum err get_jwks(struct request *rq)
{
    json_t *set;

    TRY(keys_jwks(rq->db, &set));
    request_set_header(rq, "Cache-Control", "max-age=300");
    return request_reply_json(rq, set);
}

static void add_endpoint(struct request *rq, json_t *json, const char *name, const char *path)
{
    json_object_set_new(json, name,
                        json_string(arena_printf(rq->arena, "%s%s", access_jwt_issuer(), path)));
}

static json_t *texts(const char *words)
{
    json_t *list = json_array();

    for (const char *p = words; *p != '\0'; p += strcspn(p, " "), p += strspn(p, " "))
        json_array_append_new(list, json_stringn(p, strcspn(p, " ")));
    return list;
}

/* GET /.well-known/openid-configuration: only what there is (RFC 8414 §2). */
enum err get_openid_configuration(struct request *rq)
{
    static const char *const endpoints[][2] = {
        {"authorization_endpoint", "/oauth2/authorize"},
        {"token_endpoint", "/oauth2/token"},
        {"jwks_uri", "/oauth2/jwks"},
        {"userinfo_endpoint", "/oauth2/userinfo"},
        {"introspection_endpoint", "/oauth2/introspect"},
        {"revocation_endpoint", "/oauth2/revoke"},
        {"device_authorization_endpoint", "/oauth2/device_authorization"},
        {"end_session_endpoint", "/oauth2/logout"}};
    static const char *const lists[][2] = {
        {"response_types_supported", "code"},
        {"response_modes_supported", "query"},
        {"grant_types_supported", GRANT_CODE " " GRANT_REFRESH " " GRANT_CLIENT " " GRANT_DEVICE
                                             " " GRANT_EXCHANGE " " GRANT_BEARER},
        {"code_challenge_methods_supported", "S256"},
        {"subject_types_supported", "public"},
        {"id_token_signing_alg_values_supported", "ES256"},
        {"scopes_supported", "openid profile email offline_access chancery"},
        {"acr_values_supported", "pwd mfa"},
        {"prompt_values_supported", "none login consent"},
        {"claims_supported", "iss sub aud azp exp iat nonce auth_time acr amr sid name "
                             "preferred_username email email_verified"},
        {"token_endpoint_auth_methods_supported",
         "client_secret_basic client_secret_post private_key_jwt none"},
        {"token_endpoint_auth_signing_alg_values_supported", "ES256"},
        {"introspection_endpoint_auth_methods_supported",
         "client_secret_basic client_secret_post private_key_jwt"},
        {"introspection_endpoint_auth_signing_alg_values_supported", "ES256"},
        {"revocation_endpoint_auth_methods_supported",
         "client_secret_basic client_secret_post private_key_jwt none"},
        {"revocation_endpoint_auth_signing_alg_values_supported", "ES256"}};
    json_t *json =
        json_pack("{s:s,s:b,s:b,s:b}", "issuer", access_jwt_issuer(),
                  "authorization_response_iss_parameter_supported", 1,
                  "request_parameter_supported", 0, "request_uri_parameter_supported", 0);

    for (size_t i = 0; i < sizeof(endpoints) / sizeof(endpoints[0]); i++)
        add_endpoint(rq, json, endpoints[i][0], endpoints[i][1]);
    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
        json_object_set_new(json, lists[i][0], texts(lists[i][1]));
    return request_reply_json(rq, json);
}

/* GET /.well-known/oauth-authorization-server (RFC 8414 §3) */
enum err get_oauth_metadata(struct request *rq)
{
    return get_openid_configuration(rq);
}
