/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ACCESS_REVIEW_H
#define ACCESS_REVIEW_H

#include "core/db.h"

/* A campaign over who has which role. From its beginning every role under review ends at due_at:
 * keeping one gives its old end back, removing one ends it at once, and silence removes it by the
 * evaluator's own clock. Roles of tenant admins stay until they are answered for. */
struct review {
    const char *id;
    const char *name;
    const char *project; /* NULL: the tenant's and all projects' */
    struct texts reviewers;
    const char *due_at;
    const char *digest; /* hexadecimal SHA-256 of the items as they were frozen */
    int64_t items;
    int64_t open;
    const char *created_by;
    const char *created_at;
};
extern const struct field review_fields[];

struct review_item {
    const char *binding;
    const char *holder; /* name; of a group after "group:" */
    const char *role;
    const char *place;
    const char *last_used_at; /* NULL: not in the log */
    const char *recommended;  /* keep or remove: not used for 30 days */
    const char *decision;     /* NULL: none yet; after due_at that is remove */
    const char *reason;
    const char *decided_by;
    const char *decided_at;
};
extern const struct field review_item_fields[];

/* All inside a transaction of the tenant. */
MUST_CHECK enum err review_find(struct db *db, const char *name, struct review *out);
MUST_CHECK enum err review_list(struct db *db, struct rows *out);
MUST_CHECK enum err review_items(struct db *db, const char *id, struct rows *out);
/* id, name, reviewers and due_at are taken. privileged: those roles too. ERR_EXISTS. */
MUST_CHECK enum err review_begin(struct db *db, const struct review *r, const char *project_id,
                                 bool privileged, const char *by);
/* Principal that an item's binding is for, NULL for a group. ERR_NOT_FOUND. */
MUST_CHECK enum err review_holder(struct db *db, const char *id, const char *binding,
                                  const char **principal_id);
MUST_CHECK enum err review_keep(struct db *db, const char *id, const char *binding);
MUST_CHECK enum err review_remove(struct db *db, const char *binding);
MUST_CHECK enum err review_decide(struct db *db, const char *id, const struct review_item *item,
                                  const char *by);

#endif
