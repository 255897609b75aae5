/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AUTH_BOOTSTRAP_USE_H
#define AUTH_BOOTSTRAP_USE_H

#include "core/db.h"

/* Inside a write transaction of the tenant to be: spend the code and make the tenant. ERR_NOT_FOUND
 * when the code is not good, ERR_EXISTS when the name is taken. */
MUST_CHECK enum err bootstrap_use(struct db *db, const char *code, const char *tenant_id,
                                  const char *tenant, bool *platform);

/* After the commit: the code's file has served. */
void bootstrap_used(void);

#endif
