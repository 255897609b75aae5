/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/token.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WAYS = 4, SHARDS = 64 };

struct slot {
    struct digest token;
    int64_t until_ms; /* 0: free */
    int64_t epoch;
    struct claims claims;
};

/* A set is WAYS slots in a row, guarded by the lock of its shard. */
struct token_cache {
    struct slot *slots;
    uint64_t sets_mask;
    struct shard {
        _Alignas(64) pthread_mutex_t lock;
    } shards[SHARDS];
};

struct token_cache *token_cache_new(unsigned entries)
{
    struct token_cache *c = aligned_alloc(64, sizeof(*c));
    uint64_t sets = SHARDS;

    while (sets * WAYS < entries)
        sets *= 2;
    if (c == NULL || (c->slots = calloc(sets * WAYS, sizeof(struct slot))) == NULL) {
        (void)fputs("out of memory for the token cache\n", stderr);
        abort();
    }
    c->sets_mask = sets - 1;
    for (size_t i = 0; i < SHARDS; i++)
        (void)pthread_mutex_init(&c->shards[i].lock, NULL);
    return c;
}

void token_cache_free(struct token_cache *c)
{
    if (c == NULL)
        return;
    for (size_t i = 0; i < SHARDS; i++)
        (void)pthread_mutex_destroy(&c->shards[i].lock);
    free(c->slots);
    free(c);
}

/* A digest is its own hash. */
static uint64_t set_of(const struct token_cache *c, const struct digest *token)
{
    uint64_t h;

    memcpy(&h, token->bytes, sizeof(h));
    return h & c->sets_mask;
}

static pthread_mutex_t *lock_of(struct token_cache *c, uint64_t set)
{
    return &c->shards[set % SHARDS].lock;
}

/* Digests need no constant time here: whoever can choose the bytes knows the token. */
bool token_cache_find(struct token_cache *c, const struct digest *token, int64_t now_ms,
                      struct claims *out, int64_t *epoch)
{
    uint64_t set = set_of(c, token);
    struct slot *s = c->slots + set * WAYS;
    bool found = false;

    (void)pthread_mutex_lock(lock_of(c, set));
    for (int i = 0; i < WAYS && !found; i++, s++)
        if (now_ms < s->until_ms && memcmp(&s->token, token, sizeof(*token)) == 0) {
            *out = s->claims;
            *epoch = s->epoch;
            found = true;
        }
    (void)pthread_mutex_unlock(lock_of(c, set));
    return found;
}

/* The token's own slot, else the one that ends first. */
static struct slot *slot_for(struct slot *set, const struct digest *token)
{
    struct slot *best = set;

    for (struct slot *s = set; s < set + WAYS; s++) {
        if (memcmp(&s->token, token, sizeof(*token)) == 0)
            return s;
        if (s->until_ms < best->until_ms)
            best = s;
    }
    return best;
}

void token_cache_put(struct token_cache *c, const struct digest *token, int64_t now_ms,
                     const struct claims *claims, int64_t epoch)
{
    uint64_t set = set_of(c, token);
    int64_t until = now_ms + TOKEN_CACHE_MS;

    if (claims->expires_ms < until)
        until = claims->expires_ms;
    (void)pthread_mutex_lock(lock_of(c, set));
    *slot_for(c->slots + set * WAYS, token) =
        (struct slot){.token = *token, .until_ms = until, .epoch = epoch, .claims = *claims};
    (void)pthread_mutex_unlock(lock_of(c, set));
}

void token_cache_clear(struct token_cache *c)
{
    for (uint64_t set = 0; set <= c->sets_mask; set++) {
        (void)pthread_mutex_lock(lock_of(c, set));
        memset(c->slots + set * WAYS, 0, WAYS * sizeof(struct slot));
        (void)pthread_mutex_unlock(lock_of(c, set));
    }
}
