/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ACCESS_DENY_H
#define ACCESS_DENY_H

#include "core/db.h"

/* What is taken away at a scope and below, whatever gives it, from principals and groups, or from
 * everyone when none is named; never from those excluded. */
struct deny {
    const char *id;
    struct texts principals; /* names; a group as group:NAME */
    struct texts excluded;
    struct texts actions; /* patterns; a wildcard matches the privileged too */
    const char *scope;
    const char *project;
    const char *project_id; /* taken, not shown */
    const char *asset;
    const char *reason;
    const char *valid_until;
    const char *created_by;
    const char *created_at;
    struct texts holders; /* ids; taken, not shown */
    struct texts spared;
};
extern const struct field deny_fields[];

/* All inside a transaction of the tenant. */
MUST_CHECK enum err deny_find(struct db *db, const char *id, struct deny *out);
MUST_CHECK enum err deny_list(struct db *db, const char *after, int64_t limit, struct rows *out);
MUST_CHECK enum err deny_insert(struct db *db, const struct deny *d, const char *by);
MUST_CHECK enum err deny_delete(struct db *db, const char *id);

/* What a service account may at most. */
struct ceiling {
    const char *id;
    const char *principal;
    const char *principal_id; /* taken, not shown */
    struct texts actions;
    const char *scope;
    const char *project;
    const char *project_id; /* taken, not shown */
    const char *asset;
    const char *created_by;
    const char *created_at;
};
extern const struct field ceiling_fields[];

MUST_CHECK enum err ceiling_find(struct db *db, const char *id, struct ceiling *out);
MUST_CHECK enum err ceiling_list(struct db *db, const char *after, int64_t limit, struct rows *out);
MUST_CHECK enum err ceiling_insert(struct db *db, const struct ceiling *c, const char *by);
MUST_CHECK enum err ceiling_delete(struct db *db, const char *id);

#endif
