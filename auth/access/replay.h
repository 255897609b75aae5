/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ACCESS_REPLAY_H
#define ACCESS_REPLAY_H

#include "auth/access/policy.h"
#include "core/db.h"

/* Decisions of late, as the audit log has them, asked again of another policy. Entries of one
 * caller, route, project and asset are one decision, told with how often and when last. What a
 * route for anyone decided in its handler, and what only a request can tell, is not in it. */
struct replay {
    struct rows rows;
    bool complete; /* false: there were more than are looked at */
};

/* The last days' decisions; inside a transaction of the tenant. */
MUST_CHECK enum err replay_load(struct db *db, int64_t days, struct replay *out);
/* Those that would turn out differently: [{principal, action, project, asset, times, at, was,
 * would_be}]. The caller owns it. */
json_t *replay_differences(const struct replay *r, const struct policy *before,
                           const struct policy *after);

#endif
