/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REGISTRY_ALIAS_H
#define REGISTRY_ALIAS_H

#include "core/db.h"
#include "registry/version.h"

/* A movable name for a version of an asset. */
struct alias {
    const char *alias;
    int64_t version;
    const char *approval; /* id, or NULL */
    const char *set_by;
    const char *set_at;
};

/* What an alias meant since when; version is 0 when it was taken away. */
struct alias_event {
    int64_t seq; /* not shown */
    const char *alias;
    int64_t version;
    const char *approval;
    const char *set_by;
    const char *set_at;
};

extern const struct field alias_fields[];
extern const struct field alias_event_fields[];

MUST_CHECK enum err alias_find(struct db *db, const char *asset_id, const char *name,
                               struct alias *out);
MUST_CHECK enum err alias_list(struct db *db, const char *asset_id, const char *after,
                               int64_t limit, struct rows *out);
/* Newest first, below a sequence number. */
MUST_CHECK enum err alias_history(struct db *db, const char *asset_id, const char *name,
                                  int64_t before, int64_t limit, struct rows *out);

/* In a TX_WRITE: until its end nobody else moves an alias of the asset, so that what was looked up
 * about them stays true. */
MUST_CHECK enum err alias_lock(struct db *db, const char *asset_id);
/* Point it at a version, in force of an approval or NULL. TX_WRITE. The database refuses with
 * ERR_UNAPPROVED what a protected alias may not mean. */
struct alias_move {
    const char *asset_id;
    const char *alias;
    const char *version_id;
    const char *approval_id;
    const char *by;
};
MUST_CHECK enum err alias_set(struct db *db, const struct alias_move *m);
/* ERR_NOT_FOUND when there is no such alias. */
MUST_CHECK enum err alias_remove(struct db *db, const struct alias_move *m);
/* Every alias that rests on an approval. */
MUST_CHECK enum err alias_remove_approved(struct db *db, const char *approval_id, const char *by);

/* The newest approval in force that lets alias mean the version; ERR_NOT_FOUND for none. */
MUST_CHECK enum err alias_approval(struct db *db, const char *version_id, const char *alias,
                                   const char **approval_id);

#endif
