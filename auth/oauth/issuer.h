/* SPDX-License-Identifier: Apache-2.0 */
#ifndef OAUTH_ISSUER_H
#define OAUTH_ISSUER_H

#include "auth/oauth/jwks.h"

/* Foreign issuers: what they say of themselves (OpenID Connect Discovery) and their keys, kept in
 * memory. One caller at a time fetches for an issuer; who needs what is not known yet waits, two
 * callers in all, so that a slow issuer holds nobody else up. Fetched anew after 10
 * minutes, or for a key id that is not there, but at most every 30 s, failures included. What was
 * good stays in use for 24 h while the issuer cannot be reached. Blocks: for the slow lane. */
struct issuer {
    const char *authorization_endpoint;
    const char *token_endpoint;
    bool says_iss;    /* authorization_response_iss_parameter_supported (RFC 9207) */
    bool secret_post; /* the token endpoint takes client_secret_post only */
};

void issuers_stop(void);
/* Texts are in the arena. ERR_UNAVAILABLE, ERR_DENIED, ERR_RATE or ERR_BUSY with the reason in
 * *why. */
MUST_CHECK enum err issuer_find(struct arena *a, const char *issuer, struct issuer *out,
                                const char **why);
/* The claims of a token that this issuer signed and that holds by the rules. ERR_TOKEN, or as
 * above. */
MUST_CHECK enum err issuer_token(struct arena *a, const char *token,
                                 const struct foreign_rules *rules, const json_t **claims,
                                 const char **why);

#endif
