/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ACCESS_CUSTOM_ROLE_H
#define ACCESS_CUSTOM_ROLE_H

#include "core/db.h"

/* A tenant's own role: (actions - not_actions) + (data_actions - not_data_actions). A wildcard
 * means what it meant when the role was saved (expanded), so a new version of the program gives
 * nobody more; what it would add is shown as widening until the role is saved again. */
struct custom_role {
    const char *name;
    const char *description;
    struct texts actions;
    struct texts not_actions;
    struct texts data_actions;
    struct texts not_data_actions;
    struct texts scopes;
    struct texts expanded;
    const char *catalogue; /* hexadecimal SHA-256 of the actions it was expanded by */
    int64_t revision;
    const char *created_by;
    const char *updated_at;
};

/* All inside a transaction of the tenant. */
MUST_CHECK enum err custom_role_find(struct db *db, const char *name, struct custom_role *out);
MUST_CHECK enum err custom_role_list(struct db *db, struct rows *out);
MUST_CHECK enum err custom_role_put(struct db *db, const struct custom_role *r, const char *by);
MUST_CHECK enum err custom_role_delete(struct db *db, const char *name);
/* Does a binding, an eligibility or a separation of duties name it? */
MUST_CHECK enum err custom_role_used(struct db *db, const char *name, bool *used);

#endif
