/* SPDX-License-Identifier: Apache-2.0 */
#include "lineage/grow.h"

#include <string.h>

/* What is being built. Levels are done from the leaves up: the hashes of one level's full tiles are
 * the next level's new hashes. */
struct building {
    struct arena *arena;
    uint64_t old_size;
    uint64_t size;
    struct tile_edge edges[TILE_LEVELS];
    struct text bundle; /* the old partial one */
    struct growth *out;
};

struct log_head log_head_empty(void)
{
    return (struct log_head){.root = merkle_empty()};
}

static enum err load_edge(struct building *b, const struct tile_source *from, unsigned level)
{
    uint64_t count = tile_count(level, b->old_size);
    struct tile_edge *edge = &b->edges[level];
    struct text bytes = text_new(TILE_BYTES);
    enum err e;

    edge->width = (unsigned)(count % TILE_WIDTH);
    if (edge->width == 0)
        return OK;
    e = from->load(from->context, tile_at(level, count - 1, b->old_size), &bytes);
    if (e == OK && (bytes.failed || bytes.length != edge->width * sizeof(struct digest)))
        e = ERR_CONTENT;
    if (e == OK)
        memcpy(edge->hashes, bytes.data, bytes.length);
    text_free(&bytes);
    return e;
}

/* The old partial bundle holds exactly the entries that the level 0 edge has the hashes of. */
static enum err load_bundle(struct building *b, const struct tile_source *from)
{
    const struct tile_edge *edge = &b->edges[0];
    struct bundle at = {0};
    const uint8_t *entry;
    size_t length;
    enum err e;

    if (edge->width == 0)
        return OK;
    e = from->load(from->context, tile_at(TILE_ENTRIES, b->old_size - 1, b->old_size), &b->bundle);
    if (e != OK)
        return e;
    if (b->bundle.failed)
        return ERR_CONTENT;
    at = (struct bundle){.data = (const uint8_t *)b->bundle.data, .length = b->bundle.length};
    for (unsigned i = 0; i < edge->width; i++) {
        struct digest leaf;

        if (!bundle_next(&at, &entry, &length))
            return ERR_CONTENT;
        leaf = merkle_leaf(entry, length);
        if (!digest_equal(&leaf, &edge->hashes[i]))
            return ERR_CONTENT;
    }
    return at.at == at.length ? OK : ERR_CONTENT;
}

static enum err load_edges(struct building *b, const struct log_head *from,
                           const struct tile_source *edges)
{
    struct digest root;
    enum err e = OK;

    for (unsigned level = 0; level < TILE_LEVELS && e == OK; level++)
        e = load_edge(b, edges, level);
    if (e != OK)
        return e;
    root = tile_edge_root(b->edges);
    return digest_equal(&root, &from->root) ? load_bundle(b, edges) : ERR_CONTENT;
}

static void add_write(struct building *b, struct tile t, const void *bytes, size_t length)
{
    b->out->writes[b->out->count++] = (struct tile_write){t, bytes, length};
}

/* One level: hashes are its old partial tile and then the new ones. Returns how many tiles became
 * full, with their roots in up. */
static size_t build_level(struct building *b, unsigned level, const struct digest *hashes,
                          size_t count, struct digest *up)
{
    struct tile_edge *edge = &b->edges[level];
    uint64_t first = tile_count(level, b->old_size) / TILE_WIDTH;
    size_t full = count / TILE_WIDTH, rest = count % TILE_WIDTH;

    for (size_t i = 0; i < full; i++) {
        const struct digest *tile = hashes + i * TILE_WIDTH;

        add_write(b, (struct tile){level, first + i, TILE_WIDTH}, tile, TILE_BYTES);
        memcpy(edge->hashes, tile, TILE_BYTES);
        up[i] = merkle_fold(edge->hashes, TILE_WIDTH);
    }
    hashes += full * TILE_WIDTH;
    if (rest > 0) {
        add_write(b, (struct tile){level, first + full, (unsigned)rest}, hashes,
                  rest * sizeof(*hashes));
        memcpy(edge->hashes, hashes, rest * sizeof(*hashes));
    }
    edge->width = (unsigned)rest;
    return full;
}

/* added are the new hashes of level 0. */
static void build_tiles(struct building *b, const struct digest *added, size_t count)
{
    for (unsigned level = 0; level < TILE_LEVELS && count > 0; level++) {
        size_t old = b->edges[level].width, all = old + count;
        struct digest *hashes = arena_alloc(b->arena, all * sizeof(*hashes));
        struct digest *up = arena_alloc(b->arena, (all / TILE_WIDTH + 1) * sizeof(*up));

        memcpy(hashes, b->edges[level].hashes, old * sizeof(*hashes));
        memcpy(hashes + old, added, count * sizeof(*hashes));
        count = build_level(b, level, hashes, all, up);
        added = up;
    }
}

/* The bundle of the tile's width that takes as many of the leaves as still go in; old bytes first.
 */
static size_t build_bundle(struct building *b, struct tile t, size_t old_entries,
                           const struct log_leaf *leaves)
{
    size_t count = t.width - old_entries, old = old_entries > 0 ? b->bundle.length : 0;
    size_t length = old;
    uint8_t *bytes, *to;

    for (size_t i = 0; i < count; i++)
        length += 2 + leaves[i].length;
    bytes = to = arena_alloc(b->arena, length);
    if (old > 0)
        memcpy(to, b->bundle.data, old);
    to += old;
    for (size_t i = 0; i < count; i++) {
        *to++ = (uint8_t)(leaves[i].length >> 8);
        *to++ = (uint8_t)leaves[i].length;
        if (leaves[i].length > 0)
            memcpy(to, leaves[i].bytes, leaves[i].length);
        to += leaves[i].length;
    }
    add_write(b, t, bytes, length);
    return count;
}

static void build_bundles(struct building *b, const struct log_leaf *leaves)
{
    struct tile_span s = tile_span(TILE_ENTRIES, b->old_size, b->size);
    size_t old = (size_t)(b->old_size % TILE_WIDTH);

    for (uint64_t i = 0; i < s.count; i++, old = 0) {
        unsigned width = i + 1 == s.count ? s.last_width : TILE_WIDTH;

        leaves += build_bundle(b, (struct tile){TILE_ENTRIES, s.first + i, width}, old, leaves);
    }
}

static const struct digest *hash_leaves(struct arena *a, const struct log_leaf *leaves,
                                        size_t count)
{
    struct digest *hashes = arena_alloc(a, count * sizeof(*hashes));

    for (size_t i = 0; i < count; i++)
        hashes[i] = merkle_leaf(leaves[i].bytes, leaves[i].length);
    return hashes;
}

static size_t writes_needed(uint64_t old_size, uint64_t size)
{
    uint64_t count = 0;

    for (unsigned level = 0; level <= TILE_ENTRIES; level++)
        count += tile_span(level, old_size, size).count;
    return (size_t)count;
}

enum err log_grow(struct arena *a, const struct log_head *from, const struct tile_source *edges,
                  const struct log_leaf *leaves, size_t count, struct growth *out)
{
    struct building *b;
    enum err e;

    if (from->size > MERKLE_SIZE_MAX || count > MERKLE_SIZE_MAX - from->size)
        return ERR_RANGE;
    for (size_t i = 0; i < count; i++) {
        if (leaves[i].length > ENTRY_MAX)
            return ERR_TOO_LARGE;
    }
    b = arena_alloc(a, sizeof(*b));
    *b = (struct building){.arena = a,
                           .old_size = from->size,
                           .size = from->size + count,
                           .bundle = text_new(BUNDLE_MAX),
                           .out = out};
    e = load_edges(b, from, edges);
    if (e == OK) {
        *out = (struct growth){.leaves = hash_leaves(a, leaves, count)};
        out->writes = arena_alloc(a, writes_needed(b->old_size, b->size) * sizeof(*out->writes));
        build_bundles(b, leaves);
        build_tiles(b, out->leaves, count);
        out->head = (struct log_head){b->size, tile_edge_root(b->edges)};
    }
    text_free(&b->bundle);
    return e;
}
