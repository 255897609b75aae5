/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRAPH_PATH_H
#define GRAPH_PATH_H

#include "lineage/graph/walk.h"

/* The way from one node to another: one of the shortest, along edges in one direction. */

struct path {
    bool found;
    enum walk_way way; /* WALK_DOWN: to was made from from; WALK_UP: the other way round */
    size_t *edges;     /* of walk.edges, from the first node to the last */
    size_t count;
    struct walk walk;
    /* Why a path may be there although none was found; NULL when there is none for sure. */
    const char *truncated;
};

/* q is as for walk_run from the one node, with stop the other; its ways are tried in turn.
 * ERR_NOT_FOUND when either is unknown or may not be seen. */
MUST_CHECK enum err path_find(struct db *db, const struct walk_question *q, struct path *out);

#endif
