/* SPDX-License-Identifier: Apache-2.0 */
#include "lineage/privacy/key_cache.h"

#include <openssl/crypto.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

struct slot {
    struct digest name; /* of tenant and subject */
    struct subject_key key;
    int64_t since_ms;
    bool used;
};

static struct {
    pthread_mutex_t lock;
    struct slot
        *slots; /* KEY_CACHE_SLOTS of them, on pages of their own; NULL: there is no memory */
} cache = {.lock = PTHREAD_MUTEX_INITIALIZER};
static pthread_once_t once = PTHREAD_ONCE_INIT;

/* Where limits are tight, pages that cannot be locked still serve. */
static void make_pages(void)
{
    size_t size = KEY_CACHE_SLOTS * sizeof(struct slot);
    void *pages = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (pages == MAP_FAILED)
        return;
    (void)mlock(pages, size);
    (void)madvise(pages, size, MADV_DONTDUMP);
    (void)madvise(pages, size, MADV_WIPEONFORK);
    cache.slots = pages;
}

static struct digest name_of(const char *tenant, const char *subject)
{
    char name[256];
    int length = snprintf(name, sizeof(name), "%s|%s", tenant, subject);

    return sha256_of(name, length < (int)sizeof(name) ? (size_t)length : sizeof(name) - 1);
}

static struct slot *slot_of(const struct digest *name)
{
    return &cache.slots[(size_t)(name->bytes[0] << 8 | name->bytes[1]) % KEY_CACHE_SLOTS];
}

static void wipe(struct slot *s)
{
    OPENSSL_cleanse(s, sizeof(*s));
}

/* Locks the cache; NULL, and not locked, when there is none. */
static struct slot *enter(const struct digest *name)
{
    (void)pthread_once(&once, make_pages);
    if (cache.slots == NULL)
        return NULL;
    (void)pthread_mutex_lock(&cache.lock);
    return slot_of(name);
}

bool key_cache_find(const char *tenant, const char *subject, struct subject_key *out)
{
    struct digest name = name_of(tenant, subject);
    struct slot *s = enter(&name);
    bool found;

    if (s == NULL)
        return false;
    found = s->used && memcmp(&s->name, &name, sizeof(name)) == 0 &&
            time_steady_ms() - s->since_ms < KEY_CACHE_MS;
    if (found)
        *out = s->key;
    (void)pthread_mutex_unlock(&cache.lock);
    return found;
}

void key_cache_put(const char *tenant, const char *subject, const struct subject_key *key)
{
    struct digest name = name_of(tenant, subject);
    struct slot *s = enter(&name);

    if (s == NULL)
        return;
    *s = (struct slot){.name = name, .key = *key, .since_ms = time_steady_ms(), .used = true};
    (void)pthread_mutex_unlock(&cache.lock);
}

void key_cache_forget(const char *tenant, const char *subject)
{
    struct digest name = name_of(tenant, subject);
    struct slot *s = enter(&name);

    if (s == NULL)
        return;
    if (memcmp(&s->name, &name, sizeof(name)) == 0)
        wipe(s);
    (void)pthread_mutex_unlock(&cache.lock);
}

void key_cache_sweep(int64_t ms)
{
    const struct digest first = {.bytes = {0}};
    int64_t now = time_steady_ms();

    if (enter(&first) == NULL)
        return;
    for (size_t i = 0; i < KEY_CACHE_SLOTS; i++)
        if (cache.slots[i].used && now - cache.slots[i].since_ms >= ms)
            wipe(&cache.slots[i]);
    (void)pthread_mutex_unlock(&cache.lock);
}
