/* SPDX-License-Identifier: Apache-2.0 */
#include "lineage/verify.h"

#include "tests/tools/log_files.h"

#include <time.h>

/* How fast a log of 300-byte entries grows and verifies, beside plain SHA-256 of the same bytes.
 * bench_log [LEAVES] exits with failure below the floors the design promises. */

enum { ENTRY = 300, BATCH = 4096, GROW_FLOOR = 200000 };
static const double verify_floor = 0.3;

/* CPU time, so that a busy machine does not fail the floors. */
static double seconds(void)
{
    struct timespec t = {0};

    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void entry_fill(uint8_t *entry, uint64_t index)
{
    memset(entry, (int)('a' + index % 26), ENTRY);
    memcpy(entry, &index, sizeof(index));
}

/* Appends one batch; returns the seconds spent in log_grow, or a negative number. */
static double grow(struct log_files *l, size_t count)
{
    struct tile_source edges = {log_file_load, l->directory};
    struct arena *a = arena_new();
    struct log_leaf *leaves = arena_alloc(a, count * sizeof(*leaves));
    uint8_t *bytes = arena_alloc(a, count * ENTRY);
    struct growth g;
    double start, spent;
    bool fine;

    for (size_t i = 0; i < count; i++) {
        entry_fill(bytes + i * ENTRY, l->head.size + i);
        leaves[i] = (struct log_leaf){bytes + i * ENTRY, ENTRY};
    }
    start = seconds();
    fine = log_grow(a, &l->head, &edges, leaves, count, &g) == OK;
    spent = seconds() - start;
    fine = fine && growth_write(l, &g);
    if (fine)
        l->head = g.head;
    arena_free(a);
    return fine ? spent : -1e9;
}

static double plain_sha256(uint64_t count)
{
    uint8_t *bytes = malloc((size_t)BATCH * ENTRY);
    struct sha256 *h = sha256_begin();
    double start;

    if (bytes == NULL)
        abort();
    memset(bytes, 'x', (size_t)BATCH * ENTRY);
    start = seconds();
    for (uint64_t i = 0; i < count; i += BATCH)
        sha256_add(h, bytes, (size_t)(count - i < BATCH ? count - i : BATCH) * ENTRY);
    (void)sha256_end(h);
    free(bytes);
    return seconds() - start;
}

int main(int argc, char **argv)
{
    char directory[] = "/tmp/bench_log.XXXXXX";
    double start, growing = 0.0, verifying, plain, ratio;
    struct log_summary s;
    uint64_t count = 500000;
    struct log_files l;
    bool whole;

    if ((argc > 1 && !uint_parse(argv[1], 100000000, &count)) || count == 0 ||
        mkdtemp(directory) == NULL || !log_files_begin(&l, directory, "bench.test"))
        return EXIT_FAILURE;
    while (l.head.size < count && growing >= 0.0) {
        uint64_t left = count - l.head.size;

        growing += grow(&l, left < BATCH ? (size_t)left : BATCH);
    }
    if (growing < 0.0 || log_files_sign(&l) != OK)
        return EXIT_FAILURE;
    start = seconds();
    whole = log_verify_directory(directory, &l.key, 1, NULL, &s);
    verifying = seconds() - start;
    plain = plain_sha256(count);
    ratio = plain / verifying;
    (void)printf("%llu leaves of %d bytes\n", (unsigned long long)count, ENTRY);
    (void)printf("grow    %9.0f leaves/s, %.2f of plain SHA-256\n", (double)count / growing,
                 plain / growing);
    (void)printf("verify  %9.0f leaves/s, %.2f of plain SHA-256\n", (double)count / verifying,
                 ratio);
    if (!log_files_remove(directory) || !whole)
        return EXIT_FAILURE;
    return (double)count / growing >= GROW_FLOOR && ratio >= verify_floor ? EXIT_SUCCESS
                                                                          : EXIT_FAILURE;
}
