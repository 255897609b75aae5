/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MLFLOW_LABEL_H
#define MLFLOW_LABEL_H

#include "core/db.h"
#include "core/field.h"

/* How secret an asset is and what it may be used for. A model's label is the highest, and its
 * purposes are those common to all, of what it was made from (trigger label_flows). */
struct label {
    int64_t level; /* of the tenant's lattice */
    bool limited;  /* to purposes; else it may be used for anything */
    struct texts purposes;
    struct texts sources; /* datasets that the label of a model came from */
    const char *set_at;   /* NULL: never labelled */
};
/* A lower level or more purposes, asked for by one and granted by another. */
struct declassification {
    const char *id;
    const char *asset; /* "datasets/cancer" */
    int64_t from_level;
    int64_t level;
    bool limited;
    struct texts purposes;
    const char *reason;
    const char *requested_by;
    const char *state; /* pending, approved, rejected */
    const char *decided_by;
    const char *verdict;
    const char *created_at;
    const char *asset_id; /* these are not shown */
    const char *requester_id;
};

/* All inside a transaction of the tenant. An asset without a label has the lowest. */
MUST_CHECK enum err label_find(struct db *db, const char *asset_id, struct label *out);
MUST_CHECK enum err label_put(struct db *db, const char *asset_id, const struct label *l,
                              const char *by);
MUST_CHECK enum err declassification_list(struct db *db, const char *project_id, struct rows *out);
MUST_CHECK enum err declassification_lock(struct db *db, const char *project_id, const char *id,
                                          struct declassification *out);
/* id, asset_id, from_level, level, purposes and reason are taken. ERR_EXISTS while one is pending.
 */
MUST_CHECK enum err declassification_insert(struct db *db, const struct declassification *d,
                                            const char *by);
MUST_CHECK enum err declassification_close(struct db *db, const struct declassification *d,
                                           const char *by);

#endif
