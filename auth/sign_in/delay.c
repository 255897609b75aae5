/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/sign_in/delay.h"

#include "core/sip.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

enum { SETS = 2048, WAYS = 4, FORGET_MS = 15 * 60 * 1000, FIRST_MS = 1000, DOUBLINGS_MAX = 16 };
enum { MINUTE_MS = 60 * 1000, FIVE_MINUTES_MS = 5 * MINUTE_MS, COUNTERS = 3 };

struct limit {
    int free_tries;
    int64_t longest_ms;
    int64_t forgive_ms; /* one failure is forgiven after this long; 0: never */
};
static const struct limit per_account = {5, MINUTE_MS, 0};
/* A whole company may come from one address. */
static const struct limit per_source = {100, FIVE_MINUTES_MS, 2000};
static const struct limit anywhere = {100, MINUTE_MS, 30000};

struct counter {
    uint64_t key; /* 0: free */
    int failures;
    int64_t last_ms;
};

static struct counter counters[SETS][WAYS];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* What one attempt is counted as. */
struct counted {
    uint64_t key;
    const struct limit *limit;
};

static uint64_t key_of(const char *kind, const char *first, const char *second)
{
    return sip_text(sip_text(sip_text(0, kind), first), second) | 1;
}

static int counters_of(const struct attempt *a, struct counted out[COUNTERS])
{
    if (a->known != NULL || a->source == NULL) {
        out[0] = (struct counted){key_of("known", a->known == NULL ? "" : a->known, a->account),
                                  &per_account};
        return 1;
    }
    out[0] = (struct counted){key_of("account", a->source, a->account), &per_account};
    out[1] = (struct counted){key_of("source", a->source, ""), &per_source};
    out[2] = (struct counted){key_of("anywhere", "", a->account), &anywhere};
    return COUNTERS;
}

static struct counter *find(uint64_t key)
{
    struct counter *set = counters[(key >> 8) % SETS];

    for (int i = 0; i < WAYS; i++)
        if (set[i].key == key)
            return &set[i];
    return NULL;
}

static struct counter *make(uint64_t key)
{
    struct counter *set = counters[(key >> 8) % SETS];
    struct counter *oldest = set;
    struct counter *found = find(key);

    if (found != NULL)
        return found;
    for (int i = 1; i < WAYS; i++)
        if (set[i].last_ms < oldest->last_ms)
            oldest = &set[i];
    *oldest = (struct counter){.key = key};
    return oldest;
}

static int64_t wait_of(const struct counter *c, const struct limit *limit, int64_t now_ms)
{
    int64_t wait;
    int doublings;

    if (c == NULL || c->failures < limit->free_tries || now_ms - c->last_ms > FORGET_MS)
        return 0;
    doublings = c->failures - limit->free_tries;
    wait = (int64_t)FIRST_MS << (doublings < DOUBLINGS_MAX ? doublings : DOUBLINGS_MAX);
    if (wait > limit->longest_ms)
        wait = limit->longest_ms;
    return c->last_ms + wait > now_ms ? c->last_ms + wait - now_ms : 0;
}

int64_t delay_before(const struct attempt *a, int64_t now_ms)
{
    struct counted all[COUNTERS];
    int count = counters_of(a, all);
    int64_t longest = 0;

    (void)pthread_mutex_lock(&lock);
    for (int i = 0; i < count; i++) {
        int64_t wait = wait_of(find(all[i].key), all[i].limit, now_ms);

        longest = wait > longest ? wait : longest;
    }
    (void)pthread_mutex_unlock(&lock);
    return longest;
}

int64_t delay_of_source(const char *source, int64_t now_ms)
{
    int64_t wait;

    (void)pthread_mutex_lock(&lock);
    wait = wait_of(find(key_of("source", source, "")), &per_source, now_ms);
    (void)pthread_mutex_unlock(&lock);
    return wait;
}

static void count(uint64_t key, const struct limit *limit, int64_t now_ms)
{
    struct counter *c = make(key);
    int64_t forgiven = limit->forgive_ms == 0 ? 0 : (now_ms - c->last_ms) / limit->forgive_ms;

    if (now_ms - c->last_ms > FORGET_MS || forgiven > c->failures)
        forgiven = c->failures;
    c->failures += 1 - (int)forgiven;
    c->last_ms = now_ms;
}

void delay_failed(const struct attempt *a, int64_t now_ms)
{
    struct counted all[COUNTERS];
    int n = counters_of(a, all);

    (void)pthread_mutex_lock(&lock);
    for (int i = 0; i < n; i++)
        count(all[i].key, all[i].limit, now_ms);
    (void)pthread_mutex_unlock(&lock);
}

void delay_succeeded(const struct attempt *a)
{
    struct counted all[COUNTERS];
    struct counter *c;

    (void)counters_of(a, all);
    (void)pthread_mutex_lock(&lock);
    c = find(all[0].key);
    if (c != NULL)
        *c = (struct counter){.key = 0};
    (void)pthread_mutex_unlock(&lock);
}
