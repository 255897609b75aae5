/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AUTH_TOKEN_H
#define AUTH_TOKEN_H

#include "auth/access/action.h"
#include "core/crypto.h"
#include "core/text.h"

#include <stdbool.h>
#include <stdint.h>

/* What a credential was found to say. It names a principal and nothing of what that one may. */
enum { TELLS_SUBJECT = 1, TELLS_PROFILE = 2, TELLS_EMAIL = 4, TELLS_ALL = 7 };
enum token_kind { TOKEN_NONE, TOKEN_ACCESS, TOKEN_PERSONAL };
struct claims {
    enum token_kind kind;
    char tenant_id[ID_SIZE];
    char principal[ID_SIZE];
    char id[ID_SIZE]; /* jti, or the personal access token's id */
    int64_t expires_ms;
    int64_t issued_ms;       /* of an access token */
    char session[ID_SIZE];   /* that the token dies with; "" for none */
    int64_t auth_ms;         /* when its bearer signed in */
    int64_t mfa_ms;          /* with a second factor; 0 for none */
    bool limited;            /* to the actions of its scope */
    struct action_set scope; /* if it is */
    unsigned tells;          /* what of its bearer an access token lets a client know: TELLS_… */
};

/* Credentials found good, by the SHA-256 of their exact bytes: a hit costs about a microsecond,
 * where a signature costs fifty and a statement more. An entry is good until the token expires, for
 * at most 60 s, and only under the epoch of the tenant's policy at which it was verified: whoever
 * is disabled or revoked moves that epoch. Fixed in size; a full set gives up its oldest.
 * Thread-safe. */
enum { TOKEN_CACHE_MS = 60000 };

struct token_cache;
struct token_cache *token_cache_new(unsigned entries); /* rounded up to a power of two */
void token_cache_free(struct token_cache *c);
bool token_cache_find(struct token_cache *c, const struct digest *token, int64_t now_ms,
                      struct claims *out, int64_t *epoch);
void token_cache_put(struct token_cache *c, const struct digest *token, int64_t now_ms,
                     const struct claims *claims, int64_t epoch);
/* Forget everything: a signing key is gone. */
void token_cache_clear(struct token_cache *c);

#endif
