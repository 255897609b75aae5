/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a token: no crash, and nothing is accepted that was not signed. The first byte says
 * whether the rest is a token, or a header and a payload (parted by a line end) that get signed, so
 * that what comes after the signature check is reached too. */
#include "auth/jwt.h"

#include "core/text.h"

#include <openssl/ec.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { NOW = 1800000000 };

static EVP_PKEY *key;

static EVP_PKEY *find(void *arg, const char *kid)
{
    (void)arg;
    if (kid[0] != 'k')
        return NULL;
    (void)EVP_PKEY_up_ref(key);
    return key;
}

static const struct jwt_rules rules = {.issuer = "https://here",
                                       .audience = "chancery",
                                       .type = "at+jwt",
                                       .now = NOW,
                                       .skew = 60,
                                       .lifetime_max = 3600,
                                       .key_of = find};

/* The signature of jwt_mint over any two segments: mint takes JSON only, so sign by hand. */
static const char *sign(struct arena *a, const char *text)
{
    const char *token = NULL;
    unsigned char raw[ES256_SIGNATURE] = {0};
    unsigned char der[80];
    const unsigned char *at = der;
    size_t length = sizeof(der);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    ECDSA_SIG *s = NULL;

    if (EVP_DigestSignInit(context, NULL, EVP_sha256(), NULL, key) == 1 &&
        EVP_DigestSign(context, der, &length, (const unsigned char *)text, strlen(text)) == 1)
        s = d2i_ECDSA_SIG(NULL, &at, (long)length);
    if (s != NULL && BN_bn2binpad(ECDSA_SIG_get0_r(s), raw, 32) == 32 &&
        BN_bn2binpad(ECDSA_SIG_get0_s(s), raw + 32, 32) == 32)
        token = arena_printf(a, "%s.%s", text, base64url_encode(a, raw, sizeof(raw)));
    ECDSA_SIG_free(s);
    EVP_MD_CTX_free(context);
    return token;
}

static void accepted_is_sound(const json_t *claims)
{
    const char *issuer = json_string_value(json_object_get(claims, "iss"));

    if (issuer == NULL || strcmp(issuer, rules.issuer) != 0 ||
        json_integer_value(json_object_get(claims, "exp")) <= NOW)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *a = arena_new();
    const char *text = (const char *)data + 1;
    const json_t *claims;
    const char *why;

    if (key == NULL)
        key = EVP_EC_gen("P-256");
    if (size > 1 && data[0] == 's') {
        const char *line = memchr(text, '\n', size - 1);
        size_t head = line == NULL ? size - 1 : (size_t)(line - text);
        size_t body = line == NULL ? 0 : size - 2 - head;
        const char *token =
            sign(a, arena_printf(a, "%s.%s", base64url_encode(a, text, head),
                                 base64url_encode(a, body == 0 ? "" : line + 1, body)));

        if (token != NULL && jwt_verify(a, token, strlen(token), &rules, &claims, &why) == OK)
            accepted_is_sound(claims);
    } else if (size > 1 && jwt_verify(a, text, size - 1, &rules, &claims, &why) == OK) {
        abort(); /* nobody else has the key, which is new in every run */
    }
    arena_free(a);
    return 0;
}
