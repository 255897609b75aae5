/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ACCESS_BINDING_H
#define ACCESS_BINDING_H

#include "core/db.h"

/* A principal or a group has a role at a scope, for a time, under a condition. */
struct binding {
    const char *id;
    const char *principal; /* name; NULL for a group */
    const char *principal_id;
    const char *group; /* name; NULL for a principal */
    const char *group_id;
    const char *role;
    const char *scope;   /* "platform", "tenant", "project" or "asset" */
    const char *project; /* name; NULL but at project and asset */
    const char *project_id;
    const char *asset;     /* "models/risk"; NULL but at asset */
    const char *condition; /* auth/access/condition.h; NULL: always */
    const char *valid_from;
    const char *valid_until; /* NULL: for good */
    const char *created_by;  /* name */
    const char *created_at;
    const char *eligible_id; /* it came of this eligibility; NULL: of nothing */
};
extern const struct field binding_fields[];

/* All inside a transaction of the tenant. */
MUST_CHECK enum err binding_find(struct db *db, const char *id, struct binding *out);
/* By names, either NULL for any. By id, oldest first. */
struct binding_search {
    const char *principal;
    const char *group;
    const char *project;
    const char *after;
    int64_t limit;
};
MUST_CHECK enum err binding_list(struct db *db, const struct binding_search *s, struct rows *out);
/* id, the ids, role, scope, asset, condition and valid_until are taken; valid from now. One that
 * has run out gives way. ERR_EXISTS. */
MUST_CHECK enum err binding_insert(struct db *db, const struct binding *b, const char *by);
MUST_CHECK enum err binding_delete(struct db *db, const char *id);

#endif
