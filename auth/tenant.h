/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AUTH_TENANT_H
#define AUTH_TENANT_H

#include "core/db.h"

/* One customer of the installation: what platform operators see of it. */
struct tenant {
    const char *name;
    const char *state;
};
extern const struct field tenant_fields[];

MUST_CHECK enum err tenant_list(struct db *db, struct rows *out);
MUST_CHECK enum err tenant_find(struct db *db, const char *name, struct tenant *out);

#endif
