/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AUTH_LIMIT_TABLE_H
#define AUTH_LIMIT_TABLE_H

#include "auth/limit.h"

/* The limits that tenants have of their own, and the number of replicas, as the database has them:
 * a thread reads both once a second. Thread-safe. */
MUST_CHECK enum err limit_table_start(const char *conninfo);
void limit_table_stop(void);

/* False when the tenant has none of its own. */
bool limit_table_find(const char *tenant_id, struct limits *out);
/* Replicas that serve now, this one included: at least 1. */
int64_t limit_replicas(void);

#endif
