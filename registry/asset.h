/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REGISTRY_ASSET_H
#define REGISTRY_ASSET_H

#include "auth/auth.h"
#include "core/request.h"

/* A named model or dataset of a project; what it holds is in its versions. */
struct asset {
    const char *id;
    const char *kind; /* one of auth/kinds.def */
    const char *name;
    const char *project;
    const char *description;
    json_t *tags;
    int64_t versions;  /* the highest number given out */
    json_t *aliases;   /* alias: number */
    const char *state; /* "active", "deleted", or "purged": nothing is left but the count */
    int64_t revision;
    const char *created_by;
    const char *created_at;
    const char *updated_at;
    const char *shared_from; /* in lists: the project whose it is, if that is another; else NULL */
    const char *key;         /* by which lists are ordered */
};

extern const struct field asset_fields[];
extern const struct field asset_listed_fields[]; /* with shared_from */

/* By the path of the request's route: one of auth/kinds.def. */
const char *asset_kind(const struct request *rq);
/* "models/risk" for "model" and "risk". */
const char *asset_path(struct arena *a, const char *kind, const char *name);

/* In any state. */
/* See core/db_ahead.h: get_asset will find the asset of the path. */
void asset_ahead(struct request *rq);
void asset_find_ahead(struct db *db, const char *tenant, const char *project_id, const char *kind,
                      const char *name);
MUST_CHECK enum err asset_find(struct db *db, const char *project_id, const char *kind,
                               const char *name, struct asset *out);
/* The same, locked until the end of the transaction. */
MUST_CHECK enum err asset_lock(struct db *db, const char *project_id, const char *kind,
                               const char *name, struct asset *out);

struct asset_search {
    const char *kind;
    const char *state;
    const char *q;      /* the beginning of the name; NULL for any */
    const json_t *tags; /* to be contained; NULL for any */
    const char *after;  /* NULL, or the last name of the previous page */
    int64_t limit;
    const struct readable *readable; /* by the caller */
    struct readable_things may;      /* in all projects: of what is shared with this one */
};
MUST_CHECK enum err asset_list(struct db *db, const char *project_id, const struct asset_search *s,
                               struct rows *out);

/* ERR_RETRY when someone else was faster: the transaction runs again. */
MUST_CHECK enum err asset_create(struct db *db, const char *project_id, const struct asset *a,
                                 const char *by);
/* A purged asset's name begins anew, its numbers do not. */
MUST_CHECK enum err asset_renew(struct db *db, const struct asset *a, const char *by);
/* One tag of the active asset of a's kind and name, with the commit: ERR_NOT_FOUND comes then, and
 * the constraint asset_tags_count says when there are too many. */
MUST_CHECK enum err asset_set_tag(struct db *db, const char *project_id, const struct asset *a,
                                  const char *key, const char *value);
MUST_CHECK enum err asset_update(struct db *db, const struct asset *a);
MUST_CHECK enum err asset_set_state(struct db *db, const struct asset *a, const char *state);

/* The name of an endpoint that serves one of its versions; ERR_NOT_FOUND for none. */
MUST_CHECK enum err asset_served(struct db *db, const struct asset *a, const char **endpoint);
/* What still refers to one of its versions, in words; ERR_NOT_FOUND for nothing. */
MUST_CHECK enum err asset_referred(struct db *db, const struct asset *a, const char **what);
/* Destroy its versions, files and aliases; the bytes are collected later. */
MUST_CHECK enum err asset_purge(struct db *db, const struct asset *a);

#endif
