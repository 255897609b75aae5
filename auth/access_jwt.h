/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AUTH_ACCESS_JWT_H
#define AUTH_ACCESS_JWT_H

#include "auth/token.h"
#include "core/db.h"
#include "core/service.h"

#include <jansson.h>

/* Access tokens (RFC 9068): who asks, never what they may. Not inside a transaction that is
 * running, since signing keys may have to be read or made. */
struct bearer {
    const char *tenant_id;
    const char *tenant;
    const char *id;
    const char *name;
    const char *kind;       /* "user" or "service" */
    int64_t expires_ms;     /* the token ends by then; 0 for its usual life */
    const char *session_id; /* that it dies with; NULL for none */
    const char *client_id;  /* NULL for none */
    const char *scope;      /* NULL: all its bearer may */
    int64_t auth_ms;        /* when its bearer signed in; 0: now */
    int64_t mfa_ms;         /* with a second factor; 0 for none */
    const char *amr;        /* how, separated by blanks; "" for elsewhere, NULL for not at all */
};

void access_jwt_start(const struct service *service);
MUST_CHECK enum err access_jwt_mint(struct db *db, const struct bearer *b, const char **token,
                                    int64_t *expires_in);
/* What OpenID Connect Core §2 says of a sign-in: auth_time, acr ("pwd", or "mfa" with a second
 * factor) and amr, added to claims. */
void access_jwt_add_sign_in(json_t *claims, const struct bearer *b);
/* ERR_TOKEN, and *why says what is wrong. */
MUST_CHECK enum err access_jwt_open(struct db *db, const char *text, struct claims *claims,
                                    const char **why);
/* Which client an ID token of ours was given to, even if it has expired. ERR_TOKEN. */
MUST_CHECK enum err access_jwt_id_token(struct db *db, const char *text, const char **client_id);
/* When an id was made (RFC 9562 §5.7), in milliseconds. */
int64_t access_jwt_id_ms(const char *id);
/* What we call ourselves in tokens: the URL clients know us by. */
const char *access_jwt_issuer(void);

#endif
