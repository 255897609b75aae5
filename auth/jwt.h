/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AUTH_JWT_H
#define AUTH_JWT_H

#include "core/arena.h"
#include "core/err.h"

#include <jansson.h>
#include <openssl/evp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* JSON Web Tokens (RFC 7515, RFC 7519) as RFC 8725 wants them: compact form, ES256 only, and every
 * key is good for the one algorithm it is kept for; what the token says of itself decides nothing.
 */
enum { JWT_MAX = 8192, JWT_KID_MAX = 64, JWT_DEPTH_MAX = 8, ES256_SIGNATURE = 64 };

/* The key of this id, whose holder the caller becomes (EVP_PKEY_free), or NULL. */
typedef EVP_PKEY *jwt_key_of(void *arg, const char *kid);

struct jwt_rules {
    const char *issuer;
    const char *audience;
    const char *type;     /* RFC 8725 §3.11: "at+jwt" for access tokens (RFC 9068) */
    int64_t now;          /* seconds since 1970, as all times inside a token */
    int64_t skew;         /* how far iat and nbf may lie ahead of now */
    int64_t lifetime_max; /* of exp - iat */
    jwt_key_of *key_of;
    void *arg;
};

/* Is the token good in every respect? Then *claims is its payload, owned by the arena. Else
 * ERR_TOKEN, and *why says what is wrong with it: static text, for the log and the tests. */
MUST_CHECK enum err jwt_verify(struct arena *a, const char *token, size_t length,
                               const struct jwt_rules *rules, const json_t **claims,
                               const char **why);

/* What a token of somebody else says, before anything of it is believed; owned by the arena. */
struct jwt_parts {
    const json_t *header;
    const json_t *claims;
    const char *text; /* length bytes of it are signed */
    size_t length;
    const char *signature; /* base64url */
    size_t signature_length;
};
MUST_CHECK enum err jwt_unpack(struct arena *a, const char *token, size_t length,
                               struct jwt_parts *out, const char **why);
/* key is a P-256 key. */
bool jwt_es256_fits(EVP_PKEY *key, const char *text, size_t length,
                    const unsigned char raw[ES256_SIGNATURE]);

/* A signed token in the arena; takes claims. key is a P-256 key with its private half. */
MUST_CHECK enum err jwt_mint(struct arena *a, EVP_PKEY *key, const char *kid, const char *type,
                             json_t *claims, const char **token);

#endif
