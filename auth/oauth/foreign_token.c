/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/oauth/jwks.h"

#include "core/text.h"

#include <openssl/err.h>
#include <openssl/rsa.h>
#include <string.h>

enum { SIGNATURE_MAX = RSA_BITS_MAX / 8 };

static enum err refuse(const char **why, const char *reason)
{
    *why = reason;
    return ERR_TOKEN;
}

static bool text_is(const json_t *value, const char *wanted)
{
    return json_is_string(value) && json_string_length(value) == strlen(wanted) &&
           strcmp(json_string_value(value), wanted) == 0;
}

/* RFC 8725 §3.10 and §3.11: keys come from the issuer's set, never from the token; an access token
 * or a logout token is no ID token. */
enum err foreign_token_header(const struct jwt_parts *parts, const struct foreign_rules *rules,
                              const char **kid, const char **why)
{
    static const char *const closed[] = {"crit", "b64", "zip", "jku", "jwk", "x5u", "x5c"};
    const json_t *type = json_object_get(parts->header, "typ");
    const json_t *id = json_object_get(parts->header, "kid");
    const char *alg = json_string_value(json_object_get(parts->header, "alg"));

    for (size_t i = 0; i < sizeof(closed) / sizeof(closed[0]); i++)
        if (json_object_get(parts->header, closed[i]) != NULL)
            return refuse(why, "the header has a member it should not have");
    if ((jws_alg_find(alg) & rules->algs) == 0)
        return refuse(why, "alg is not one that this provider may use");
    if (type != NULL && !text_is(type, "JWT") &&
        (rules->type == NULL || !text_is(type, rules->type)))
        return refuse(why, "typ is not the kind of token that is needed");
    if (!json_is_string(id) || json_string_length(id) == 0 ||
        json_string_length(id) > FOREIGN_KID_MAX)
        return refuse(why, "kid is missing or malformed");
    *kid = json_string_value(id);
    return OK;
}

static bool pss(EVP_PKEY_CTX *c)
{
    return EVP_PKEY_CTX_set_rsa_padding(c, RSA_PKCS1_PSS_PADDING) == 1 &&
           EVP_PKEY_CTX_set_rsa_pss_saltlen(c, RSA_PSS_SALTLEN_DIGEST) == 1 &&
           EVP_PKEY_CTX_set_rsa_mgf1_md(c, EVP_sha256()) == 1;
}

static bool fits(const struct jwt_parts *p, const struct jwk *k)
{
    unsigned char raw[SIGNATURE_MAX];
    long length = base64url_decode(p->signature, p->signature_length, raw, sizeof(raw));
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    EVP_PKEY_CTX *inner = NULL;
    bool good = false;

    if (length > 0 && k->alg == JWS_ES256)
        good = length == ES256_SIGNATURE && jwt_es256_fits(k->key, p->text, p->length, raw);
    else if (length > 0 && context != NULL &&
             EVP_DigestVerifyInit(context, &inner, k->alg == JWS_EDDSA ? NULL : EVP_sha256(), NULL,
                                  k->key) == 1 &&
             (k->alg != JWS_PS256 || pss(inner)))
        good = EVP_DigestVerify(context, raw, (size_t)length, (const unsigned char *)p->text,
                                p->length) == 1;
    EVP_MD_CTX_free(context);
    ERR_clear_error();
    return good;
}

/* Core §3.1.3.7 (3) to (5): us alone, or among others with azp us. */
static bool audience_fits(const json_t *claims, const char *audience)
{
    const json_t *aud = json_object_get(claims, "aud");
    const json_t *azp = json_object_get(claims, "azp");
    bool among = text_is(aud, audience);
    const json_t *one;
    size_t i;

    if (json_is_array(aud))
        json_array_foreach(aud, i, one) among = among || text_is(one, audience);
    if (!among || (json_is_array(aud) && json_array_size(aud) > 1 && azp == NULL))
        return false;
    return azp == NULL || text_is(azp, audience);
}

static enum err check_times(const json_t *claims, const struct foreign_rules *r, const char **why)
{
    const json_t *exp = json_object_get(claims, "exp");
    const json_t *iat = json_object_get(claims, "iat");
    const json_t *nbf = json_object_get(claims, "nbf");
    json_int_t from = json_integer_value(iat);
    json_int_t until = json_integer_value(exp);

    if (!json_is_integer(exp) || !json_is_integer(iat) || (nbf != NULL && !json_is_integer(nbf)))
        return refuse(why, "exp, iat and nbf are integers");
    if (from < 0 || until <= from || until - from > r->lifetime_max)
        return refuse(why, "the token lives too long or not at all");
    if (until <= r->now)
        return refuse(why, "the token has expired");
    if (from > r->now + r->skew)
        return refuse(why, "the token was issued in the future");
    if (nbf != NULL && json_integer_value(nbf) > r->now + r->skew)
        return refuse(why, "the token is not valid yet");
    return OK;
}

enum err foreign_token_check(const struct jwt_parts *p, const struct foreign_rules *r,
                             const struct jwk *key, const char **why)
{
    const json_t *sub = json_object_get(p->claims, "sub");

    if (jws_alg_find(json_string_value(json_object_get(p->header, "alg"))) != key->alg)
        return refuse(why, "alg is not the algorithm of the key");
    if (!fits(p, key))
        return refuse(why, "the signature does not fit");
    if (!text_is(json_object_get(p->claims, "iss"), r->issuer))
        return refuse(why, "iss is not the issuer");
    if (!audience_fits(p->claims, r->audience))
        return refuse(why, "aud is not us");
    if (!(sub == NULL && r->subject_optional) &&
        (!json_is_string(sub) || json_string_length(sub) == 0 || json_string_length(sub) > 255 ||
         strlen(json_string_value(sub)) != json_string_length(sub)))
        return refuse(why, "sub is missing or malformed");
    if (r->nonce != NULL && !text_is(json_object_get(p->claims, "nonce"), r->nonce))
        return refuse(why, "nonce is not the one that was sent");
    return check_times(p->claims, r, why);
}
