/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REGISTRY_SHARE_H
#define REGISTRY_SHARE_H

#include "auth/auth.h"
#include "core/request.h"
#include "registry/version.h"

/* An asset of one project that another of the tenant may read, or one of its versions: a reference,
 * by which nothing is copied. One side asks or offers, another person of the other side agrees;
 * either side ends it, at once. What a share allows is decided by the evaluator (auth/access). */
struct share {
    const char *id;
    const char *asset;   /* "models/risk" */
    int64_t version;     /* 0: all it has and will have */
    const char *digest;  /* of that version; NULL for all */
    const char *project; /* the owner */
    const char *with;    /* the project that may read it */
    bool by_alias;
    const char *state; /* "asked", "offered", "active", "refused", "ended" */
    const char *reason;
    const char *requested_by;
    const char *created_at;
    const char *decided_by;
    const char *answer; /* the decider's reason */
    const char *decided_at;
    const char *ended_by;
    const char *ended_at;
    int64_t revision;
    const char *asset_id; /* these are not shown */
    const char *owner_id;
    const char *requester_id;
};

extern const struct field share_fields[];

/* Of one project, as owner or as the other side, what the caller may see: what it may read; and,
 * as the other side, where it may agree, what is not in force too. */
struct share_search {
    const char *project_id;
    const char *direction; /* "in", "out"; NULL for both */
    const char *state;     /* NULL for any */
    struct readable_things may;
    bool agrees;
    const char *before;
    int64_t limit;
};
MUST_CHECK enum err share_list(struct db *db, const struct share_search *s, struct rows *out);
MUST_CHECK enum err share_find(struct db *db, const struct share_search *s, const char *id,
                               struct share *out);
/* The same, locked until the end of the transaction. */
MUST_CHECK enum err share_lock(struct db *db, const struct share_search *s, const char *id,
                               struct share *out);

struct share_draft {
    const char *asset_id;
    const char *owner_id;
    int64_t version;
    const char *project_id;
    bool by_alias;
    const char *state;
    const char *reason;
    const char *by;
};
/* TX_WRITE. ERR_EXISTS when the same is asked for, offered or shared already. */
MUST_CHECK enum err share_insert(struct db *db, const struct share_draft *d, char id[ID_SIZE]);
MUST_CHECK enum err share_decide(struct db *db, const char *id, const char *state, const char *by,
                                 const char *answer);
MUST_CHECK enum err share_end(struct db *db, const char *id, const char *by);

/* One that is open or active, of an asset: ERR_NOT_FOUND for none. */
struct share_open {
    const char *id;
    const char *project; /* the owner */
    const char *with;
};
MUST_CHECK enum err share_open_of(struct db *db, const char *asset_id, struct share_open *out);
/* What is left of those that are over: with the purge of the asset. */
MUST_CHECK enum err share_forget(struct db *db, const char *asset_id);

/* The version that "projects/other/datasets/x/versions/3" names, or "…/@alias", when it is shared
 * with the route's project and the caller may read it and its bytes; else ERR_NOT_FOUND. */
MUST_CHECK enum err share_find_version(struct request *rq, const char *path, struct version *out);

#endif
