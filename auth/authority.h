/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AUTH_AUTHORITY_H
#define AUTH_AUTHORITY_H

#include "auth/role.h"
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
MUST_CHECK enum err authority_give(struct request *rq, enum role role, uint32_t scope,
                                   uint32_t principal);

/* Could the caller do, or give, all that this principal may? Asked before anything that lets the
 * caller act in its place: a password, a token, a change of owner. */
MUST_CHECK enum err authority_covers(struct request *rq, uint32_t principal);

/* Fails unless a tenant admin is left. */
MUST_CHECK enum err authority_admin_remains(struct request *rq);

/* Has the caller this action in the tenant or in any of its projects? */
bool authority_anywhere(struct request *rq, enum action a);

#endif
