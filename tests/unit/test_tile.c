/* SPDX-License-Identifier: Apache-2.0 */
#include "lineage/tile.h"

#include "tests/unit/test.h"

#include <stdlib.h>
#include <string.h>

static bool path_is(struct tile t, const char *wanted)
{
    char path[TILE_PATH];
    struct tile back = {99, 99, 99};

    tile_path(t, path);
    return strcmp(path, wanted) == 0 && tile_path_parse(path, &back) && back.level == t.level &&
           back.index == t.index && back.width == t.width;
}

static void paths_are_those_of_the_specification(void)
{
    CHECK(path_is((struct tile){0, 0, 256}, "tile/0/000"));
    CHECK(path_is((struct tile){0, 1234067, 256}, "tile/0/x001/x234/067"));
    CHECK(path_is((struct tile){0, 273, 112}, "tile/0/273.p/112"));
    CHECK(path_is((struct tile){1, 1, 17}, "tile/1/001.p/17"));
    CHECK(path_is((struct tile){7, 0, 1}, "tile/7/000.p/1"));
    CHECK(path_is((struct tile){TILE_ENTRIES, 1000, 255}, "tile/entries/x001/000.p/255"));
    CHECK(path_is((struct tile){TILE_ENTRIES, MERKLE_SIZE_MAX / TILE_WIDTH, 1},
                  "tile/entries/x018/x014/x398/x509/x481/984.p/1"));
}

static void other_spellings_of_paths_are_refused(void)
{
    static const char *const bad[] = {
        "",
        "tile",
        "tile/",
        "tile/0",
        "tile/0/",
        "tile/0/0",
        "tile/0/00",
        "tile/0/0000",
        "tile/00/000",
        "tile/8/000",
        "tile/+1/000",
        "tile/0/x000/000",
        "tile/0/001/000",
        "tile/0/x001/x000",
        "tile/0/x1/000",
        "tile/0/000.p/0",
        "tile/0/000.p/256",
        "tile/0/000.p/01",
        "tile/0/000.p/",
        "tile/0/000.p",
        "tile/0/000/",
        "tile/0/000.p/1/",
        "/tile/0/000",
        "tile/0//000",
        "tile/0/-01",
        "tile/entries",
        "tile/entriesx000",
        "tile/entries/",
        "tile/entries/x00/000",
        "tile/0/x999/x999/x999/x999/x999/x999/999",
        "tile/0/x001/x000/x000/x000/x000/x000/x000/x000/000",
    };
    struct tile t;

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        CHECK(!tile_path_parse(bad[i], &t));
}

static bool span_is(unsigned level, uint64_t from, uint64_t to, struct tile_span wanted)
{
    struct tile_span s = tile_span(level, from, to);

    return s.count == wanted.count &&
           (s.count == 0 || (s.first == wanted.first && s.last_width == wanted.last_width));
}

/* The specification's example: 70,000 leaves. */
static void spans_name_the_tiles_a_growing_tree_writes(void)
{
    CHECK(span_is(0, 0, 70000, (struct tile_span){0, 274, 112}));
    CHECK(span_is(TILE_ENTRIES, 0, 70000, (struct tile_span){0, 274, 112}));
    CHECK(span_is(1, 0, 70000, (struct tile_span){0, 2, 17}));
    CHECK(span_is(2, 0, 70000, (struct tile_span){0, 1, 1}));
    CHECK(span_is(3, 0, 70000, (struct tile_span){0}));
    CHECK(span_is(0, 255, 256, (struct tile_span){0, 1, 256}));
    CHECK(span_is(1, 255, 256, (struct tile_span){0, 1, 1}));
    CHECK(span_is(1, 256, 511, (struct tile_span){0}));
    CHECK(span_is(0, 256, 257, (struct tile_span){1, 1, 1}));
    CHECK(span_is(0, 257, 257, (struct tile_span){0}));
    CHECK(span_is(0, 69999, 70656, (struct tile_span){273, 3, 256}));
}

static void bundles_round_trip(void)
{
    struct text t = text_new(BUNDLE_MAX);
    char *longest = calloc(1, ENTRY_MAX + 1);
    struct bundle b = {0};
    const uint8_t *entry;
    size_t length;

    CHECK(longest != NULL);
    CHECK(!bundle_next(&b, &entry, &length) && b.at == b.length);
    CHECK(bundle_add(&t, "", 0) && bundle_add(&t, "abc", 3) && bundle_add(&t, longest, ENTRY_MAX));
    CHECK(!bundle_add(&t, longest, ENTRY_MAX + 1));
    CHECK(t.length == 2 + 2 + 3 + 2 + ENTRY_MAX && memcmp(t.data, "\0\0\0\3abc\xff\xff", 9) == 0);
    b = (struct bundle){(const uint8_t *)t.data, t.length, 0};
    CHECK(bundle_next(&b, &entry, &length) && length == 0);
    CHECK(bundle_next(&b, &entry, &length) && length == 3 && memcmp(entry, "abc", 3) == 0);
    CHECK(bundle_next(&b, &entry, &length) && length == ENTRY_MAX);
    CHECK(!bundle_next(&b, &entry, &length) && b.at == b.length);
    b = (struct bundle){(const uint8_t *)t.data, t.length - 1, 7};
    CHECK(!bundle_next(&b, &entry, &length) && b.at != b.length);
    b = (struct bundle){(const uint8_t *)t.data, 1, 0};
    CHECK(!bundle_next(&b, &entry, &length) && b.at == 0);
    text_free(&t);
    free(longest);
}

enum { SIZE = 70000 };

static struct digest leaves[SIZE];
static unsigned loads;

/* Tiles made up from the leaves when asked for. */
static enum err load_leaves(void *context, struct tile t, struct text *out)
{
    size_t under = (size_t)1 << (8 * t.level);

    (void)context;
    loads++;
    for (size_t i = 0; i < t.width; i++) {
        struct digest d = merkle_root_plain(leaves + ((t.index * TILE_WIDTH + i) * under), under);

        text_add(out, (const char *)d.bytes, SHA256_SIZE);
    }
    return OK;
}

static void proofs_out_of_tiles_hold(void)
{
    static const uint64_t sizes[] = {1, 255, 256, 257, 65536, 65537, SIZE};
    struct tile_source from = {load_leaves, NULL};

    for (size_t s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++) {
        uint64_t size = sizes[s];
        struct tile_reader *r = tile_reader_new(&from, size);
        struct merkle_nodes nodes = tile_nodes(r);
        struct digest root, plain = merkle_root_plain(leaves, (size_t)size);
        int bad = merkle_root(&nodes, size, &root) != OK || !digest_equal(&root, &plain);

        for (uint64_t index = 0; index < size; index += size / 17 + 1) {
            struct digest old = merkle_root_plain(leaves, (size_t)index);
            struct merkle_proof p;

            bad += merkle_inclusion(&nodes, index, size, &p) != OK;
            bad += !merkle_inclusion_verify(&p, index, size, &leaves[index], &root);
            bad += merkle_consistency(&nodes, index, size, &p) != OK;
            bad += !merkle_consistency_verify(&p, index, size, &old, &root);
        }
        tile_reader_free(r);
        CHECK(bad == 0);
    }
}

static void one_proof_loads_each_tile_once(void)
{
    struct tile_source from = {load_leaves, NULL};
    struct tile_reader *r = tile_reader_new(&from, SIZE);
    struct merkle_nodes nodes = tile_nodes(r);
    struct merkle_proof p;
    enum err e;

    loads = 0;
    e = merkle_inclusion(&nodes, 1000, SIZE, &p);
    tile_reader_free(r);
    /* The leaf's tiles on levels 0 and 1, and the right edge's on 0 and 1: level 2 has the path. */
    CHECK(e == OK && loads <= 5);
}

static enum err load_short(void *context, struct tile t, struct text *out)
{
    (void)context;
    for (unsigned i = 0; i + 1 < t.width; i++)
        text_add(out, (const char *)leaves[0].bytes, SHA256_SIZE);
    return OK;
}

static enum err load_nothing(void *context, struct tile t, struct text *out)
{
    (void)context;
    (void)t;
    (void)out;
    return ERR_NOT_FOUND;
}

static void missing_and_short_tiles_are_errors(void)
{
    struct tile_source wanting[] = {{load_short, NULL}, {load_nothing, NULL}};
    struct digest root;

    for (size_t i = 0; i < 2; i++) {
        struct tile_reader *r = tile_reader_new(&wanting[i], 300);
        struct merkle_nodes nodes = tile_nodes(r);
        enum err e = merkle_root(&nodes, 300, &root);
        enum err beyond = nodes.read(nodes.context, 0, 300, &root);

        tile_reader_free(r);
        CHECK(e == (i == 0 ? ERR_CONTENT : ERR_NOT_FOUND));
        CHECK(beyond == ERR_RANGE);
    }
}

int main(void)
{
    for (unsigned i = 0; i < SIZE; i++)
        leaves[i] = merkle_leaf(&i, sizeof(i));
    RUN(paths_are_those_of_the_specification);
    RUN(other_spellings_of_paths_are_refused);
    RUN(spans_name_the_tiles_a_growing_tree_writes);
    RUN(bundles_round_trip);
    RUN(proofs_out_of_tiles_hold);
    RUN(one_proof_loads_each_tile_once);
    RUN(missing_and_short_tiles_are_errors);
    return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
