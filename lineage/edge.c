/* SPDX-License-Identifier: Apache-2.0 */
#include "lineage/edge.h"

#include <string.h>

enum err edge_add(struct growing *g, const struct digest *leaf, const struct edge_sink *to)
{
    struct digest hash = *leaf, folded[TILE_WIDTH];

    g->size++;
    for (unsigned level = 0; level < TILE_LEVELS; level++) {
        struct tile_edge *edge = &g->edges[level];
        uint64_t index = (tile_count(level, g->size) - 1) / TILE_WIDTH;

        edge->hashes[edge->width++] = hash;
        g->touched[level] = edge->width < TILE_WIDTH;
        if (g->touched[level])
            return OK;
        TRY(to->write(to->context, (struct tile){level, index, TILE_WIDTH}, edge->hashes));
        memcpy(folded, edge->hashes, sizeof(folded));
        hash = merkle_fold(folded, TILE_WIDTH);
        edge->width = 0;
    }
    return ERR_RANGE;
}

enum err edge_finish(struct growing *g, const struct edge_sink *to)
{
    for (unsigned level = 0; level < TILE_LEVELS; level++) {
        const struct tile_edge *edge = &g->edges[level];

        if (!g->touched[level] || edge->width == 0)
            continue;
        TRY(to->write(to->context,
                      (struct tile){level, tile_count(level, g->size) / TILE_WIDTH, edge->width},
                      edge->hashes));
        g->touched[level] = false;
    }
    return OK;
}
