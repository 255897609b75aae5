/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LINEAGE_EDGE_H
#define LINEAGE_EDGE_H

#include "lineage/tile.h"

/* A tree that grows at its right edge, of which nothing but that edge is held. Unlike log_grow it
 * takes leaf hashes and needs no entry: an entry that somebody has changed must show in every check
 * of the log, but must not stop it. */

struct edge_sink {
    enum err (*write)(void *context, struct tile t, const struct digest *hashes);
    void *context;
};

struct growing {
    uint64_t size;
    bool touched[TILE_LEVELS]; /* the partial tile has changed since it was written */
    struct tile_edge edges[TILE_LEVELS];
};

/* Full tiles go to the sink as they become full. */
MUST_CHECK enum err edge_add(struct growing *g, const struct digest *leaf,
                             const struct edge_sink *to);
/* The partial tiles that changed go to the sink. */
MUST_CHECK enum err edge_finish(struct growing *g, const struct edge_sink *to);

#endif
