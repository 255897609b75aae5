/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/token.h"

#include "tests/unit/test.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { NOW = 1000000, THREADS = 4, ROUNDS = 20000, TOKENS = 200 };

static struct digest token(int i)
{
    return sha256_of(&i, sizeof(i));
}

static struct claims claims_of(int i, int64_t expires_ms)
{
    struct claims c = {.kind = TOKEN_ACCESS, .expires_ms = expires_ms};

    (void)snprintf(c.principal, sizeof(c.principal), "p-%d", i);
    return c;
}

static void what_was_put_is_found_until_it_expires(void)
{
    struct token_cache *c = token_cache_new(1024);
    struct digest d = token(1);
    struct digest unknown = token(2);
    struct claims in = claims_of(1, NOW + 5000);
    struct claims out;
    int64_t epoch = 0;

    token_cache_put(c, &d, NOW, &in, 7);
    CHECK(token_cache_find(c, &d, NOW, &out, &epoch) && epoch == 7);
    CHECK(strcmp(out.principal, "p-1") == 0);
    CHECK(token_cache_find(c, &d, NOW + 4999, &out, &epoch));
    CHECK(!token_cache_find(c, &d, NOW + 5000, &out, &epoch));
    CHECK(!token_cache_find(c, &unknown, NOW, &out, &epoch));
    token_cache_free(c);
}

static void nothing_is_kept_longer_than_a_minute(void)
{
    struct token_cache *c = token_cache_new(1024);
    struct digest d = token(1);
    struct claims in = claims_of(1, INT64_MAX);
    struct claims out;
    int64_t epoch;

    token_cache_put(c, &d, NOW, &in, 7);
    CHECK(token_cache_find(c, &d, NOW + TOKEN_CACHE_MS - 1, &out, &epoch));
    CHECK(!token_cache_find(c, &d, NOW + TOKEN_CACHE_MS, &out, &epoch));
    token_cache_free(c);
}

static void putting_again_replaces(void)
{
    struct token_cache *c = token_cache_new(1024);
    struct digest d = token(1);
    struct claims in = claims_of(1, INT64_MAX);
    struct claims out;
    int64_t epoch = 0;

    token_cache_put(c, &d, NOW, &in, 7);
    token_cache_put(c, &d, NOW, &in, 8);
    CHECK(token_cache_find(c, &d, NOW, &out, &epoch) && epoch == 8);
    token_cache_clear(c);
    CHECK(!token_cache_find(c, &d, NOW, &out, &epoch));
    token_cache_free(c);
}

static void a_flood_costs_no_memory_and_keeps_the_newest(void)
{
    struct token_cache *c = token_cache_new(256);
    struct claims out;
    int64_t epoch;
    unsigned found = 0;

    for (int i = 0; i < 100000; i++) {
        struct digest d = token(i);
        struct claims in = claims_of(i, INT64_MAX);

        token_cache_put(c, &d, NOW + i, &in, 1);
        found += token_cache_find(c, &d, NOW + i, &out, &epoch);
    }
    token_cache_free(c);
    CHECK(found == 100000);
}

static struct token_cache *shared;

static void *hammer(void *seed)
{
    int x = *(int *)seed;
    long wrong = 0;

    for (int i = 0; i < ROUNDS; i++) {
        int which = (x + i * 7) % TOKENS;
        struct digest d = token(which);
        struct claims in = claims_of(which, INT64_MAX);
        struct claims out;
        int64_t epoch;

        if (token_cache_find(shared, &d, NOW, &out, &epoch))
            wrong += strcmp(out.principal, in.principal) != 0;
        else
            token_cache_put(shared, &d, NOW, &in, 1);
        if (i % 5000 == 0)
            token_cache_clear(shared);
    }
    return (void *)wrong;
}

static void threads_never_see_anothers_claims(void)
{
    pthread_t threads[THREADS];
    int seeds[THREADS];
    long wrong = 0;

    shared = token_cache_new(64);
    for (int i = 0; i < THREADS; i++) {
        seeds[i] = i * 13;
        CHECK(pthread_create(&threads[i], NULL, hammer, &seeds[i]) == 0);
    }
    for (int i = 0; i < THREADS; i++) {
        void *result;

        CHECK(pthread_join(threads[i], &result) == 0);
        wrong += (long)result;
    }
    token_cache_free(shared);
    CHECK(wrong == 0);
}

int main(void)
{
    RUN(what_was_put_is_found_until_it_expires);
    RUN(nothing_is_kept_longer_than_a_minute);
    RUN(putting_again_replaces);
    RUN(a_flood_costs_no_memory_and_keeps_the_newest);
    RUN(threads_never_see_anothers_claims);
    return failures != 0;
}
