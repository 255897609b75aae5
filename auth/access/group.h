/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ACCESS_GROUP_H
#define ACCESS_GROUP_H

#include "core/db.h"

/* People, service accounts and groups that are given roles together; nested at most five deep. */
struct group {
    const char *id;
    const char *name;
    const char *display_name;
    const char *source; /* "local", "scim" or "claim": who says who is in it */
    int64_t members;
    const char *created_by;
    const char *created_at;
};
extern const struct field group_fields[];

/* Either principal or group, by name. */
struct member {
    const char *id;
    const char *principal;
    const char *group;
    const char *source;
    const char *valid_until;
    const char *created_at;
};
extern const struct field member_fields[];

/* All inside a transaction of the tenant. */
MUST_CHECK enum err group_find(struct db *db, const char *name, struct group *out);
MUST_CHECK enum err group_list(struct db *db, const char *after, int64_t limit, struct rows *out);
/* id, name, display_name and source are taken. ERR_EXISTS. */
MUST_CHECK enum err group_insert(struct db *db, const struct group *g, const char *by);
/* ERR_CONFLICT while something is given to it. */
MUST_CHECK enum err group_delete(struct db *db, const char *id);
MUST_CHECK enum err group_given(struct db *db, const char *id, bool *given);
/* The groups that the principal, still in them, had joined by that time. */
MUST_CHECK enum err group_joined(struct db *db, const char *principal_id, const char *by,
                                 struct texts *ids);
MUST_CHECK enum err member_list(struct db *db, const char *group_id, struct rows *out);
/* One of principal_id and child_id. A membership there already gets the new end. ERR_INVALID with
 * db->constraint group_member_cycle or group_member_depth. */
struct new_member {
    const char *group_id;
    const char *principal_id;
    const char *child_id;
    const char *source;
    const char *valid_until;
};
MUST_CHECK enum err member_put(struct db *db, const struct new_member *m, const char *by);
/* Of any source. */
MUST_CHECK enum err member_delete(struct db *db, const char *group_id, const char *member_id);

#endif
