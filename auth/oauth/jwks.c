/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/oauth/jwks.h"

#include "core/text.h"

#include <stdio.h>
#include <string.h>

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

static EVP_PKEY *rsa_key(const json_t *jwk)
{
    uint8_t n[RSA_BITS_MAX / 8];
    uint8_t e[EXPONENT_MAX];
    long n_length = bytes_of(jwk, "n", n, sizeof(n));
    long e_length = bytes_of(jwk, "e", e, sizeof(e));

    return n_length <= 0 || e_length <= 0
               ? NULL
               : public_key_rsa(n, (size_t)n_length, e, (size_t)e_length);
}

static EVP_PKEY *p256_key(const json_t *jwk)
{
    uint8_t x[CURVE_BYTES];
    uint8_t y[CURVE_BYTES];

    return strcmp(member(jwk, "crv"), "P-256") == 0 &&
                   bytes_of(jwk, "x", x, sizeof(x)) == CURVE_BYTES &&
                   bytes_of(jwk, "y", y, sizeof(y)) == CURVE_BYTES
               ? public_key_p256(x, y)
               : NULL;
}

static EVP_PKEY *ed25519_key(const json_t *jwk)
{
    uint8_t bytes[CURVE_BYTES];

    return strcmp(member(jwk, "crv"), "Ed25519") == 0 &&
                   bytes_of(jwk, "x", bytes, sizeof(bytes)) == CURVE_BYTES
               ? public_key_ed25519(bytes)
               : NULL;
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
