/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/jwks.h"

#include "core/text.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/param_build.h>
#include <stdio.h>
#include <string.h>

enum { MODULUS_MAX = RSA_BITS_MAX / 8, COORDINATE = 32, EXPONENT_MAX = 8 };

static const struct {
    const char *name;
    enum jws_alg alg;
} algs[] = {{"RS256", JWS_RS256}, {"PS256", JWS_PS256}, {"ES256", JWS_ES256}, {"EdDSA", JWS_EDDSA}};

enum jws_alg jws_alg_find(const char *name)
{
    for (size_t i = 0; name != NULL && i < sizeof(algs) / sizeof(algs[0]); i++)
        if (strcmp(algs[i].name, name) == 0)
            return algs[i].alg;
    return (enum jws_alg)0;
}

static const char *member(const json_t *json, const char *name)
{
    const char *text = json_string_value(json_object_get(json, name));

    return text == NULL ? "" : text;
}

static long bytes_of(const json_t *json, const char *name, uint8_t *out, size_t max)
{
    const char *text = member(json, name);

    return base64url_decode(text, strlen(text), out, max);
}

/* Takes parameters. NULL when OpenSSL does not find them a good public key. */
static EVP_PKEY *make(const char *type, OSSL_PARAM *parameters)
{
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
    EVP_PKEY_CTX *check = NULL;
    EVP_PKEY *key = NULL;

    if (context != NULL && parameters != NULL && EVP_PKEY_fromdata_init(context) == 1 &&
        EVP_PKEY_fromdata(context, &key, EVP_PKEY_PUBLIC_KEY, parameters) == 1)
        check = EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL);
    if (check == NULL || EVP_PKEY_public_check(check) != 1) {
        EVP_PKEY_free(key);
        key = NULL;
    }
    EVP_PKEY_CTX_free(check);
    EVP_PKEY_CTX_free(context);
    OSSL_PARAM_free(parameters);
    ERR_clear_error();
    return key;
}

static EVP_PKEY *rsa_key(const json_t *jwk)
{
    uint8_t n[MODULUS_MAX];
    uint8_t e[EXPONENT_MAX];
    long n_length = bytes_of(jwk, "n", n, sizeof(n));
    long e_length = bytes_of(jwk, "e", e, sizeof(e));
    BIGNUM *modulus = n_length <= 0 ? NULL : BN_bin2bn(n, (int)n_length, NULL);
    BIGNUM *exponent = e_length <= 0 ? NULL : BN_bin2bn(e, (int)e_length, NULL);
    OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
    EVP_PKEY *key = NULL;

    if (modulus != NULL && exponent != NULL && build != NULL &&
        BN_num_bits(modulus) >= RSA_BITS_MIN && BN_is_odd(exponent) && BN_num_bits(exponent) > 16 &&
        OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, modulus) == 1 &&
        OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_E, exponent) == 1)
        key = make("RSA", OSSL_PARAM_BLD_to_param(build));
    OSSL_PARAM_BLD_free(build);
    BN_free(modulus);
    BN_free(exponent);
    return key;
}

static EVP_PKEY *p256_key(const json_t *jwk)
{
    uint8_t point[1 + 2 * COORDINATE] = {4};
    OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
    EVP_PKEY *key = NULL;

    if (build != NULL && strcmp(member(jwk, "crv"), "P-256") == 0 &&
        bytes_of(jwk, "x", point + 1, COORDINATE) == COORDINATE &&
        bytes_of(jwk, "y", point + 1 + COORDINATE, COORDINATE) == COORDINATE &&
        OSSL_PARAM_BLD_push_utf8_string(build, OSSL_PKEY_PARAM_GROUP_NAME, "P-256", 0) == 1 &&
        OSSL_PARAM_BLD_push_octet_string(build, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof(point)) == 1)
        key = make("EC", OSSL_PARAM_BLD_to_param(build));
    OSSL_PARAM_BLD_free(build);
    return key;
}

static EVP_PKEY *ed25519_key(const json_t *jwk)
{
    uint8_t bytes[COORDINATE];

    if (strcmp(member(jwk, "crv"), "Ed25519") != 0 ||
        bytes_of(jwk, "x", bytes, sizeof(bytes)) != COORDINATE)
        return NULL;
    return EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, bytes, sizeof(bytes));
}

/* alg is what the key says it is for; a name that its type cannot serve makes it useless. */
static bool read_key(const json_t *jwk, struct jwk *out)
{
    const char *type = member(jwk, "kty");
    const char *said = member(jwk, "alg");
    enum jws_alg alg = jws_alg_find(said);
    enum jws_alg able = strcmp(type, "RSA") == 0   ? JWS_RS256
                        : strcmp(type, "EC") == 0  ? JWS_ES256
                        : strcmp(type, "OKP") == 0 ? JWS_EDDSA
                                                   : (enum jws_alg)0;
    const char *kid = member(jwk, "kid");

    if (able == JWS_RS256 && alg == JWS_PS256)
        able = JWS_PS256;
    if (able == 0 || (*said != '\0' && alg != able) || strlen(kid) == 0 ||
        strlen(kid) > FOREIGN_KID_MAX ||
        (json_object_get(jwk, "use") != NULL && strcmp(member(jwk, "use"), "sig") != 0))
        return false;
    out->alg = able;
    out->key = able == JWS_ES256   ? p256_key(jwk)
               : able == JWS_EDDSA ? ed25519_key(jwk)
                                   : rsa_key(jwk);
    (void)snprintf(out->kid, sizeof(out->kid), "%s", kid);
    return out->key != NULL;
}

enum err jwks_parse(const char *text, size_t length, struct jwks *out)
{
    json_t *json = json_loadb(text, length, JSON_REJECT_DUPLICATES, NULL);
    const json_t *keys = json_object_get(json, "keys");
    bool good = json_is_array(keys) && json_array_size(keys) <= JWKS_MAX;
    const json_t *jwk;
    size_t i;

    out->count = 0;
    if (good)
        json_array_foreach(keys, i, jwk) out->count += read_key(jwk, &out->keys[out->count]);
    json_decref(json);
    return good ? OK : ERR_INVALID;
}

void jwks_clear(struct jwks *set)
{
    for (size_t i = 0; i < set->count; i++)
        EVP_PKEY_free(set->keys[i].key);
    set->count = 0;
}
