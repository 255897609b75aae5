/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/delay.h"

#include "core/crypto.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum { SETS = 2048, WAYS = 4, FORGET_MS = 15 * 60 * 1000, FIRST_MS = 1000, DOUBLINGS_MAX = 16 };
enum { MINUTE_MS = 60 * 1000, FIVE_MINUTES_MS = 5 * MINUTE_MS };

struct limit {
    int free_tries;
    int64_t longest_ms;
    int64_t forgive_ms; /* one failure is forgiven after this long; 0: never */
};
static const struct limit per_account = {5, MINUTE_MS, 0};
/* A whole company may come from one address. */
static const struct limit per_source = {100, FIVE_MINUTES_MS, 2000};

struct counter {
    uint64_t key; /* 0: free */
    int failures;
    int64_t last_ms;
};

static struct counter counters[SETS][WAYS];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* Keyed, so that nobody can aim names at one set. */
static uint64_t key_of(const char *account, const char *source)
{
    static unsigned char secret[SHA256_SIZE];
    static bool ready;
    char text[512];
    struct digest d;
    uint64_t key;

    if (!ready)
        random_bytes(secret, sizeof(secret));
    ready = true;
    (void)snprintf(text, sizeof(text), "%s %s", source, account);
    d = hmac_sha256(secret, sizeof(secret), text, strlen(text));
    memcpy(&key, d.bytes, sizeof(key));
    return key | 1;
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

int64_t delay_before(const char *account, const char *source, int64_t now_ms)
{
    int64_t mine;
    int64_t all;

    (void)pthread_mutex_lock(&lock);
    mine = wait_of(find(key_of(account, source)), &per_account, now_ms);
    all = wait_of(find(key_of("", source)), &per_source, now_ms);
    (void)pthread_mutex_unlock(&lock);
    return mine > all ? mine : all;
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

void delay_failed(const char *account, const char *source, int64_t now_ms)
{
    (void)pthread_mutex_lock(&lock);
    count(key_of(account, source), &per_account, now_ms);
    count(key_of("", source), &per_source, now_ms);
    (void)pthread_mutex_unlock(&lock);
}

/* The source's own count stays: one good password among many guesses proves nothing. */
void delay_succeeded(const char *account, const char *source)
{
    struct counter *c;

    (void)pthread_mutex_lock(&lock);
    c = find(key_of(account, source));
    if (c != NULL)
        *c = (struct counter){.key = 0};
    (void)pthread_mutex_unlock(&lock);
}
