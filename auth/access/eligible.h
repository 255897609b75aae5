/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ACCESS_ELIGIBLE_H
#define ACCESS_ELIGIBLE_H

#include "core/db.h"

/* A role that a principal or group does not hold but may ask to have for some hours. */
struct eligible {
    const char *id;
    const char *principal; /* name; NULL for a group */
    const char *group;
    const char *role;
    const char *scope;
    const char *project;
    const char *asset;
    int64_t max_hours;
    bool approval; /* by another, who may give the role there */
    bool step_up;  /* only by a caller who has just proved a second factor */
    const char *valid_until;
    const char *created_by;
    const char *created_at;
    const char *principal_id; /* these are not shown */
    const char *group_id;
    const char *project_id;
};
extern const struct field eligible_fields[];

/* Somebody asked for an eligible role: pending, active, rejected, ended. */
struct activation {
    const char *id;
    const char *eligible;
    const char *principal;
    const char *role;
    int64_t hours;
    const char *justification;
    const char *ticket;
    const char *state;
    const char *decided_by;
    const char *reason;
    const char *expires_at; /* of the request; once active, of the role */
    const char *created_at;
    const char *principal_id; /* these are not shown */
    const char *binding_id;
};
extern const struct field activation_fields[];

/* All inside a transaction of the tenant. principal NULL: everyone's. */
MUST_CHECK enum err eligible_find(struct db *db, const char *id, struct eligible *out);
MUST_CHECK enum err eligible_list(struct db *db, struct rows *out);
MUST_CHECK enum err eligible_insert(struct db *db, const struct eligible *e, const char *by);
MUST_CHECK enum err eligible_delete(struct db *db, const char *id);
MUST_CHECK enum err activation_lock(struct db *db, const char *id, struct activation *out);
MUST_CHECK enum err activation_list(struct db *db, const char *principal_id, struct rows *out);
/* ERR_EXISTS while one of the same is pending. */
MUST_CHECK enum err activation_insert(struct db *db, const struct activation *a,
                                      const char *eligible_id);
/* state, reason, binding_id and expires_at are written; by may be NULL. */
MUST_CHECK enum err activation_update(struct db *db, const struct activation *a, const char *by);

#endif
