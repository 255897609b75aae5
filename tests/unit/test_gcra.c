/* SPDX-License-Identifier: Apache-2.0 */
#include "core/gcra.h"

#include "core/sip.h"
#include "tests/unit/test.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>

#define SECOND 1000000000LL

enum { THREADS = 4, EACH = 50000 };

static uint64_t key(uint64_t n)
{
    return sip_hash(&n, sizeof(n));
}

/* The textbook's one counter, kept exactly. */
struct exact {
    int64_t until;
};

static bool exact_take(struct exact *x, const struct gcra *g, int64_t units, int64_t now)
{
    int64_t until = x->until > now ? x->until : now;

    if (until - now > g->burst_ns)
        return false;
    x->until = until + units * g->interval_ns;
    return true;
}

static void one_key_is_as_the_textbook_says(void)
{
    struct gcra_table *t = gcra_new(1024);
    const struct gcra g = {.interval_ns = SECOND / 10, .burst_ns = SECOND};
    struct exact x = {0};
    int64_t now = SECOND;
    int admitted = 0;
    bool same = true;

    for (int i = 0; i < 20000; i++) {
        int64_t units = 1 + rand() % 3;
        bool mine = gcra_take(t, key(1), &g, units, now) == 0;

        same = same && mine == exact_take(&x, &g, units, now);
        admitted += (int)(mine ? units : 0);
        now += rand() % (SECOND / 5);
    }
    gcra_free(t);
    CHECK(same);
    CHECK(admitted > 15000 && admitted < 21000); /* ten a second for about 2000 s */
}

static void what_is_told_to_wait_may_pass_after_it(void)
{
    struct gcra_table *t = gcra_new(1024);
    const struct gcra g = {.interval_ns = SECOND, .burst_ns = 2 * SECOND};
    int64_t now = SECOND;
    int64_t wait;

    for (int i = 0; i < 3; i++)
        CHECK(gcra_take(t, key(7), &g, 1, now) == 0);
    wait = gcra_take(t, key(7), &g, 1, now);
    CHECK(wait == SECOND);
    CHECK(gcra_wait(t, key(7), &g, now + wait - 1) == 1);
    CHECK(gcra_take(t, key(8), &g, 1, now) == 0);
    CHECK(gcra_take(t, key(7), &g, 1, now + wait) == 0);
    CHECK(gcra_take(t, key(7), &g, 100, now + 10 * SECOND) ==
          0); /* more than the burst, but late */
    CHECK(gcra_wait(t, key(7), &g, now + 10 * SECOND) == 98 * SECOND);
    gcra_free(t);
}

/* A hundred thousand strangers, in a table of 16384 cells a row: none of them gets more, and one
 * who comes after them is not kept out. */
static void a_flood_of_keys_makes_it_stricter_at_most(void)
{
    struct gcra_table *t = gcra_new(16384);
    const struct gcra g = {.interval_ns = SECOND / 100, .burst_ns = SECOND};
    int refused = 0;

    for (uint64_t n = 0; n < 100000; n++)
        refused += gcra_take(t, key(n), &g, 1, SECOND) != 0;
    CHECK(refused == 0);
    for (int i = 0; i < 300; i++)
        refused += gcra_take(t, key(5), &g, 1, SECOND) != 0;
    CHECK(refused >= 300 - 101 && refused < 300);
    CHECK(gcra_take(t, key(1234567), &g, 1, SECOND) == 0);
    gcra_free(t);
}

static struct gcra_table *shared;
static atomic_int admitted;

static void *rush(void *unused)
{
    const struct gcra g = {.interval_ns = SECOND, .burst_ns = 999 * SECOND};

    (void)unused;
    for (int i = 0; i < EACH; i++)
        atomic_fetch_add(&admitted, gcra_take(shared, key(99), &g, 1, SECOND) == 0);
    return NULL;
}

static void a_rush_of_threads_gets_no_more(void)
{
    pthread_t threads[THREADS];

    shared = gcra_new(1024);
    for (int i = 0; i < THREADS; i++)
        CHECK(pthread_create(&threads[i], NULL, rush, NULL) == 0);
    for (int i = 0; i < THREADS; i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
    gcra_free(shared);
    CHECK(admitted == 1000);
}

int main(void)
{
    RUN(one_key_is_as_the_textbook_says);
    RUN(what_is_told_to_wait_may_pass_after_it);
    RUN(a_flood_of_keys_makes_it_stricter_at_most);
    RUN(a_rush_of_threads_gets_no_more);
    return failures != 0;
}
