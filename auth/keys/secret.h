/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYS_SECRET_H
#define KEYS_SECRET_H

#include "core/db.h"

/* What is known of a project's secret. Its values are written through the interface and read only
 * inside the service. */
struct secret {
    const char *id;
    const char *name;
    int64_t versions; /* number of the newest */
    const char *created_by;
    const char *created_at;
    const char *updated_by;
    const char *updated_at;
};
struct secret_version {
    int64_t number;
    const char *created_at;
};
extern const struct field secret_fields[];
extern const struct field secret_version_fields[];

/* All inside a transaction of the tenant, by the project's id. */
MUST_CHECK enum err secret_find(struct db *db, const char *project_id, const char *name,
                                struct secret *out);
MUST_CHECK enum err secret_list(struct db *db, const char *project_id, const char *after,
                                int64_t limit, struct rows *out);
MUST_CHECK enum err secret_versions(struct db *db, const char *id, struct rows *out);
/* A new secret, or a new version of one that is there; number is the version's. */
MUST_CHECK enum err secret_put(struct db *db, const char *project_id, const char *name,
                               const char *value, const char *by);
/* With every version. */
MUST_CHECK enum err secret_delete(struct db *db, const char *id);
/* The newest value, in memory that is wiped with the request: for what runs in the project. */
MUST_CHECK enum err secret_open(struct db *db, const char *project_id, const char *name,
                                const char **value, size_t *length);

#endif
