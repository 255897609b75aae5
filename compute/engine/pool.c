/* SPDX-License-Identifier: Apache-2.0 */
#include "compute/engine/pool.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { ALIGN = 64, CHUNK = 1 << 16, KEEP = 1 << 24, HUGE = 1 << 21 };

struct pool_chunk {
    struct pool_chunk *older;
    unsigned char *bytes; /* aligned */
    size_t used;
    size_t size;
    bool dirty; /* used before: no longer zero */
};

struct pool pool_new(size_t max)
{
    return (struct pool){.max = max};
}

static void drop_chunks(struct pool *p, struct pool_chunk *c)
{
    while (c != NULL) {
        struct pool_chunk *older = c->older;

        p->taken -= c->size;
        free(c);
        c = older;
    }
}

void pool_free(struct pool *p)
{
    drop_chunks(p, p->newest);
    p->newest = NULL;
}

void pool_reset(struct pool *p)
{
    struct pool_chunk *c = p->newest;

    if (c == NULL)
        return;
    if (c->size > KEEP) {
        pool_free(p);
        return;
    }
    drop_chunks(p, c->older);
    c->older = NULL;
    c->used = 0;
    c->dirty = true;
}

/* The first address from memory on that is a multiple of to. */
static void *aligned(void *memory, size_t to)
{
    size_t over = (uintptr_t)memory % to;

    return (unsigned char *)memory + (over == 0 ? 0 : to - over);
}

static struct pool_chunk *grow(struct pool *p, size_t size)
{
    size_t room = size;
    struct pool_chunk *c;

    /* doubling, so that the work of a round soon fits one chunk, which pool_reset keeps */
    if (p->newest != NULL && room < 2 * p->newest->size)
        room = 2 * p->newest->size <= KEEP ? 2 * p->newest->size : KEEP;
    if (room < CHUNK)
        room = CHUNK;
    if (room < size || room > p->max - p->taken)
        room = size;
    if (room > p->max - p->taken)
        return NULL;
    c = calloc(1, sizeof(*c) + ALIGN + room);
    if (c == NULL)
        return NULL;
    /* a matrix is read from end to end again and again: with small pages that is a quarter slower.
     * Advice may be ignored. */
    if (room >= 2 * (size_t)HUGE)
        (void)madvise(aligned(c, HUGE), room - HUGE, MADV_HUGEPAGE);
    c->bytes = aligned(c + 1, ALIGN);
    c->size = room;
    c->older = p->newest;
    p->newest = c;
    p->taken += room;
    return c;
}

void *pool_take(struct pool *p, size_t count, size_t size)
{
    struct pool_chunk *c = p->newest;
    size_t bytes;
    void *memory;

    if (__builtin_mul_overflow(count, size, &bytes) || bytes > SIZE_MAX / 4)
        return NULL;
    bytes = bytes == 0 ? ALIGN : (bytes + ALIGN - 1) & ~(size_t)(ALIGN - 1);
    if (c == NULL || c->size - c->used < bytes)
        c = grow(p, bytes);
    if (c == NULL)
        return NULL;
    memory = c->bytes + c->used;
    c->used += bytes;
    return c->dirty ? memset(memory, 0, bytes) : memory;
}

enum err pool_get(struct pool *p, size_t count, size_t size, void *out, struct refusal *why)
{
    void *memory = pool_take(p, count, size);

    memcpy(out, &memory, sizeof(memory));
    if (memory != NULL)
        return OK;
    return refuse(why, ERR_TOO_LARGE,
                  "the job needs more memory than it may have (%zu items of %zu bytes more)", count,
                  size);
}

char *pool_copy(struct pool *p, const void *data, size_t length)
{
    char *copy = pool_take(p, length + 1, 1);

    if (copy != NULL && length > 0)
        memcpy(copy, data, length);
    return copy;
}
