/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVICE_LINT_H
#define SERVICE_LINT_H

#include "core/err.h"

/* Ask the catalogue whether tenants are kept apart: every rule of service/lint.def. Exceptions are
 * stated in the catalogue itself, as a comment on the object that begins with "global:" (a table
 * without tenant_id, an index that is unique across tenants) or "definer:" (a function that runs
 * with its owner's rights), so that they are made in a migration and seen in its review. Each
 * finding is logged; ERR_CONFLICT when there is one. */
MUST_CHECK enum err lint_run(const char *app_conninfo);

#endif
