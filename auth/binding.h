/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AUTH_BINDING_H
#define AUTH_BINDING_H

#include "core/db.h"

/* A principal has a role at a scope, for a time. */
struct binding {
    const char *id;
    const char *principal; /* name */
    const char *principal_id;
    const char *role;
    const char *scope;   /* "platform", "tenant" or "project" */
    const char *project; /* name; NULL but at scope project */
    const char *project_id;
    const char *valid_from;
    const char *valid_until; /* NULL: for good */
    const char *created_by;  /* name */
    const char *created_at;
};
extern const struct field binding_fields[];

/* All inside a transaction of the tenant. */
MUST_CHECK enum err binding_find(struct db *db, const char *id, struct binding *out);
/* By names, either NULL for any. By id, oldest first. */
MUST_CHECK enum err binding_list(struct db *db, const char *principal, const char *project,
                                 const char *after, int64_t limit, struct rows *out);
/* id, principal_id, role, scope, project_id and valid_until are taken; valid from now. One that has
 * run out gives way. ERR_EXISTS. */
MUST_CHECK enum err binding_insert(struct db *db, const struct binding *b, const char *by);
MUST_CHECK enum err binding_delete(struct db *db, const char *id);

#endif
