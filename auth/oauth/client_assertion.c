/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/oauth/client.h"

#include "auth/access_jwt.h"
#include "auth/jwt.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <string.h>

enum { COORDINATE = 32, POINT = 1 + 2 * COORDINATE, AHEAD_S = 60, SKEW_S = 30, JTI_MAX = 256 };

const char *client_assertion_subject(struct arena *a, const char *assertion)
{
    struct jwt_parts parts;
    const char *why;

    if (jwt_unpack(a, assertion, strlen(assertion), &parts, &why) != OK)
        return NULL;
    return json_string_value(json_object_get(parts.claims, "sub"));
}

static bool coordinate(const json_t *jwk, const char *name, uint8_t out[COORDINATE])
{
    const char *text = json_string_value(json_object_get(jwk, name));

    return text != NULL && base64url_decode(text, strlen(text), out, COORDINATE) == COORDINATE;
}

/* EVP_PKEY_fromdata checks that the point is on the curve. */
static EVP_PKEY *key_of(const json_t *jwk)
{
    static char group[] = "prime256v1";
    uint8_t point[POINT] = {4};
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
    EVP_PKEY *key = NULL;
    const OSSL_PARAM wanted[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, group, 0),
        OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, point, sizeof(point)),
        OSSL_PARAM_construct_end()};

    if (!coordinate(jwk, "x", point + 1) || !coordinate(jwk, "y", point + 1 + COORDINATE) ||
        context == NULL || EVP_PKEY_fromdata_init(context) != 1 ||
        EVP_PKEY_fromdata(context, &key, EVP_PKEY_PUBLIC_KEY, (OSSL_PARAM *)(uintptr_t)wanted) != 1)
        key = NULL;
    EVP_PKEY_CTX_free(context);
    ERR_clear_error();
    return key;
}

static bool is(const json_t *object, const char *member, const char *wanted)
{
    const char *text = json_string_value(json_object_get(object, member));

    return text != NULL && strcmp(text, wanted) == 0;
}

static bool fits(const json_t *jwk, const struct jwt_parts *parts)
{
    const json_t *kid = json_object_get(parts->header, "kid");
    unsigned char raw[ES256_SIGNATURE];
    EVP_PKEY *key;
    bool good;

    if (kid != NULL && !json_equal(kid, json_object_get(jwk, "kid")))
        return false;
    if (base64url_decode(parts->signature, parts->signature_length, raw, sizeof(raw)) !=
        ES256_SIGNATURE)
        return false;
    key = key_of(jwk);
    good = key != NULL && jwt_es256_fits(key, parts->text, parts->length, raw);
    EVP_PKEY_free(key);
    return good;
}

static bool signed_by_client(const struct oauth_client *c, const struct jwt_parts *parts)
{
    const json_t *keys = json_object_get(c->jwks, "keys");
    size_t i;
    json_t *jwk;

    if (!is(parts->header, "alg", "ES256") || json_object_get(parts->header, "crit") != NULL)
        return false;
    json_array_foreach(keys, i, jwk)
    {
        if (fits(jwk, parts))
            return true;
    }
    return false;
}

/* The audience is the issuer alone: an assertion for another server is no use here. */
static bool claims_hold(const struct oauth_client *c, const json_t *claims)
{
    const json_t *exp = json_object_get(claims, "exp");
    const json_t *iat = json_object_get(claims, "iat");
    const json_t *nbf = json_object_get(claims, "nbf");
    const char *jti = json_string_value(json_object_get(claims, "jti"));
    json_int_t now = time_now_ms() / 1000;

    return is(claims, "iss", c->client_id) && is(claims, "sub", c->client_id) &&
           is(claims, "aud", access_jwt_issuer()) && json_is_integer(exp) &&
           json_integer_value(exp) > now && json_integer_value(exp) <= now + AHEAD_S + SKEW_S &&
           (iat == NULL || (json_is_integer(iat) && json_integer_value(iat) <= now + SKEW_S)) &&
           (nbf == NULL || (json_is_integer(nbf) && json_integer_value(nbf) <= now + SKEW_S)) &&
           jti != NULL && *jti != '\0' && strlen(jti) <= JTI_MAX;
}

struct spending {
    struct db *db;
    const struct oauth_client *client;
    struct digest jti;
};

QUERY(client_assertion_sweep_sql, "DELETE FROM client_assertion WHERE tenant_id = current_tenant()"
                                  " AND client_id = $1::uuid AND expires_at < now()");
QUERY(client_assertion_spend_sql,
      "INSERT INTO client_assertion (tenant_id, client_id, jti, expires_at)"
      " VALUES (current_tenant(), $1::uuid, $2, now() + interval '3 minutes')");

static enum err spend(void *arg)
{
    const struct spending *s = arg;

    TRY(db_run(s->db, &client_assertion_sweep_sql, NULL, PARAMS(P_TEXT(s->client->id))));
    return db_change(s->db, &client_assertion_spend_sql,
                     PARAMS(P_TEXT(s->client->id), P_BYTES(s->jti.bytes, SHA256_SIZE)));
}

enum err client_assertion_check(struct request *rq, const struct oauth_client *c,
                                const char *assertion)
{
    struct spending s = {.db = rq->db, .client = c};
    struct jwt_parts parts;
    const char *why;
    const char *jti;
    enum err e;

    if (c->jwks == NULL ||
        jwt_unpack(rq->arena, assertion, strlen(assertion), &parts, &why) != OK ||
        !signed_by_client(c, &parts) || !claims_hold(c, parts.claims))
        return ERR_CREDENTIALS;
    jti = json_string_value(json_object_get(parts.claims, "jti"));
    s.jti = sha256_of(jti, strlen(jti));
    e = db_tx(rq->db, TX_WRITE, c->tenant_id, spend, &s);
    return e == ERR_EXISTS ? ERR_CREDENTIALS : e;
}
