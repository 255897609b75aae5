/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AUTH_AUTHORITY_H
#define AUTH_AUTHORITY_H

#include "auth/policy.h"
#include "core/request.h"

#include <stdint.h>

/* The rules that keep people from giving themselves, or others, more than they have. All are asked
 * in the transaction that makes the change, after authority_fence. */

/* From here to the commit nobody else changes who may what, and the caller's rights are the present
 * ones: the first statement of every change to policy. ERR_DENIED when they no longer suffice. */
MUST_CHECK enum err authority_fence(struct request *rq);

/* May the caller give, or take, this role at this scope of its policy, to that principal?
 * Whoever administers gives every role of the tenant. Others need the right to give roles there,
 * and give no privileged role, and none whose actions they lack there, unless they may delegate:
 * then to others than themselves and their own service accounts. The platform's role is given by
 * those who have it. Fails with the reason. */
struct holder {
    uint32_t principal; /* not read for a group */
    uint32_t group;     /* 0, or 1 + its index */
};
MUST_CHECK enum err authority_give(struct request *rq, uint32_t role, uint32_t scope,
                                   struct holder to);
/* May the caller let somebody into this group: give them all that it, and those it is in, have? */
MUST_CHECK enum err authority_admit(struct request *rq, uint32_t group, struct holder to);
/* The last step of a change that may break a separation of duties which was kept before: then it
 * fails, with who and what. */
MUST_CHECK enum err authority_result(struct request *rq);
/* The last step of one that takes something away: fails when no user could administer any more. */
MUST_CHECK enum err authority_someone_administers(struct request *rq);

/* Could the caller do, or give, all that this principal may? Asked before anything that lets the
 * caller act in its place: a password, a token, a change of owner. */
MUST_CHECK enum err authority_covers(struct request *rq, uint32_t principal);

/* Fails unless a tenant admin is left. */
MUST_CHECK enum err authority_admin_remains(struct request *rq);

/* Has the caller this action in the tenant or in any of its projects? */
bool authority_anywhere(struct request *rq, enum action a);

#endif
