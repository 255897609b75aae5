/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LINEAGE_LOG_H
#define LINEAGE_LOG_H

#include "core/db.h"
#include "lineage/note.h"
#include "lineage/tile.h"

/* A tenant's Merkle tree as the database keeps it. All of db->tenant. */

struct log {
    const char *origin;
    uint8_t public[ED25519_KEY];
    uint8_t sealed[ED25519_KEY + SEAL_OVERHEAD];
    uint64_t size;
    struct digest root;
    const char *checkpoint; /* the newest signed note; NULL before the first */
    uint64_t signed_size;   /* leaves under it */
    int64_t age_s;          /* since it was signed; -1 when the present key has not signed yet */
};

/* ERR_NOT_FOUND before the tenant's first entry is sequenced. */
MUST_CHECK enum err log_find(struct db *db, struct log *out);
/* The same, and keeps every other sequencer from this log until the transaction ends. Nothing else
 * may be read by the same statement: what the lock waited for is seen by the next one only. */
MUST_CHECK enum err log_lock(struct db *db, struct log *out);
MUST_CHECK enum err log_create(struct db *db, const struct log *l);

/* Waiting entries in the order of their writing. */
struct log_waiting {
    const int64_t *seqs;
    const struct digest *hashes;
    size_t count;
};
MUST_CHECK enum err log_waiting(struct db *db, size_t limit, struct log_waiting *out);

/* The right edge of a tree of this size. ERR_CONTENT when the stored tiles are not of its widths.
 */
MUST_CHECK enum err log_edges(struct db *db, uint64_t size, struct tile_edge out[TILE_LEVELS]);

/* Deferred changes of the growing tree. */
MUST_CHECK enum err log_write_tile(struct db *db, struct tile t, const struct digest *hashes);
MUST_CHECK enum err log_place(struct db *db, uint64_t first, const struct log_waiting *w);
MUST_CHECK enum err log_move_head(struct db *db, uint64_t size, const struct digest *root);
MUST_CHECK enum err log_publish(struct db *db, const struct log *l, const char *checkpoint);

/* Tiles and entry bundles. load answers ERR_NOT_FOUND where nothing is stored, ERR_CONTENT where
 * what is stored is too short. Borrows db. */
struct tile_source log_tiles(struct db *db);
/* Give db its arena back after a while with another, whose texts must not be remembered. */
void log_arena_back(struct db *db, struct arena *a);
/* The place of an entry: -1 while it waits. */
MUST_CHECK enum err log_index(struct db *db, const char *entry_id, int64_t *index);

#endif
