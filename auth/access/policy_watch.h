/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ACCESS_POLICY_WATCH_H
#define ACCESS_POLICY_WATCH_H

#include "core/err.h"

/* The thread that keeps the snapshots true, on a connection of its own: it renews this replica's
 * lease every LEASE_RENEW_MS, listens on channel authz, and on a word asks which tenants' policies
 * have changed since the last database snapshot it saw. Those are forgotten, and the replica's row
 * says so: that is the acknowledgement which whoever changed a policy waits for
 * (auth/access/barrier.h). Nothing is loaded here, so that no tenant's size delays another's
 * revocation. The order makes it safe: write the lease, read what has changed, forget, only then
 * believe in the lease. conninfo is borrowed until watch_stop. */
MUST_CHECK enum err watch_start(const char *conninfo);
void watch_stop(void);

#endif
