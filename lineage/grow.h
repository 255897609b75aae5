/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LINEAGE_GROW_H
#define LINEAGE_GROW_H

#include "core/arena.h"
#include "lineage/tile.h"

/* Appending to a log as a pure function: from its head, its right edge and new entries to the tiles
 * and bundles to store and the new head to sign. */

struct log_head {
    uint64_t size;
    struct digest root;
};

struct log_leaf {
    const void *bytes;
    size_t length; /* at most ENTRY_MAX */
};

struct tile_write {
    struct tile tile; /* level TILE_ENTRIES for a bundle */
    const uint8_t *bytes;
    size_t length;
};

struct growth {
    struct log_head head;
    const struct digest *leaves; /* hashes of the new entries, in order */
    struct tile_write *writes;
    size_t count;
};

/* The head of a log without leaves. */
struct log_head log_head_empty(void);

/* Append count leaves after from. edges is asked for the partial tiles and the partial bundle at
 * the old right edge and nothing else; they must make from->root, so that nothing is built upon a
 * changed log. The result lives in the arena; only the partial tiles of the final size are among
 * the writes. ERR_TOO_LARGE for a leaf beyond ENTRY_MAX, ERR_RANGE beyond MERKLE_SIZE_MAX,
 * ERR_CONTENT for edges that are not the log's, or what load returned. */
MUST_CHECK enum err log_grow(struct arena *a, const struct log_head *from,
                             const struct tile_source *edges, const struct log_leaf *leaves,
                             size_t count, struct growth *out);

#endif
