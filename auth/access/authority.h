/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ACCESS_AUTHORITY_H
#define ACCESS_AUTHORITY_H

#include "auth/access/policy.h"
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
 * then to others than themselves and their own service accounts, and only who cannot make up such
 * others: users, directories, identity providers. The platform's role is given by those who have
 * it. Fails with the reason. */
struct holder {
    uint32_t principal; /* not read for a group */
    uint32_t group;     /* 0, or 1 + its index */
};
MUST_CHECK enum err authority_give(struct request *rq, uint32_t role, uint32_t scope,
                                   struct holder to);
/* What the request is going to give whom, as its body says, for rights under a condition on that
 * (E4): before the first question. */
void authority_about(struct request *rq, const char *role, const char *principal,
                     const char *group);
/* May the caller let somebody into this group: give them all that it, and those it is in, have? */
MUST_CHECK enum err authority_admit(struct request *rq, uint32_t group, struct holder to);
/* The last step of a change that may break a separation of duties which was kept before: then it
 * fails, with who and what. */
MUST_CHECK enum err authority_result(struct request *rq);
/* The last step of one that takes something away: fails when no user could administer any more. */
MUST_CHECK enum err authority_someone_administers(struct request *rq);

/* May the caller do all of these there, by its token too? */
struct session;
bool authority_has(const struct session *s, const struct action_set *actions, uint32_t scope);
/* Has the set an action of the privileged class? */
bool authority_privileged(const struct action_set *set);
/* May the caller make this role, or (not POLICY_NONE) give it these actions instead of its own?
 * Whoever does gives them wherever the role is given: E1 at each of those places, and in the
 * tenant, since it may be given there next. Roles with privileged actions are tenant admins'. */
MUST_CHECK enum err authority_save(struct request *rq, uint32_t role, const struct action_set *set);
/* Has the caller the action at the scope even without the groups it joined after that time? In a
 * transaction of the tenant. */
MUST_CHECK enum err authority_held(struct request *rq, enum action a, uint32_t scope,
                                   const char *since, bool *held);
/* Could the caller do, or give, all that this principal and the service accounts it answers for
 * may? Asked before anything that lets the caller act in its place: a password, a token, a change
 * of owner. */
MUST_CHECK enum err authority_covers(struct request *rq, uint32_t principal);

/* May the caller lift the deny or ceiling of that id? Nobody but tenant admins lifts one that binds
 * themselves, through a group or a service account of theirs too. */
MUST_CHECK enum err authority_lift(struct request *rq, const char *id);
/* May the caller let these out of a deny, by letting them into or out of a group? */
MUST_CHECK enum err authority_free(struct request *rq, struct holder whom);

/* Fails unless a tenant admin is left, one whom no deny keeps from it. */
MUST_CHECK enum err authority_admin_remains(struct request *rq);

/* Has the caller this action in the tenant or in any of its projects? */
bool authority_anywhere(struct request *rq, enum action a);

#endif
