/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ACCESS_POLICY_STORE_H
#define ACCESS_POLICY_STORE_H

#include "auth/access/policy.h"
#include "core/db.h"

/* The epoch of the tenant's policy, in one round trip. ERR_NOT_FOUND: there is no such tenant. Not
 * inside a transaction that is running; nor is the next. */
MUST_CHECK enum err policy_epoch_read(struct db *db, const char *tenant_id, int64_t *epoch);

/* Everything about who may what in the tenant, from one database snapshot; the caller drops it. */
MUST_CHECK enum err policy_load(struct db *db, const char *tenant_id, struct policy **out);

/* Inside the running TX_WRITE of the tenant: keep everyone else from changing the policy until the
 * commit; and load it as this transaction sees it. */
MUST_CHECK enum err policy_lock(struct db *db, int64_t *epoch);
MUST_CHECK enum err policy_load_here(struct db *db, const char *tenant_id, struct policy **out);

#endif
