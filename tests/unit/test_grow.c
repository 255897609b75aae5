/* SPDX-License-Identifier: Apache-2.0 */
#include "lineage/grow.h"

#include "tests/tools/log_files.h"
#include "tests/unit/test.h"

enum { SIZE = 70000 };

static struct digest leaves[SIZE];

static bool begin(struct log_files *l)
{
    char directory[] = "/tmp/test_grow.XXXXXX";

    return mkdtemp(directory) != NULL && log_files_begin(l, directory, "log.test");
}

/* A file of the log has exactly these bytes. */
static bool file_is(const struct log_files *l, struct tile t, const struct text *wanted)
{
    struct text found = text_new(BUNDLE_MAX);
    char directory[sizeof(l->directory)];
    bool same;

    (void)snprintf(directory, sizeof(directory), "%s", l->directory);
    same = log_file_load(directory, t, &found) == OK && found.length == wanted->length &&
           memcmp(found.data, wanted->data, found.length) == 0;
    text_free(&found);
    return same;
}

static bool tile_holds(const struct log_files *l, struct tile t)
{
    size_t under = (size_t)1 << (t.level == TILE_ENTRIES ? 0 : 8 * t.level);
    struct text wanted = text_new(BUNDLE_MAX);
    bool same;

    for (size_t i = 0; i < t.width; i++) {
        size_t first = ((size_t)t.index * TILE_WIDTH + i) * under;
        struct digest d = merkle_root_plain(leaves + first, under);
        char entry[LOG_ENTRY_ROOM];

        if (t.level == TILE_ENTRIES)
            (void)bundle_add(&wanted, entry, log_entry(first, entry));
        else
            text_add(&wanted, (const char *)d.bytes, SHA256_SIZE);
    }
    same = file_is(l, t, &wanted);
    text_free(&wanted);
    return same;
}

/* Every tile and bundle that a log of its size must have is there, with the right bytes. */
static bool files_hold(const struct log_files *l)
{
    bool all = true;

    for (unsigned level = 0; level <= TILE_ENTRIES; level++) {
        uint64_t count = tile_count(level, l->head.size);

        for (uint64_t at = 0; at < count; at += TILE_WIDTH)
            all = tile_holds(l, tile_at(level, at, l->head.size)) && all;
    }
    return all;
}

static void grown_logs_are_the_plain_tree(void)
{
    static const size_t stops[] = {0, 1, 255, 256, 257, 65536, 65537, SIZE};
    struct log_files l;

    srand(20261121);
    CHECK(begin(&l));
    for (size_t s = 0; s < sizeof(stops) / sizeof(stops[0]); s++) {
        struct digest plain = merkle_root_plain(leaves, stops[s]);

        while (l.head.size < stops[s]) {
            size_t left = stops[s] - (size_t)l.head.size;
            size_t batch = 1 + (size_t)rand() % (rand() % 2 == 0 ? 300 : 4000);

            CHECK(log_files_grow(&l, batch < left ? batch : left) == OK);
        }
        CHECK(l.head.size == stops[s] && digest_equal(&l.head.root, &plain));
        CHECK(files_hold(&l));
    }
    CHECK(log_files_remove(l.directory));
}

static void growing_by_nothing_changes_nothing(void)
{
    struct log_files l;
    struct log_head before;

    CHECK(begin(&l));
    CHECK(log_files_grow(&l, 300) == OK);
    before = l.head;
    CHECK(log_files_grow(&l, 0) == OK);
    CHECK(l.head.size == before.size && digest_equal(&l.head.root, &before.root));
    CHECK(log_files_remove(l.directory));
}

static void leaf_hashes_come_with_the_growth(void)
{
    struct tile_source none = {log_file_load, (void *)(uintptr_t) "/nonexistent"};
    struct log_leaf leaf[] = {{"abc", 3}, {NULL, 0}};
    struct log_head from = log_head_empty();
    struct arena *a = arena_new();
    struct digest first = merkle_leaf("abc", 3), second = merkle_leaf("", 0);
    struct digest root = merkle_node(&first, &second);
    struct growth g;
    bool fine = log_grow(a, &from, &none, leaf, 2, &g) == OK;

    fine = fine && digest_equal(&g.leaves[0], &first) && digest_equal(&g.leaves[1], &second) &&
           digest_equal(&g.head.root, &root) && g.count == 2 && g.writes[0].length == 7;
    arena_free(a);
    CHECK(fine);
}

static void oversized_leaves_and_logs_are_refused(void)
{
    static char bytes[ENTRY_MAX + 1];
    struct tile_source none = {log_file_load, (void *)(uintptr_t) "/nonexistent"};
    struct log_leaf leaf[] = {{bytes, ENTRY_MAX}, {bytes, ENTRY_MAX + 1}};
    struct log_head from = log_head_empty();
    struct log_head last = {.size = MERKLE_SIZE_MAX};
    struct arena *a = arena_new();
    struct growth g;
    enum err longest = log_grow(a, &from, &none, leaf, 1, &g);
    enum err longer = log_grow(a, &from, &none, leaf, 2, &g);
    enum err beyond = log_grow(a, &last, &none, leaf, 1, &g);

    arena_free(a);
    CHECK(longest == OK && longer == ERR_TOO_LARGE && beyond == ERR_RANGE);
}

/* Flip one bit of a file in place. */
static bool flip(const char *directory, struct tile t, long at)
{
    char file[TILE_PATH], path[512];
    FILE *f;
    int c;

    tile_path(t, file);
    (void)snprintf(path, sizeof(path), "%s/%s", directory, file);
    f = fopen(path, "r+b");
    if (f == NULL)
        return false;
    c = fseek(f, at, SEEK_SET) == 0 ? fgetc(f) : EOF;
    if (c != EOF)
        c = fseek(f, at, SEEK_SET) == 0 ? fputc(c ^ 1, f) : EOF;
    return fclose(f) == 0 && c != EOF;
}

static void nothing_is_built_upon_a_changed_edge(void)
{
    static const struct tile edges[] = {{0, 1, 44}, {1, 0, 1}, {TILE_ENTRIES, 1, 44}};
    struct log_files l;

    CHECK(begin(&l));
    CHECK(log_files_grow(&l, 300) == OK);
    for (size_t i = 0; i < 3; i++) {
        CHECK(flip(l.directory, edges[i], 20));
        CHECK(log_files_grow(&l, 5) == ERR_CONTENT && l.head.size == 300);
        CHECK(flip(l.directory, edges[i], 20));
    }
    l.head.root.bytes[0] ^= 1;
    CHECK(log_files_grow(&l, 5) == ERR_CONTENT);
    l.head.root.bytes[0] ^= 1;
    CHECK(log_files_grow(&l, 5) == OK);
    l.head.size++;
    CHECK(log_files_grow(&l, 5) == ERR_NOT_FOUND);
    CHECK(log_files_remove(l.directory));
}

int main(void)
{
    for (unsigned i = 0; i < SIZE; i++) {
        char entry[LOG_ENTRY_ROOM];
        size_t length = log_entry(i, entry);

        leaves[i] = merkle_leaf(entry, length);
    }
    RUN(grown_logs_are_the_plain_tree);
    RUN(growing_by_nothing_changes_nothing);
    RUN(leaf_hashes_come_with_the_growth);
    RUN(oversized_leaves_and_logs_are_refused);
    RUN(nothing_is_built_upon_a_changed_edge);
    return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
