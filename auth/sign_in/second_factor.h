/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SIGN_IN_SECOND_FACTOR_H
#define SIGN_IN_SECOND_FACTOR_H

#include "auth/sign_in/sign_in.h"

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
/* After the password: OK at once for whoever has no second factor. ERR_STEP_UP: a code is needed,
 * or a passkey (who->passkeys); ERR_CREDENTIALS: the code is wrong or was used before; ERR_RATE. On
 * success who says so. */
MUST_CHECK enum err second_factor_check(struct request *rq, const char *code, struct sign_in *who);
/* A privileged act of the request's caller: ERR_STEP_UP unless a second factor is fresh, for those
 * who have one and where the tenant asks for it (RFC 9470). */
MUST_CHECK enum err second_factor_fresh(struct request *rq);
/* Refuse with ERR_STEP_UP and the challenge of RFC 9470. max_age: seconds. */
enum err second_factor_demand(struct request *rq, int64_t max_age);
/* The caller changes what second factors there are: whoever has one shows it first. mfa_ms: when it
 * was last shown. ERR_STEP_UP; fills *out. */
MUST_CHECK enum err second_factor_own(struct request *rq, int64_t mfa_ms, struct factors *out);
/* A factor belongs to a person who is there: not to a token somebody found. ERR_DENIED. */
MUST_CHECK enum err second_factor_person(struct request *rq);
/* An access token of the same session, from now on with a second factor. more: see sign_in_reply.
 */
enum err second_factor_reply(struct request *rq, const char *amr, json_t *more);
json_t *recovery_list(const struct texts *codes);

#endif
