/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ACCESS_SNAPSHOT_H
#define ACCESS_SNAPSHOT_H

#include "auth/access/policy.h"
#include "core/db.h"

/* The newest known policy of every tenant that was asked for. A policy is used as it stands while
 * this process has a lease (auth/access/lease.h); else every use asks the database for the epoch
 * first. A policy never gives way to an older one, and one thread loads while others wait.
 * Thread-safe. */

/* The policy of a tenant; the caller drops it. ERR_NOT_FOUND: there is no such tenant. Not inside a
 * transaction that is running (TX_POINT and TX_MANUAL are none). */
MUST_CHECK enum err snapshot_take(struct db *db, const char *tenant_id, struct policy **out);
/* The same, but of the database's present epoch. */
MUST_CHECK enum err snapshot_renew(struct db *db, const char *tenant_id, struct policy **out);

/* Of one tenant, or with NULL of all: load anew at the next use. */
void snapshot_forget(const char *tenant_id);
/* Word has come that the tenant's policy is of this epoch now: an older one is used no more, nor
 * kept if it is being loaded at this moment. */
void snapshot_moved(const char *tenant_id, int64_t epoch);
/* Is the tenant's policy here, and of this epoch? */
bool snapshot_is(const char *tenant_id, int64_t epoch);

#endif
