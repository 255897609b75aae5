/* SPDX-License-Identifier: Apache-2.0 */
#include "core/gcra.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { ROWS = 4, ROW_BITS = 16, LOCKS = 64 };

struct gcra_table {
    _Atomic int64_t *cells;
    uint64_t mask;
    /* A key's own requests come one after the other; other keys may share single cells with it. */
    struct {
        _Alignas(64) pthread_mutex_t lock;
    } locks[LOCKS];
};

struct gcra_table *gcra_new(unsigned cells)
{
    struct gcra_table *t = aligned_alloc(64, sizeof(*t));
    uint64_t size = 64;

    while (size < cells && size < (1U << ROW_BITS))
        size *= 2;
    if (t == NULL || (t->cells = calloc(size * ROWS, sizeof(*t->cells))) == NULL) {
        (void)fputs("out of memory for a table of rates\n", stderr);
        abort();
    }
    t->mask = size - 1;
    for (int i = 0; i < LOCKS; i++)
        (void)pthread_mutex_init(&t->locks[i].lock, NULL);
    return t;
}

void gcra_free(struct gcra_table *t)
{
    if (t == NULL)
        return;
    for (int i = 0; i < LOCKS; i++)
        (void)pthread_mutex_destroy(&t->locks[i].lock);
    free(t->cells);
    free(t);
}

static _Atomic int64_t *cell(const struct gcra_table *t, uint64_t key, unsigned row)
{
    return &t->cells[row * (t->mask + 1) + (key >> (row * ROW_BITS) & t->mask)];
}

/* Up to when the key has used what it is given; the past counts as now. */
static int64_t used_until(const struct gcra_table *t, uint64_t key, int64_t now_ns)
{
    int64_t least = INT64_MAX;

    for (unsigned row = 0; row < ROWS; row++) {
        int64_t time = atomic_load_explicit(cell(t, key, row), memory_order_relaxed);

        least = time < least ? time : least;
    }
    return least > now_ns ? least : now_ns;
}

static void raise_to(_Atomic int64_t *at, int64_t time)
{
    int64_t seen = atomic_load_explicit(at, memory_order_relaxed);

    while (seen < time && !atomic_compare_exchange_weak_explicit(
                              at, &seen, time, memory_order_relaxed, memory_order_relaxed))
        continue;
}

static int64_t wait_of(int64_t until, const struct gcra *g, int64_t now_ns)
{
    int64_t over = until - now_ns - g->burst_ns;

    return over > 0 ? over : 0;
}

int64_t gcra_wait(struct gcra_table *t, uint64_t key, const struct gcra *g, int64_t now_ns)
{
    return wait_of(used_until(t, key, now_ns), g, now_ns);
}

int64_t gcra_take(struct gcra_table *t, uint64_t key, const struct gcra *g, int64_t units,
                  int64_t now_ns)
{
    pthread_mutex_t *lock = &t->locks[(key >> 58) % LOCKS].lock;
    int64_t until;
    int64_t wait;

    (void)pthread_mutex_lock(lock);
    until = used_until(t, key, now_ns);
    wait = wait_of(until, g, now_ns);
    for (unsigned row = 0; row < ROWS && wait == 0; row++)
        raise_to(cell(t, key, row), until + units * g->interval_ns);
    (void)pthread_mutex_unlock(lock);
    return wait;
}

int64_t gcra_now(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}
