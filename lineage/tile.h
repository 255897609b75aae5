/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LINEAGE_TILE_H
#define LINEAGE_TILE_H

#include "core/text.h"
#include "lineage/merkle.h"

/* C2SP tlog-tiles: the tree cut into tiles of 256 hashes, eight levels of nodes apart. Tile
 * (level, index) holds nodes (8 * level, 256 * index + i). Entry bundles go by the same indexes. */

enum {
    TILE_WIDTH = 256,
    TILE_BYTES = TILE_WIDTH * SHA256_SIZE,
    TILE_LEVELS = 8,            /* 256^8 is beyond MERKLE_SIZE_MAX */
    TILE_ENTRIES = TILE_LEVELS, /* the level that stands for entry bundles */
    TILE_PATH = 64,             /* room for the longest path and its NUL */
    ENTRY_MAX = 65535,
    BUNDLE_MAX = TILE_WIDTH * (2 + ENTRY_MAX),
};

/* width is 256 for a full tile and 1 to 255 for a partial one. */
struct tile {
    unsigned level;
    uint64_t index;
    unsigned width;
};

/* "tile/0/x001/x234/067.p/112", "tile/entries/000". */
void tile_path(struct tile t, char out[TILE_PATH]);
/* Exactly what tile_path writes, and nothing else. */
bool tile_path_parse(const char *path, struct tile *out);

/* How many hashes a level (or the bundles) hold in a tree of this size. */
uint64_t tile_count(unsigned level, uint64_t size);
/* The tile that holds hash number at of a level as a tree of this size has it: full if it can be.
 */
struct tile tile_at(unsigned level, uint64_t at, uint64_t size);

/* The tiles of a level that a tree has to write when it grows: count of them from first on, all
 * full but perhaps the last. */
struct tile_span {
    uint64_t first;
    uint64_t count;
    unsigned last_width;
};
struct tile_span tile_span(unsigned level, uint64_t from_size, uint64_t to_size);

/* Entries in a bundle are length (two bytes, big-endian) and bytes. false when too long. */
bool bundle_add(struct text *bundle, const void *entry, size_t length);

struct bundle {
    const uint8_t *data;
    size_t length;
    size_t at;
};
/* The next entry, borrowed from the bundle; false at its end or when the rest is no entry, which
 * b->at == b->length tells apart. */
bool bundle_next(struct bundle *b, const uint8_t **entry, size_t *length);

/* The partial tiles at a tree's right edge, one for each level, of width 0 where there is none. */
struct tile_edge {
    unsigned width;
    struct digest hashes[TILE_WIDTH];
};
/* The root they make: every leaf is below one of their hashes. */
struct digest tile_edge_root(const struct tile_edge edges[TILE_LEVELS]);

/* Where tiles are kept. load appends the tile's bytes to out (whose maximum is the most they may
 * be); ERR_NOT_FOUND when there is none. */
struct tile_source {
    enum err (*load)(void *context, struct tile t, struct text *out);
    void *context;
};

/* load for an exported log; context is the directory's path. ERR_STORAGE when a file cannot be
 * read. */
enum err log_file_load(void *context, struct tile t, struct text *out);
/* Any file below a directory, appended to out; what is no regular file reads as ERR_STORAGE. */
MUST_CHECK enum err log_file_read(const char *directory, const char *file, struct text *out);

/* Nodes of a tree of this size, read out of tiles. Keeps the last two tiles of each level, which is
 * all that one proof needs. One thread. Tiles of another length than asked for are ERR_CONTENT. */
struct tile_reader;
struct tile_reader *tile_reader_new(const struct tile_source *from, uint64_t size);
void tile_reader_free(struct tile_reader *r);
/* Borrows r. */
struct merkle_nodes tile_nodes(struct tile_reader *r);

#endif
