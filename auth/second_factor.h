/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AUTH_SECOND_FACTOR_H
#define AUTH_SECOND_FACTOR_H

#include "auth/sign_in.h"

/* Second factors of people who sign in here, and what a tenant asks for. */
struct factors {
    bool totp;
    bool webauthn;
    bool required;   /* of everybody in the tenant, for privileged acts */
    int64_t max_age; /* seconds for which one counts as fresh */
};
enum { MFA_MAX_AGE_S = 15 * 60 };

/* Not inside a transaction that runs. */
MUST_CHECK enum err factors_of(struct db *db, const char *tenant_id, const char *principal_id,
                               struct factors *out);
/* After the password: OK at once for whoever has no second factor. ERR_STEP_UP: a code is needed;
 * ERR_CREDENTIALS: it is wrong or was used before; ERR_RATE. On success who says so. */
MUST_CHECK enum err second_factor_check(struct request *rq, const char *code, struct sign_in *who);
/* A privileged act of the request's caller: ERR_STEP_UP unless a second factor is fresh, for those
 * who have one and where the tenant asks for it (RFC 9470). */
MUST_CHECK enum err second_factor_fresh(struct request *rq);

#endif
