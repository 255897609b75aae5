/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AUTH_ACCESS_JWT_H
#define AUTH_ACCESS_JWT_H

#include "auth/token.h"
#include "core/db.h"
#include "core/service.h"

/* Access tokens (RFC 9068): who asks, never what they may. Not inside a transaction that is
 * running, since signing keys may have to be read or made. */
struct bearer {
    const char *tenant_id;
    const char *tenant;
    const char *id;
    const char *name;
    const char *kind;   /* "user" or "service" */
    int64_t expires_ms; /* the token ends by then; 0 for its usual life */
};

void access_jwt_start(const struct service *service);
MUST_CHECK enum err access_jwt_mint(struct db *db, const struct bearer *b, const char **token,
                                    int64_t *expires_in);
/* ERR_TOKEN, and *why says what is wrong. */
MUST_CHECK enum err access_jwt_open(struct db *db, const char *text, struct claims *claims,
                                    const char **why);
/* What we call ourselves in tokens: the URL clients know us by. */
const char *access_jwt_issuer(void);

#endif
