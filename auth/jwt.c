/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/jwt.h"

#include "core/text.h"

#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <string.h>

enum { HALF = ES256_SIGNATURE / 2, DER_MAX = 72 };

/* A token being looked at: three segments, and what the first two say. */
struct token {
    struct arena *arena;
    const char *text;
    size_t length;
    const char *parts[3];
    size_t lengths[3];
    json_t *header;
    json_t *claims;
    const char *why;
};

static bool bad(struct token *t, const char *why)
{
    t->why = why;
    return false;
}

static bool split(struct token *t)
{
    const char *first = memchr(t->text, '.', t->length);
    const char *end = t->text + t->length;
    const char *second;

    if (first == NULL)
        return bad(t, "a token has three segments");
    second = memchr(first + 1, '.', (size_t)(end - first - 1));
    if (second == NULL || memchr(second + 1, '.', (size_t)(end - second - 1)) != NULL)
        return bad(t, "a token has three segments");
    t->parts[0] = t->text;
    t->lengths[0] = (size_t)(first - t->text);
    t->parts[1] = first + 1;
    t->lengths[1] = (size_t)(second - first - 1);
    t->parts[2] = second + 1;
    t->lengths[2] = (size_t)(end - second - 1);
    return true;
}

/* Brackets outside strings; what is not JSON at all is the parser's to refuse. */
static bool too_deep(const char *text, size_t length)
{
    int depth = 0;
    bool inside = false;

    for (size_t i = 0; i < length; i++) {
        if (text[i] == '\\' && inside)
            i++;
        else if (text[i] == '"')
            inside = !inside;
        else if (!inside && (text[i] == '{' || text[i] == '['))
            depth++;
        else if (!inside && (text[i] == '}' || text[i] == ']'))
            depth--;
        if (depth > JWT_DEPTH_MAX)
            return true;
    }
    return false;
}

static void release_json(void *json)
{
    json_decref(json);
}

static bool parse(struct token *t, int part, json_t **out)
{
    char *bytes = arena_alloc(t->arena, t->lengths[part] + 1);
    long length = base64url_decode(t->parts[part], t->lengths[part], bytes, t->lengths[part]);
    json_error_t error;

    if (length < 0)
        return bad(t, "a segment is not base64url");
    if (too_deep(bytes, (size_t)length))
        return bad(t, "the JSON is nested too deep");
    *out = json_loadb(bytes, (size_t)length, JSON_REJECT_DUPLICATES, &error);
    if (*out == NULL)
        return bad(t, "a segment is not JSON, or names a member twice");
    arena_own(t->arena, *out, release_json);
    return json_is_object(*out) || bad(t, "a segment is not a JSON object");
}

static bool text_is(const json_t *value, const char *wanted)
{
    return json_is_string(value) && json_string_length(value) == strlen(wanted) &&
           strcmp(json_string_value(value), wanted) == 0;
}

/* The header is not signed by anyone we know yet: it may only say what we expect. RFC 8725 §3.10: a
 * key comes from our ring, never from the token. */
static bool check_header(struct token *t, const struct jwt_rules *rules)
{
    static const char *const keys[] = {"jku", "jwk", "x5u", "x5c", "x5t", "x5t#S256"};
    const json_t *kid = json_object_get(t->header, "kid");

    if (json_object_get(t->header, "crit") != NULL)
        return bad(t, "crit names what is not understood here");
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
        if (json_object_get(t->header, keys[i]) != NULL)
            return bad(t, "a token does not bring its own key");
    if (!text_is(json_object_get(t->header, "alg"), "ES256"))
        return bad(t, "alg is not the algorithm of the key");
    if (!text_is(json_object_get(t->header, "typ"), rules->type))
        return bad(t, "typ is not the kind of token that is needed");
    if (!json_is_string(kid) || json_string_length(kid) == 0 ||
        json_string_length(kid) > JWT_KID_MAX || strlen(json_string_value(kid)) > JWT_KID_MAX)
        return bad(t, "kid is missing or malformed");
    if (json_object_size(t->header) != 3)
        return bad(t, "the header has a member it should not have");
    return true;
}

/* r and s as DER, for OpenSSL; NULL unless both are in 1 … 2^256 - 1. The order of the curve, their
 * true bound, is checked by OpenSSL. */
static unsigned char *to_der(const unsigned char *raw, int *length)
{
    ECDSA_SIG *signature = ECDSA_SIG_new();
    BIGNUM *r = BN_bin2bn(raw, HALF, NULL);
    BIGNUM *s = BN_bin2bn(raw + HALF, HALF, NULL);
    unsigned char *der = NULL;

    *length = -1;
    if (signature != NULL && r != NULL && s != NULL && !BN_is_zero(r) && !BN_is_zero(s) &&
        ECDSA_SIG_set0(signature, r, s) == 1) {
        r = s = NULL;
        *length = i2d_ECDSA_SIG(signature, &der);
    }
    BN_free(r);
    BN_free(s);
    ECDSA_SIG_free(signature);
    return der;
}

/* A context is not reused: copies of one fail in OpenSSL 3.0. */
bool jwt_es256_fits(EVP_PKEY *key, const char *text, size_t length,
                    const unsigned char raw[ES256_SIGNATURE])
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    int der_length;
    unsigned char *der = to_der(raw, &der_length);
    bool good = false;

    if (context != NULL && der_length > 0 && der_length <= DER_MAX &&
        EVP_DigestVerifyInit(context, NULL, EVP_sha256(), NULL, key) == 1)
        good = EVP_DigestVerify(context, der, (size_t)der_length, (const unsigned char *)text,
                                length) == 1;
    EVP_MD_CTX_free(context);
    OPENSSL_free(der);
    ERR_clear_error();
    return good;
}

static bool is_p256(const EVP_PKEY *key)
{
    char group[32];

    return EVP_PKEY_is_a(key, "EC") && EVP_PKEY_get_group_name(key, group, sizeof(group), NULL) &&
           strcmp(group, "prime256v1") == 0;
}

static bool check_signature(struct token *t, const struct jwt_rules *rules)
{
    unsigned char raw[ES256_SIGNATURE];
    EVP_PKEY *key;
    bool good;

    if (base64url_decode(t->parts[2], t->lengths[2], raw, sizeof(raw)) != ES256_SIGNATURE)
        return bad(t, "the signature is not 64 bytes of base64url");
    key = rules->key_of(rules->arg, json_string_value(json_object_get(t->header, "kid")));
    if (key == NULL)
        return bad(t, "kid names no key of ours");
    good = is_p256(key) && jwt_es256_fits(key, t->text, t->lengths[0] + 1 + t->lengths[1], raw);
    EVP_PKEY_free(key);
    return good || bad(t, "the signature does not fit");
}

/* Times are integers: a text or a real number is no time, whatever it would convert to. */
static bool check_times(struct token *t, const struct jwt_rules *rules)
{
    const json_t *exp = json_object_get(t->claims, "exp");
    const json_t *iat = json_object_get(t->claims, "iat");
    const json_t *nbf = json_object_get(t->claims, "nbf");
    json_int_t from = json_integer_value(iat);
    json_int_t until = json_integer_value(exp);

    if (!json_is_integer(exp) || !json_is_integer(iat) || (nbf != NULL && !json_is_integer(nbf)))
        return bad(t, "exp, iat and nbf are integers");
    if (from < 0 || until <= from || until - from > rules->lifetime_max)
        return bad(t, "the token lives too long or not at all");
    if (until <= rules->now)
        return bad(t, "the token has expired");
    if (from > rules->now + rules->skew)
        return bad(t, "the token was issued in the future");
    if (nbf != NULL && json_integer_value(nbf) > rules->now + rules->skew)
        return bad(t, "the token is not valid yet");
    return true;
}

static bool check_claims(struct token *t, const struct jwt_rules *rules)
{
    if (!text_is(json_object_get(t->claims, "iss"), rules->issuer))
        return bad(t, "iss is not us");
    if (!text_is(json_object_get(t->claims, "aud"), rules->audience))
        return bad(t, "aud is not us");
    if (!json_is_string(json_object_get(t->claims, "sub")))
        return bad(t, "sub is missing");
    return check_times(t, rules);
}

enum err jwt_verify(struct arena *a, const char *token, size_t length,
                    const struct jwt_rules *rules, const json_t **claims, const char **why)
{
    struct token t = {.arena = a, .text = token, .length = length, .why = NULL};
    bool good = length <= JWT_MAX || bad(&t, "the token is too long");

    *claims = NULL;
    good = good && split(&t) && parse(&t, 0, &t.header) && check_header(&t, rules) &&
           check_signature(&t, rules) && parse(&t, 1, &t.claims) && check_claims(&t, rules);
    *why = t.why;
    if (!good)
        return ERR_TOKEN;
    *claims = t.claims;
    return OK;
}

enum err jwt_unpack(struct arena *a, const char *token, size_t length, struct jwt_parts *out,
                    const char **why)
{
    struct token t = {.arena = a, .text = token, .length = length, .why = NULL};
    bool good = length <= JWT_MAX || bad(&t, "the token is too long");

    good = good && split(&t) && parse(&t, 0, &t.header) && parse(&t, 1, &t.claims);
    *why = t.why;
    if (!good)
        return ERR_TOKEN;
    *out = (struct jwt_parts){.header = t.header,
                              .claims = t.claims,
                              .text = token,
                              .length = t.lengths[0] + 1 + t.lengths[1],
                              .signature = t.parts[2],
                              .signature_length = t.lengths[2]};
    return OK;
}

static bool sign(EVP_PKEY *key, const char *text, unsigned char raw[ES256_SIGNATURE])
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    unsigned char der[DER_MAX];
    const unsigned char *at = der;
    size_t length = sizeof(der);
    ECDSA_SIG *signature = NULL;
    bool good = false;

    if (context != NULL && EVP_DigestSignInit(context, NULL, EVP_sha256(), NULL, key) == 1 &&
        EVP_DigestSign(context, der, &length, (const unsigned char *)text, strlen(text)) == 1)
        signature = d2i_ECDSA_SIG(NULL, &at, (long)length);
    if (signature != NULL)
        good = BN_bn2binpad(ECDSA_SIG_get0_r(signature), raw, HALF) == HALF &&
               BN_bn2binpad(ECDSA_SIG_get0_s(signature), raw + HALF, HALF) == HALF;
    ECDSA_SIG_free(signature);
    EVP_MD_CTX_free(context);
    ERR_clear_error();
    return good;
}

static const char *segment(struct arena *a, json_t *json)
{
    char *text = json_dumps(json, JSON_COMPACT | JSON_SORT_KEYS);
    const char *out = text == NULL ? NULL : base64url_encode(a, text, strlen(text));

    json_decref(json);
    free(text);
    return out;
}

enum err jwt_mint(struct arena *a, EVP_PKEY *key, const char *kid, const char *type, json_t *claims,
                  const char **token)
{
    unsigned char raw[ES256_SIGNATURE];
    const char *header =
        segment(a, json_pack("{s:s,s:s,s:s}", "alg", "ES256", "kid", kid, "typ", type));
    const char *payload = segment(a, claims);
    const char *text;

    if (header == NULL || payload == NULL)
        return ERR_INTERNAL;
    text = arena_printf(a, "%s.%s", header, payload);
    if (!sign(key, text, raw))
        return ERR_INTERNAL;
    *token = arena_printf(a, "%s.%s", text, base64url_encode(a, raw, sizeof(raw)));
    return OK;
}
