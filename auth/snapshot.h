/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AUTH_SNAPSHOT_H
#define AUTH_SNAPSHOT_H

#include "auth/policy.h"
#include "core/db.h"
#include "core/field.h"

/* The newest known policy of every tenant that was asked for. A policy is used as it stands while
 * the watch (auth/policy_watch.h) has seen the epochs within SNAPSHOT_BLIND_MS; else every use asks
 * the database for the epoch first. A policy never gives way to an older one. Thread-safe. */
enum { SNAPSHOT_BLIND_MS = 5000 };

/* The policy of a tenant; the caller drops it. ERR_NOT_FOUND: there is no such tenant. Not inside a
 * transaction that is running (TX_POINT and TX_MANUAL are none). */
MUST_CHECK enum err snapshot_take(struct db *db, const char *tenant_id, struct policy **out);
/* The same, but of the database's present epoch. */
MUST_CHECK enum err snapshot_renew(struct db *db, const char *tenant_id, struct policy **out);

/* Of one tenant, or with NULL of all: load anew at the next use. */
void snapshot_forget(const char *tenant_id);
/* Word of a change has come: what is being loaded at this moment may be too old to keep. */
void snapshot_unsettle(void);
/* All epochs were seen at this time (steady clock), or with 0: we see nothing. */
void snapshot_seen(int64_t steady_ms);
/* Is there a policy of this tenant here? And one of another epoch? */
bool snapshot_has(const char *tenant_id);
bool snapshot_older(const char *tenant_id, int64_t epoch);

#endif
