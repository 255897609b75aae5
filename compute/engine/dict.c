/* SPDX-License-Identifier: Apache-2.0 */
#include "compute/engine/dict.h"

#include <stdbool.h>
#include <string.h>

int span_compare(struct span a, struct span b)
{
    size_t shorter = a.length < b.length ? a.length : b.length;
    int order = shorter == 0 ? 0 : memcmp(a.data, b.data, shorter);

    if (order != 0)
        return order;
    return (a.length > b.length) - (a.length < b.length);
}

int span_is(struct span s, const char *text)
{
    return s.length == strlen(text) && (s.length == 0 || memcmp(s.data, text, s.length) == 0);
}

struct dict dict_new(struct pool *pool, size_t max)
{
    return (struct dict){.pool = pool, .max = max};
}

/* FNV-1a with a final mix, so that the low bits that pick a slot depend on every byte. */
static uint64_t hash(struct span key)
{
    uint64_t h = 0xcbf29ce484222325U;

    for (size_t i = 0; i < key.length; i++)
        h = (h ^ (unsigned char)key.data[i]) * 0x100000001b3U;
    h ^= h >> 32;
    h *= 0x9e3779b97f4a7c15U;
    return h ^ (h >> 29);
}

/* The slot that holds key, or the free one where it belongs. */
static size_t slot_of(const struct dict *d, struct span key)
{
    size_t s = (size_t)hash(key) & (d->slot_count - 1);

    while (d->slots[s] != 0 && span_compare(d->keys[d->slots[s] - 1], key) != 0)
        s = (s + 1) & (d->slot_count - 1);
    return s;
}

long dict_find(const struct dict *d, struct span key)
{
    if (d->slot_count == 0)
        return DICT_NONE;
    return (long)d->slots[slot_of(d, key)] - 1;
}

/* Room for one key more, with at least half the slots free. */
static bool make_room(struct dict *d)
{
    size_t room = d->room == 0 ? 8 : 2 * d->room;
    struct span *keys;
    uint32_t *slots;

    if (d->count < d->room)
        return true;
    keys = pool_take(d->pool, room, sizeof(*keys));
    slots = pool_take(d->pool, 2 * room, sizeof(*slots));
    if (keys == NULL || slots == NULL)
        return false;
    if (d->count > 0)
        memcpy(keys, d->keys, d->count * sizeof(*keys));
    d->keys = keys;
    d->slots = slots;
    d->room = room;
    d->slot_count = 2 * room;
    for (size_t i = 0; i < d->count; i++)
        d->slots[slot_of(d, d->keys[i])] = (uint32_t)i + 1;
    return true;
}

long dict_add(struct dict *d, struct span key)
{
    long known = dict_find(d, key);
    struct span copy = {.length = key.length};

    if (known >= 0)
        return known;
    if (d->count >= d->max)
        return DICT_FULL;
    copy.data = pool_copy(d->pool, key.data, key.length);
    if (copy.data == NULL || !make_room(d))
        return DICT_NO_MEMORY;
    d->slots[slot_of(d, copy)] = (uint32_t)d->count + 1;
    d->keys[d->count] = copy;
    return (long)d->count++;
}
