/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LINEAGE_IMPACT_H
#define LINEAGE_IMPACT_H

#include "lineage/walk.h"

/* Endpoints that served or serve anything derived from a node. */

struct impact_row {
    const char *project;
    const char *endpoint;
    const char *deployment; /* UUID */
    const char *kind;       /* of the version's asset: model or dataset */
    const char *asset;
    int64_t number;
    bool serving;
    const char *since;
    const char *until; /* NULL while it serves */
    json_t *approvals; /* [{id, decided_by: [names]}] */
};

/* Rows of the deployments among a walk's nodes, by endpoint and time. */
MUST_CHECK enum err impact_of(struct db *db, const struct walk *w, struct rows *out);

#endif
