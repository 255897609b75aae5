/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SIGN_IN_SIGN_IN_H
#define SIGN_IN_SIGN_IN_H

#include "auth/access_jwt.h"
#include "auth/token.h"
#include "core/request.h"

struct ceremony;

/* Who signs in with a password, and where. */
struct sign_in {
    const char *tenant_id;
    const char *tenant;
    const char *tenant_state;
    const char *id;
    const char *name;
    const char *password_hash;
    const char *amr;           /* how: "pwd", and more with a second factor (RFC 8176) */
    int64_t auth_ms;           /* when */
    int64_t mfa_ms;            /* with a second factor; 0 for none */
    bool passkeys;             /* there are some, and a code was not given */
    struct ceremony *ceremony; /* on a page: how to use one; NULL for none */
};

/* ERR_CREDENTIALS for any reason, after the same time; ERR_RATE, before any work, while the account
 * is delayed or hashing is full. On success, or once the tenant is known, rq->caller says who (for
 * the audit). For TX_MANUAL routes. */
MUST_CHECK enum err sign_in(struct request *rq, const char *tenant, const char *user,
                            const char *password, struct sign_in *out);
/* Only the caller's own password, again. */
MUST_CHECK enum err sign_in_again(struct request *rq, const char *password);

/* ERR_RATE, with Retry-After. */
enum err sign_in_wait(struct request *rq, int64_t wait_ms);

/* A new password, in a write transaction of the tenant. */
MUST_CHECK enum err sign_in_store(struct db *db, const char *id, const char *phc);

/* A tenant by name: ERR_NOT_FOUND. Outside transactions. */
MUST_CHECK enum err sign_in_tenant(struct db *db, const char *name, struct sign_in *out);

/* {"access_token",…}, with further members of more (taken; NULL for none). After the commit. */
enum err sign_in_reply(struct request *rq, const struct bearer *b, json_t *more);

#endif
