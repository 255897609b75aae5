/* SPDX-License-Identifier: Apache-2.0 */
#include "lineage/verify.h"

#include "tests/tools/log_files.h"
#include "tests/unit/test.h"

#include <stdlib.h>
#include <sys/stat.h>

/* What the verifier said, and what the test waits for. */
struct watched {
    unsigned problems;
    struct log_problem first; /* its file is copied below */
    char file[TILE_PATH];
    char wanted_file[TILE_PATH];
    unsigned wanted; /* problems of the wanted file */
    uint64_t next;   /* entries came in order up to here */
    bool wrong_entry;
};

static void on_problem(void *context, const struct log_problem *p)
{
    struct watched *w = context;

    if (w->problems++ == 0) {
        w->first = *p;
        (void)snprintf(w->file, sizeof(w->file), "%s", p->file);
    }
    w->wanted += strcmp(p->file, w->wanted_file) == 0;
}

static void on_entry(void *context, uint64_t index, const uint8_t *entry, size_t length)
{
    struct watched *w = context;
    char wanted[LOG_ENTRY_ROOM];

    w->wrong_entry = w->wrong_entry || index < w->next || length != log_entry(index, wanted) ||
                     memcmp(entry, wanted, length) != 0;
    w->next = index + 1;
}

static bool verify(const struct log_files *l, struct watched *w, struct log_summary *s)
{
    struct log_watcher watcher = {on_problem, on_entry, w};

    return log_verify_directory(l->directory, &l->key, 1, &watcher, s);
}

static bool begin(struct log_files *l, size_t size)
{
    char directory[] = "/tmp/test_verify.XXXXXX";

    if (mkdtemp(directory) == NULL || !log_files_begin(l, directory, "log.test/audit"))
        return false;
    while (l->head.size < size) {
        size_t left = size - (size_t)l->head.size;

        if (log_files_grow(l, left < LOG_BATCH_MAX ? left : LOG_BATCH_MAX) != OK)
            return false;
    }
    return log_files_sign(l) == OK;
}

static void whole_logs_verify(void)
{
    static const size_t sizes[] = {0, 1, 255, 256, 257, 65536, 65537, 70000};

    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        struct log_files l;
        struct log_summary s;
        struct watched w = {0};

        CHECK(begin(&l, sizes[i]));
        CHECK(verify(&l, &w, &s));
        CHECK(s.entries == sizes[i] && s.problems == 0 && w.problems == 0);
        CHECK(w.next == sizes[i] && !w.wrong_entry);
        CHECK(s.checkpoint.size == sizes[i] && strcmp(s.checkpoint.origin, l.key.name) == 0);
        CHECK(digest_equal(&s.checkpoint.root, &l.head.root));
        CHECK(log_verify_directory(l.directory, &l.key, 1, NULL, &s));
        CHECK(log_files_remove(l.directory));
    }
}

/* XOR one byte of a file. */
static bool change(const struct log_files *l, const char *file, long at, int mask)
{
    char path[512];
    FILE *f;
    int c;

    (void)snprintf(path, sizeof(path), "%s/%s", l->directory, file);
    f = fopen(path, "r+b");
    if (f == NULL)
        return false;
    c = fseek(f, at, at < 0 ? SEEK_END : SEEK_SET) == 0 ? fgetc(f) : EOF;
    if (c != EOF)
        c = fseek(f, -1, SEEK_CUR) == 0 ? fputc(c ^ mask, f) : EOF;
    return fclose(f) == 0 && c != EOF;
}

static struct log_files large;
static const char *const files[] = {
    "tile/entries/000", "tile/entries/100", "tile/entries/273.p/112", "tile/0/000",    "tile/0/272",
    "tile/0/273.p/112", "tile/1/000",       "tile/1/001.p/17",        "tile/2/000.p/1"};

static bool entries_file(const char *file)
{
    return strncmp(file, "tile/entries", 12) == 0;
}

/* One bit anywhere: found, named by its file and nowhere else, and everything but what hangs on it
 * is still proven. */
static void one_bit_in_any_file_is_found_and_named(void)
{
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        static const long places[] = {0, 1, -1};

        for (size_t k = 0; k < sizeof(places) / sizeof(places[0]); k++) {
            struct watched w = {0};
            struct log_summary s;

            (void)snprintf(w.wanted_file, sizeof(w.wanted_file), "%s", files[i]);
            CHECK(change(&large, files[i], places[k], 1 << k));
            CHECK(!verify(&large, &w, &s));
            CHECK(change(&large, files[i], places[k], 1 << k));
            CHECK(w.problems >= 1 && w.wanted == w.problems && !w.wrong_entry);
            CHECK(w.problems <= 2 && s.problems == w.problems);
            CHECK(s.entries == large.head.size || entries_file(files[i]));
            CHECK(s.entries >= large.head.size - TILE_WIDTH);
        }
    }
}

static size_t file_size(const struct log_files *l, const char *file)
{
    char path[512];
    struct stat at;

    (void)snprintf(path, sizeof(path), "%s/%s", l->directory, file);
    return stat(path, &at) == 0 ? (size_t)at.st_size : 0;
}

/* Whether one bit of a file is missed, or named elsewhere. */
static bool bit_is_missed(const struct log_files *l, const char *file, size_t bit)
{
    struct watched w = {0};
    struct log_summary s;
    bool missed;

    (void)snprintf(w.wanted_file, sizeof(w.wanted_file), "%s", file);
    if (!change(l, file, (long)(bit / 8), 1 << bit % 8))
        return true;
    missed = verify(l, &w, &s) || w.wanted == 0 || w.wrong_entry;
    return !change(l, file, (long)(bit / 8), 1 << bit % 8) || missed;
}

/* Every step-th bit of every file; how many are missed. */
static size_t missed_bits(const struct log_files *l, const char *const names[], size_t step)
{
    size_t missed = 0;

    for (; *names != NULL; names++) {
        size_t bits = 8 * file_size(l, *names);

        missed += bits == 0;
        for (size_t bit = 0; bit < bits; bit += step)
            if (bit_is_missed(l, *names, bit) && missed++ == 0)
                (void)printf("%s: bit %zu\n", *names, bit);
    }
    return missed;
}

/* All bits of small logs; of a log with two tiles all with CHANCERY_LONG=1, else one in 101.
 */
static void every_bit_of_small_logs_counts(void)
{
    static const char *const none[] = {"checkpoint", NULL};
    static const char *const one[] = {"checkpoint", "tile/entries/000.p/1", "tile/0/000.p/1", NULL};
    static const char *const seven[] = {"checkpoint", "tile/entries/000.p/7", "tile/0/000.p/7",
                                        NULL};
    static const char *const two_tiles[] = {
        "checkpoint", "tile/entries/000", "tile/entries/001.p/1",
        "tile/0/000", "tile/0/001.p/1",   "tile/1/000.p/1",
        NULL};
    const bool all = getenv("CHANCERY_LONG") != NULL; /* NOLINT(concurrency-mt-unsafe) */
    const struct {
        size_t size;
        const char *const *names;
        size_t step;
    } logs[] = {{0, none, 1}, {1, one, 1}, {7, seven, 1}, {257, two_tiles, all ? 1 : 101}};

    for (size_t i = 0; i < sizeof(logs) / sizeof(logs[0]); i++) {
        struct log_files l;

        CHECK(begin(&l, logs[i].size));
        CHECK(missed_bits(&l, logs[i].names, logs[i].step) == 0);
        CHECK(log_files_remove(l.directory));
    }
}

/* A stretch of a large log's files, another at each run of the loop; the numbers are fixed. */
static void bits_of_large_logs_count_wherever_they_are(void)
{
    const size_t trials =
        getenv("CHANCERY_LONG") != NULL ? 3000 : 24; /* NOLINT(concurrency-mt-unsafe) */
    uint64_t random = 20261121;

    for (size_t i = 0; i < trials; i++) {
        char file[TILE_PATH];
        size_t bits;

        random = random * 6364136223846793005 + 1442695040888963407; /* Knuth, MMIX */
        (void)snprintf(file, sizeof(file), i % 2 == 0 ? "tile/entries/%03u" : "tile/0/%03u",
                       (unsigned)(random >> 33) % 273);
        bits = 8 * file_size(&large, file);
        CHECK(bits > 0 && !bit_is_missed(&large, file, (size_t)(random >> 20) % bits));
    }
}

static void the_leaf_and_the_hashes_are_named(void)
{
    struct watched w = {0};
    struct log_summary s;

    CHECK(change(&large, "tile/0/100", 5 * SHA256_SIZE, 4));
    CHECK(!verify(&large, &w, &s));
    CHECK(change(&large, "tile/0/100", 5 * SHA256_SIZE, 4));
    CHECK(w.problems == 1 && w.first.trouble == LOG_TILE && w.first.leaf == 25605);
    w = (struct watched){0};
    CHECK(change(&large, "tile/1/000", 7 * SHA256_SIZE, 4));
    CHECK(!verify(&large, &w, &s));
    CHECK(change(&large, "tile/1/000", 7 * SHA256_SIZE, 4));
    CHECK(w.problems == 1 && w.first.trouble == LOG_TILE && w.first.leaf == 1792);
    CHECK(strcmp(w.file, "tile/1/000") == 0 && s.entries == large.head.size);
    w = (struct watched){0};
    CHECK(change(&large, "tile/entries/273.p/112", -1, 1));
    CHECK(!verify(&large, &w, &s));
    CHECK(change(&large, "tile/entries/273.p/112", -1, 1));
    CHECK(w.problems == 1 && w.first.trouble == LOG_ENTRY && w.first.leaf == 69999);
    CHECK(s.entries == large.head.size - 1 && w.next == 69999);
}

/* Entry and leaf hash changed together, as whoever holds the files would. */
static void faults_that_cover_for_each_other_are_found(void)
{
    struct watched w = {0};
    struct log_summary s;

    CHECK(change(&large, "tile/0/100", 0, 4) && change(&large, "tile/entries/100", 100, 1));
    CHECK(!verify(&large, &w, &s));
    CHECK(w.problems >= 1 && strcmp(w.file, "tile/0/100") == 0 && !w.wrong_entry);
    CHECK(s.entries == large.head.size - TILE_WIDTH);
    CHECK(change(&large, "tile/0/100", 0, 4) && change(&large, "tile/entries/100", 100, 1));
    w = (struct watched){0};
    CHECK(change(&large, "tile/1/001.p/17", 0, 4) && change(&large, "tile/0/256", 9, 1));
    CHECK(!verify(&large, &w, &s));
    CHECK(w.first.trouble == LOG_ROOT && s.entries == 0 && w.next == 0);
    (void)snprintf(w.wanted_file, sizeof(w.wanted_file), "tile/0/256");
    CHECK(!verify(&large, &w, &s) && w.wanted == 1);
    CHECK(change(&large, "tile/1/001.p/17", 0, 4) && change(&large, "tile/0/256", 9, 1));
}

static bool rename_file(const char *from, const char *to)
{
    char a[512], b[512];

    (void)snprintf(a, sizeof(a), "%s/%s", large.directory, from);
    (void)snprintf(b, sizeof(b), "%s/%s", large.directory, to);
    return rename(a, b) == 0;
}

static void missing_files_are_named(void)
{
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        struct watched w = {0};
        struct log_summary s;

        (void)snprintf(w.wanted_file, sizeof(w.wanted_file), "%s", files[i]);
        CHECK(rename_file(files[i], "hidden"));
        CHECK(!verify(&large, &w, &s));
        CHECK(rename_file("hidden", files[i]));
        CHECK(w.problems == 1 && w.wanted == 1 && w.first.trouble == LOG_MISSING);
        CHECK(s.entries == large.head.size || entries_file(files[i]));
    }
}

/* Copy a file with bytes cut off (negative) or added. */
static bool resize(const char *file, long by)
{
    static char bytes[BUNDLE_MAX];
    char path[512];
    size_t length;
    FILE *f;

    (void)snprintf(path, sizeof(path), "%s/hidden", large.directory);
    f = fopen(path, "rb");
    if (f == NULL)
        return false;
    length = fread(bytes, 1, sizeof(bytes) - 1, f);
    (void)fclose(f);
    return file_write(large.directory, file, bytes, (size_t)((long)length + by));
}

static void cut_and_padded_files_are_named(void)
{
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        for (long by = -1; by <= 1; by += 2) {
            struct watched w = {0};
            struct log_summary s;

            (void)snprintf(w.wanted_file, sizeof(w.wanted_file), "%s", files[i]);
            CHECK(rename_file(files[i], "hidden") && resize(files[i], by));
            CHECK(!verify(&large, &w, &s));
            CHECK(rename_file("hidden", files[i]));
            CHECK(w.problems == 1 && w.wanted == 1 && w.first.trouble == LOG_LENGTH);
        }
    }
}

/* The log has grown since the checkpoint and dropped its partial tiles. */
static void full_tiles_stand_in_for_partial_ones(void)
{
    struct log_files l;
    struct log_summary s;
    char path[512];

    CHECK(begin(&l, 300));
    CHECK(log_files_grow(&l, 300) == OK);
    (void)snprintf(path, sizeof(path), "%s/tile/0/001.p", l.directory);
    CHECK(log_files_remove(path));
    (void)snprintf(path, sizeof(path), "%s/tile/entries/001.p", l.directory);
    CHECK(log_files_remove(path));
    CHECK(log_verify_directory(l.directory, &l.key, 1, NULL, &s) && s.entries == 300);
    CHECK(log_files_remove(l.directory));
}

static void checkpoints_must_be_the_logs_own(void)
{
    struct log_files other;
    struct watched w = {0};
    struct log_summary s;

    for (long at = 0; at < 150; at++) {
        w = (struct watched){0};
        CHECK(change(&large, "checkpoint", at, 1));
        CHECK(!verify(&large, &w, &s));
        CHECK(w.problems == 1 && w.first.trouble == LOG_CHECKPOINT && s.entries == 0);
        CHECK(strcmp(w.file, "checkpoint") == 0);
        CHECK(change(&large, "checkpoint", at, 1));
    }
    CHECK(log_files_begin(&other, "/nonexistent", large.key.name));
    CHECK(!log_verify_directory(large.directory, &other.key, 1, NULL, &s) && s.problems == 1);
    CHECK(!log_verify_directory(large.directory, NULL, 0, NULL, &s) && s.problems == 1);
    CHECK(!log_verify_directory("/nonexistent", &large.key, 1, NULL, &s) && s.problems == 1);
}

/* A rightly signed checkpoint of another history of the same size. */
static void a_fork_is_another_root(void)
{
    struct watched w = {0};
    struct log_summary s;
    struct log_files fork = large;

    fork.head.root.bytes[0] ^= 1;
    CHECK(log_files_sign(&fork) == OK);
    CHECK(!verify(&large, &w, &s));
    CHECK(w.problems == 1 && w.first.trouble == LOG_ROOT && s.entries == 0);
    CHECK(log_files_sign(&large) == OK);
    w = (struct watched){0};
    CHECK(verify(&large, &w, &s));
}

int main(void)
{
    RUN(whole_logs_verify);
    RUN(every_bit_of_small_logs_counts);
    if (!begin(&large, 70000))
        return EXIT_FAILURE;
    RUN(one_bit_in_any_file_is_found_and_named);
    RUN(bits_of_large_logs_count_wherever_they_are);
    RUN(the_leaf_and_the_hashes_are_named);
    RUN(faults_that_cover_for_each_other_are_found);
    RUN(missing_files_are_named);
    RUN(cut_and_padded_files_are_named);
    RUN(full_tiles_stand_in_for_partial_ones);
    RUN(checkpoints_must_be_the_logs_own);
    RUN(a_fork_is_another_root);
    if (!log_files_remove(large.directory))
        return EXIT_FAILURE;
    return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
