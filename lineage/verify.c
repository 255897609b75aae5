/* SPDX-License-Identifier: Apache-2.0 */
#include "lineage/verify.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DETAIL_MAX = 256, HEX = 2 * SHA256_SIZE + 1 };

struct walk {
    const struct tile_source *from;
    const struct log_watcher *watcher;
    struct log_summary *summary;
    uint64_t size;
    /* Whether what is above the file in hand is proven. If not, the walk goes on to name further
     * faults, but vouches for nothing. */
    bool proven;
    struct text tile;
    struct text bundle;
    struct tile_edge edges[TILE_LEVELS];
    struct tile_edge path[TILE_LEVELS]; /* the full tiles above the bundle in hand */
    struct tile_edge rebuilt[TILE_LEVELS];
};

const char *log_trouble_text(enum log_trouble t)
{
    static const char *const texts[] = {
        [LOG_CHECKPOINT] = "bad checkpoint", [LOG_ROOT] = "other root than signed",
        [LOG_MISSING] = "missing",           [LOG_UNREADABLE] = "unreadable",
        [LOG_LENGTH] = "wrong length",       [LOG_TILE] = "wrong hash in tile",
        [LOG_ENTRY] = "wrong entry"};

    return texts[t];
}

static void report(struct log_summary *summary, const struct log_watcher *watcher,
                   struct log_problem p, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

static void report(struct log_summary *summary, const struct log_watcher *watcher,
                   struct log_problem p, const char *format, ...)
{
    char detail[DETAIL_MAX];
    va_list args;

    summary->problems++;
    if (watcher == NULL || watcher->problem == NULL)
        return;
    va_start(args, format);
    (void)vsnprintf(detail, sizeof(detail), format, args);
    va_end(args);
    p.detail = detail;
    watcher->problem(watcher->context, &p);
}

#define REPORT(w, kind, name, index, ...)                                                          \
    report((w)->summary, (w)->watcher,                                                             \
           (struct log_problem){.trouble = (kind), .file = (name), .leaf = (index)}, __VA_ARGS__)

static void differs(struct walk *w, struct log_problem p, const struct digest *expected,
                    const struct digest *found)
{
    char is[HEX], should[HEX];

    hex_encode(found->bytes, SHA256_SIZE, is);
    hex_encode(expected->bytes, SHA256_SIZE, should);
    report(w->summary, w->watcher, p, "expected %s, found %s", should, is);
}

/* The first leaf below hash number i of a tile. */
static uint64_t leaf_below(struct tile t, unsigned i)
{
    unsigned shift = t.level == TILE_ENTRIES ? 0 : 8 * t.level;

    return (t.index * TILE_WIDTH + i) << shift;
}

/* A file of the log; that a partial one gave way to the full one is as it may be (tlog-tiles). */
static enum err load(struct walk *w, struct tile *t, struct text *out)
{
    struct tile full = {t->level, t->index, TILE_WIDTH};
    enum err e;

    out->length = 0;
    out->failed = false;
    e = w->from->load(w->from->context, *t, out);
    if (e != ERR_NOT_FOUND || t->width == TILE_WIDTH)
        return e;
    e = w->from->load(w->from->context, full, out);
    if (e == OK)
        *t = full;
    return e;
}

/* Loads and, when that fails, says so under the file's name. */
static bool load_named(struct walk *w, struct tile *t, struct text *out)
{
    char file[TILE_PATH];
    enum err e;

    tile_path(*t, file);
    e = load(w, t, out);
    if (e == OK)
        return true;
    REPORT(w, e == ERR_NOT_FOUND ? LOG_MISSING : LOG_UNREADABLE, file, leaf_below(*t, 0), "%s",
           err_meaning(e));
    return false;
}

static bool load_tile(struct walk *w, struct tile t, bool quietly, struct tile_edge *out)
{
    unsigned width = t.width;
    char file[TILE_PATH];

    assert(out != NULL);
    tile_path(t, file);
    out->width = width;
    if (quietly ? load(w, &t, &w->tile) != OK : !load_named(w, &t, &w->tile))
        return false;
    if (w->tile.failed || w->tile.length != t.width * sizeof(struct digest)) {
        if (!quietly)
            REPORT(w, LOG_LENGTH, file, leaf_below(t, 0), "expected %u bytes, found %s%zu",
                   t.width * SHA256_SIZE, w->tile.failed ? "more than " : "", w->tile.length);
        return false;
    }
    memcpy(out->hashes, w->tile.data, width * sizeof(struct digest));
    return true;
}

static struct digest tile_root(const struct tile_edge *t)
{
    struct digest work[TILE_WIDTH];

    memcpy(work, t->hashes, sizeof(work));
    return merkle_fold(work, TILE_WIDTH);
}

/* A tile's hashes anew from the bundle or the tiles below it. Where those are missing, out keeps
 * what it held. */
static void rebuild(struct walk *w, struct tile t, struct tile_edge *out)
{
    struct tile_edge *below = t.level > 0 ? &w->path[t.level - 1] : NULL;
    struct bundle b = {0};
    const uint8_t *entry;
    size_t length;

    if (t.level == 0) {
        struct tile bundle = {TILE_ENTRIES, t.index, t.width};

        if (load(w, &bundle, &w->bundle) == OK && !w->bundle.failed)
            b = (struct bundle){(const uint8_t *)w->bundle.data, w->bundle.length, 0};
        for (unsigned i = 0; i < t.width && bundle_next(&b, &entry, &length); i++)
            out->hashes[i] = merkle_leaf(entry, length);
        return;
    }
    for (unsigned i = 0; i < t.width; i++) {
        struct tile child = {t.level - 1, t.index * TILE_WIDTH + i, TILE_WIDTH};

        if (load_tile(w, child, true, below))
            out->hashes[i] = tile_root(below);
    }
}

/* The tile's file holds other hashes than it must: name each. */
static void blame_tile(struct walk *w, struct tile t, const struct tile_edge *found,
                       const struct tile_edge *right)
{
    char file[TILE_PATH];

    tile_path(t, file);
    for (unsigned i = 0; i < t.width; i++) {
        struct log_problem p = {LOG_TILE, file, leaf_below(t, i), NULL};

        if (!digest_equal(&found->hashes[i], &right->hashes[i]))
            differs(w, p, &right->hashes[i], &found->hashes[i]);
    }
}

/* The entries of a bundle against the leaf hashes of its tile, until one does not hold when the
 * bundle's framing is broken. */
static void check_entries(struct walk *w, struct tile t, const struct tile_edge *leaves,
                          bool framed)
{
    struct bundle b = {(const uint8_t *)w->bundle.data, w->bundle.length, 0};
    char file[TILE_PATH];
    const uint8_t *entry;
    size_t length;

    tile_path(t, file);
    for (unsigned i = 0; i < leaves->width && bundle_next(&b, &entry, &length); i++) {
        struct log_problem p = {LOG_ENTRY, file, leaf_below(t, i), NULL};
        struct digest leaf = merkle_leaf(entry, length);

        if (!digest_equal(&leaf, &leaves->hashes[i])) {
            differs(w, p, &leaves->hashes[i], &leaf);
            if (!framed)
                return;
            continue;
        }
        w->summary->entries += w->proven ? 1 : 0;
        if (w->proven && w->watcher != NULL && w->watcher->entry != NULL)
            w->watcher->entry(w->watcher->context, p.leaf, entry, length);
    }
}

static void check_bundle(struct walk *w, uint64_t index, const struct tile_edge *leaves)
{
    struct tile t = {TILE_ENTRIES, index, leaves->width};
    struct bundle b = {0};
    char file[TILE_PATH];
    const uint8_t *entry;
    unsigned count = 0;
    size_t length;

    tile_path(t, file);
    if (!load_named(w, &t, &w->bundle))
        return;
    b = (struct bundle){(const uint8_t *)w->bundle.data, w->bundle.length, 0};
    while (count < t.width && bundle_next(&b, &entry, &length))
        count++;
    if (count < t.width || b.at != b.length || w->bundle.failed) {
        REPORT(w, LOG_LENGTH, file, leaf_below(t, count),
               "expected %u entries, found %u and %zu bytes more", t.width, count, b.length - b.at);
        check_entries(w, t, leaves, false);
        return;
    }
    check_entries(w, t, leaves, true);
}

/* A full tile whose root must be expected: bring its place in path to hashes that make it, from the
 * tile or from what lies below. Failing that, path holds what the file said, unproven; false when
 * the file said nothing. */
static bool prove_tile(struct walk *w, struct tile t, const struct digest *expected)
{
    struct tile_edge *tile = &w->path[t.level], *again = &w->rebuilt[t.level];
    struct digest root, rebuilt;
    char file[TILE_PATH];
    bool loaded;

    memset(tile->hashes, 0, sizeof(tile->hashes));
    loaded = load_tile(w, t, false, tile);
    root = tile_root(tile);
    if (loaded && digest_equal(&root, expected))
        return true;
    *again = *tile;
    rebuild(w, t, again);
    rebuilt = tile_root(again);
    if (digest_equal(&rebuilt, expected)) {
        if (loaded)
            blame_tile(w, t, tile, again);
        *tile = *again;
        return true;
    }
    w->proven = false;
    tile_path(t, file);
    if (loaded)
        differs(w, (struct log_problem){LOG_TILE, file, leaf_below(t, 0), NULL}, expected, &root);
    return loaded;
}

/* All below a full tile whose root must be expected. Depth is at most TILE_LEVELS. */
static void check_tile(struct walk *w, struct tile t, const struct digest *expected)
{
    bool proven = w->proven;
    bool any = prove_tile(w, t, expected);

    if (any && t.level == 0)
        check_bundle(w, t.index, &w->path[0]);
    for (unsigned i = 0; any && t.level > 0 && i < TILE_WIDTH; i++) {
        struct tile child = {t.level - 1, t.index * TILE_WIDTH + i, TILE_WIDTH};

        check_tile(w, child, &w->path[t.level].hashes[i]);
    }
    w->proven = proven;
}

/* The partial tile of a level at the right edge; its width is 0 when there is none. */
static struct tile edge_tile(const struct walk *w, unsigned level)
{
    uint64_t count = tile_count(level, w->size);

    return (struct tile){level, count / TILE_WIDTH, (unsigned)(count % TILE_WIDTH)};
}

/* The same for the right edge and the signed root. Tiles that cannot be had end with width 0. */
static void prove_edges(struct walk *w, const struct digest *expected)
{
    struct log_problem p = {LOG_ROOT, "checkpoint", LOG_NO_LEAF, NULL};
    bool loaded[TILE_LEVELS];
    struct digest root, again;

    for (unsigned level = 0; level < TILE_LEVELS; level++) {
        struct tile t = edge_tile(w, level);

        loaded[level] = t.width == 0 || load_tile(w, t, false, &w->edges[level]);
        w->rebuilt[level] = w->edges[level];
    }
    root = tile_edge_root(w->edges);
    w->proven = digest_equal(&root, expected);
    if (w->proven)
        return;
    for (unsigned level = 0; level < TILE_LEVELS; level++)
        rebuild(w, edge_tile(w, level), &w->rebuilt[level]);
    again = tile_edge_root(w->rebuilt);
    w->proven = digest_equal(&again, expected);
    if (!w->proven)
        differs(w, p, expected, &root);
    for (unsigned level = 0; level < TILE_LEVELS; level++) {
        if (loaded[level] && w->proven)
            blame_tile(w, edge_tile(w, level), &w->edges[level], &w->rebuilt[level]);
        if (w->proven)
            w->edges[level] = w->rebuilt[level];
        else if (!loaded[level])
            w->edges[level].width = 0;
    }
}

/* Everything below the right edge of one level, which comes before that of the next lower level. */
static void check_below_edge(struct walk *w, unsigned level)
{
    const struct tile_edge *edge = &w->edges[level];
    uint64_t index = edge_tile(w, level).index;

    if (level == 0 && edge->width > 0)
        check_bundle(w, index, edge);
    for (unsigned i = 0; level > 0 && i < edge->width; i++) {
        struct tile child = {level - 1, index * TILE_WIDTH + i, TILE_WIDTH};

        check_tile(w, child, &edge->hashes[i]);
    }
}

bool log_verify(const struct tile_source *from, const struct checkpoint *c,
                const struct log_watcher *watcher, struct log_summary *out)
{
    struct walk *w = calloc(1, sizeof(*w));

    if (w == NULL)
        abort();
    *out = (struct log_summary){.checkpoint = *c};
    w->from = from;
    w->watcher = watcher;
    w->summary = out;
    w->size = c->size;
    w->tile = text_new(TILE_BYTES);
    w->bundle = text_new(BUNDLE_MAX);
    prove_edges(w, &c->root);
    for (unsigned level = TILE_LEVELS; level-- > 0;)
        check_below_edge(w, level);
    text_free(&w->tile);
    text_free(&w->bundle);
    free(w);
    return out->problems == 0 && out->entries == c->size;
}

bool log_verify_directory(const char *directory, const struct note_key *keys, size_t key_count,
                          const struct log_watcher *watcher, struct log_summary *out)
{
    struct tile_source from = {log_file_load, (void *)directory};
    struct log_problem p = {LOG_CHECKPOINT, "checkpoint", LOG_NO_LEAF, NULL};
    struct text note = text_new(NOTE_MAX);
    enum note_state s = NOTE_MALFORMED;
    struct checkpoint c;
    enum err e;

    *out = (struct log_summary){0};
    e = log_file_read(directory, "checkpoint", &note);
    if (e == OK && !note.failed && note.data != NULL)
        s = checkpoint_open(note.data, note.length, keys, key_count, &c);
    text_free(&note);
    if (e != OK)
        report(out, watcher, p, "%s",
               e == ERR_NOT_FOUND ? "there is no checkpoint" : err_meaning(e));
    else if (s != NOTE_GOOD)
        report(out, watcher, p, "%s", note_state_text(s));
    return s == NOTE_GOOD && log_verify(&from, &c, watcher, out);
}
