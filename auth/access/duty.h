/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ACCESS_DUTY_H
#define ACCESS_DUTY_H

#include "auth/access/policy.h"
#include "core/request.h"

/* Separation of duties (ANSI INCITS 359 §5.3): a set of roles of which one principal may have at
 * most so many at one place, counting what comes through groups, from above, and what it may only
 * ask for. A service account counts as the user who answers for it. */
struct duty {
    const char *name;
    const char *description;
    struct texts roles;
    int64_t at_most;
    bool active_only; /* being eligible does not count */
    const char *created_by;
    const char *created_at;
};
extern const struct field duty_fields[];

/* All inside a transaction of the tenant. */
MUST_CHECK enum err duty_list(struct db *db, struct rows *out);
MUST_CHECK enum err duty_put(struct db *db, const struct duty *d, const char *by);
MUST_CHECK enum err duty_delete(struct db *db, const char *name);

/* The first scope where the person behind the principal has more of the roles than it may; its
 * roles there into has, of room for all. False when there is none. */
bool duty_broken(const struct policy *p, const struct duty *d, uint32_t principal, uint32_t *scope,
                 const char **has, size_t *count);
/* ERR_CONFLICT with who and what when after breaks a duty that before does not. */
MUST_CHECK enum err duty_unbroken(struct request *rq, const struct rows *duties,
                                  const struct policy *before, const struct policy *after);

#endif
