/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OAUTH_JWKS_H
#define OAUTH_JWKS_H

#include "auth/jwt.h"
#include "auth/keys/public_key.h"

/* Foreign signing keys (RFC 7517). Every key is good for one algorithm, RFC 8725 §3.1: the one it
 * names, else RS256 for RSA, ES256 for P-256 and EdDSA for Ed25519. */
enum jws_alg { JWS_RS256 = 1, JWS_PS256 = 2, JWS_ES256 = 4, JWS_EDDSA = 8, JWS_ALL = 15 };
enum { JWKS_MAX = 64, FOREIGN_KID_MAX = 128 };

/* 0 for a name that is not one of these. */
enum jws_alg jws_alg_find(const char *name);

struct jwk {
    char kid[FOREIGN_KID_MAX + 1];
    enum jws_alg alg;
    EVP_PKEY *key;
};

struct jwks {
    struct jwk keys[JWKS_MAX];
    size_t count;
};

/* The usable signing keys of a JSON Web Key Set; others (encryption, unknown curves, RSA below 2048
 * bits) are passed over. ERR_INVALID when it is no set. jwks_clear frees. */
MUST_CHECK enum err jwks_parse(const char *text, size_t length, struct jwks *out);
void jwks_clear(struct jwks *set);

/* A foreign token's rules. */
struct foreign_rules {
    const char *issuer;
    const char *audience;
    const char *nonce; /* NULL: none is asked for */
    const char *type;  /* typ that is taken beside "JWT" and none; NULL for no other */
    bool subject_optional;
    unsigned algs;        /* of enum jws_alg */
    int64_t now;          /* seconds */
    int64_t skew;         /* how far iat and nbf may lie ahead */
    int64_t lifetime_max; /* of exp - iat */
};

/* Does the token hold in every respect, under this key? An OpenID Connect ID token (Core §3.1.3.7)
 * or a workload's. ERR_TOKEN, and *why says what is wrong: static text. */
MUST_CHECK enum err foreign_token_check(const struct jwt_parts *parts,
                                        const struct foreign_rules *rules, const struct jwk *key,
                                        const char **why);
/* What can be judged of the header without a key; *kid is what it names. */
MUST_CHECK enum err foreign_token_header(const struct jwt_parts *parts,
                                         const struct foreign_rules *rules, const char **kid,
                                         const char **why);

#endif
