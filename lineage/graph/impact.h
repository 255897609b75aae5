/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRAPH_IMPACT_H
#define GRAPH_IMPACT_H

#include "lineage/graph/walk.h"

/* Endpoints that served or serve anything derived from a node. Who sees every project looks them up
 * in the closure of the deployments; for others, who must not learn what lies behind a project they
 * cannot see, the graph is walked. */

struct impact_row {
    const char *project;
    const char *endpoint;
    const char *deployment; /* UUID */
    const char *kind;       /* of the version's asset: model or dataset */
    const char *asset;
    int64_t number;
    bool serving; /* now, or at as_of */
    const char *since;
    const char *until; /* NULL while it serves */
    json_t *approvals; /* [{id, action, subject, decided_by: [names]}], of every hop up to here */
};

struct impact {
    const char *node;
    struct rows rows; /* struct impact_row, by endpoint and time */
    const char *truncated;
};

/* q is as for walk_run. ERR_NOT_FOUND for a node that is unknown or may not be seen. */
MUST_CHECK enum err impact_of(struct db *db, const struct walk_question *q, struct impact *out);

/* A production model: a version that an endpoint serves. */
struct coverage_row {
    const char *endpoint; /* project/endpoint */
    const char *project;
    const char *model;    /* name of the node */
    struct texts unknown; /* nodes upstream whose origin is not known */
};

/* One row a serving deployment, in projects the caller may see; as_of and known_at count. */
MUST_CHECK enum err coverage_of(struct db *db, const struct walk_question *q, struct rows *out);

#endif
