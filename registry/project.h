/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REGISTRY_PROJECT_H
#define REGISTRY_PROJECT_H

#include "core/db.h"

/* The unit of work and of permission below the tenant. */
struct project {
    const char *id;
    const char *name;
    const char *description;
    json_t *policy;
    const char *state; /* not shown: what is deleted is not found */
    int64_t revision;
    const char *created_by;
    const char *created_at;
    const char *updated_at;
};

extern const struct field project_fields[];

/* Active or deleted, locked until the end of the transaction if it is a TX_WRITE. */
MUST_CHECK enum err project_find(struct db *db, const char *name, struct project *out);
MUST_CHECK enum err project_lock(struct db *db, const char *name, struct project *out);
/* Those of names that come after a name, in order. after may be NULL. */
MUST_CHECK enum err project_list(struct db *db, const struct texts *names, const char *after,
                                 int64_t limit, struct rows *out);

/* ERR_RETRY when someone else was faster: the transaction runs again. */
MUST_CHECK enum err project_create(struct db *db, const char *name, const char *description,
                                   const json_t *policy, const char *by);
MUST_CHECK enum err project_update(struct db *db, const struct project *p);
/* ERR_CONFLICT while an endpoint of it serves. */
MUST_CHECK enum err project_delete(struct db *db, const struct project *p);

#endif
