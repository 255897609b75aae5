/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BENCH_HARNESS_H
#define BENCH_HARNESS_H

#include "core/db.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

/* Times of many askings of one question: by the clock, and the processor time of this process and
 * the database's, which a busy machine does not stretch. */

enum { ASKED_MAX = 1000 };

struct asking {
    PGconn *conn;
    double begun[2];
    double took[2][ASKED_MAX]; /* microseconds: clock, processors */
    size_t count;
};

static double clock_us(clockid_t id)
{
    struct timespec t = {0};

    (void)clock_gettime(id, &t);
    return 1e6 * (double)t.tv_sec + 1e-3 * (double)t.tv_nsec;
}

/* Of the process behind a connection; 0 where the kernel does not tell. */
static double backend_us(PGconn *conn)
{
    char path[64];
    int64_t ns = 0;
    FILE *f;

    (void)snprintf(path, sizeof(path), "/proc/%d/schedstat", PQbackendPID(conn));
    f = fopen(path, "r");
    if (f == NULL || fscanf(f, "%" SCNd64, &ns) != 1)
        ns = 0;
    if (f != NULL)
        (void)fclose(f);
    return (double)ns / 1000;
}

static void asking_begin(struct asking *a)
{
    a->begun[1] = clock_us(CLOCK_PROCESS_CPUTIME_ID) + backend_us(a->conn);
    a->begun[0] = clock_us(CLOCK_MONOTONIC);
}

static void asking_end(struct asking *a)
{
    if (a->count == ASKED_MAX)
        abort();
    a->took[0][a->count] = clock_us(CLOCK_MONOTONIC) - a->begun[0];
    a->took[1][a->count++] = clock_us(CLOCK_PROCESS_CPUTIME_ID) + backend_us(a->conn) - a->begun[1];
}

/* What the last asking of another took is one of these too. */
static void asking_take(struct asking *a, const struct asking *from)
{
    if (a->count == ASKED_MAX)
        abort();
    for (size_t i = 0; i < 2; i++)
        a->took[i][a->count] = from->took[i][from->count - 1];
    a->count++;
}

static int by_time(const void *a, const void *b)
{
    const double *x = a, *y = b;

    return *x < *y ? -1 : *x > *y;
}

/* Milliseconds of processor time that 95 in 100 askings needed at most. */
static double asking_tell(struct asking *a, const char *what)
{
    for (size_t i = 0; i < 2; i++)
        qsort(a->took[i], a->count, sizeof(a->took[i][0]), by_time);
    (void)printf("%s: p50 %.2f ms, p95 %.2f ms (of the processor: %.2f, %.2f)\n", what,
                 a->took[0][a->count / 2] / 1000, a->took[0][a->count * 95 / 100] / 1000,
                 a->took[1][a->count / 2] / 1000, a->took[1][a->count * 95 / 100] / 1000);
    return a->took[1][a->count * 95 / 100] / 1000;
}

#endif
