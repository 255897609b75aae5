/* SPDX-License-Identifier: Apache-2.0 */
#include "core/arena.h"

#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK = 8192 - 64, ALIGN = 16, SPARE_MAX = 32 };

/* bytes past used are of no definite value: memory is zeroed when it is given out. */
struct block {
    struct block *older;
    size_t used;
    size_t size;
    _Alignas(ALIGN) unsigned char bytes[];
};

struct owned {
    struct owned *older;
    void *thing;
    void (*release)(void *);
};

/* It lies in its own oldest block. */
struct arena {
    struct block *newest;
    struct owned *owned;
};

static void *checked(void *memory)
{
    if (memory == NULL) {
        (void)fputs("out of memory\n", stderr);
        abort();
    }
    return memory;
}

/* Blocks for the next requests of this thread. They come and go thousands of times a second, and
 * are of a size for which malloc takes a lock and merges what is free. The sanitizers must see
 * every block freed, so there nothing is spared. */
struct spares {
    struct block *first;
    unsigned count;
};

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SPARE_NOTHING
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SPARE_NOTHING
#endif
#endif

#ifdef SPARE_NOTHING

static struct spares *spares_of_thread(void)
{
    return NULL;
}

#else

static pthread_key_t spares_key;
static pthread_once_t spares_once = PTHREAD_ONCE_INIT;
static _Thread_local struct spares *spares;

static void spares_free(void *of_thread)
{
    struct spares *s = of_thread;

    while (s->first != NULL) {
        struct block *b = s->first;

        s->first = b->older;
        free(b);
    }
    free(s);
    spares = NULL;
}

static void spares_make_key(void)
{
    if (pthread_key_create(&spares_key, spares_free) != 0)
        checked(NULL);
}

/* Ends with its thread. NULL when that cannot be arranged: then nothing is spared. */
static struct spares *spares_of_thread(void)
{
    if (spares != NULL)
        return spares;
    (void)pthread_once(&spares_once, spares_make_key);
    spares = calloc(1, sizeof(*spares));
    if (spares != NULL && pthread_setspecific(spares_key, spares) != 0) {
        free(spares);
        spares = NULL;
    }
    return spares;
}

#endif

static struct block *block_new(size_t size)
{
    struct spares *s = size == BLOCK ? spares_of_thread() : NULL;
    struct block *b = s == NULL ? NULL : s->first;

    if (b != NULL) {
        s->first = b->older;
        s->count--;
    } else {
        b = checked(malloc(sizeof(*b) + size));
    }
    *b = (struct block){.size = size};
    return b;
}

static void block_free(struct block *b)
{
    struct spares *s = b->size == BLOCK ? spares_of_thread() : NULL;

    if (s == NULL || s->count == SPARE_MAX) {
        free(b);
        return;
    }
    b->older = s->first;
    s->first = b;
    s->count++;
}

static size_t aligned(size_t size)
{
    return (size + ALIGN - 1) & ~(size_t)(ALIGN - 1);
}

struct arena *arena_new(void)
{
    struct block *b = block_new(BLOCK);
    struct arena *a = (struct arena *)(void *)b->bytes;

    b->used = aligned(sizeof(*a));
    *a = (struct arena){.newest = b};
    return a;
}

void arena_free(struct arena *a)
{
    struct block *b;

    if (a == NULL)
        return;
    for (struct owned *o = a->owned; o != NULL; o = o->older)
        o->release(o->thing);
    b = a->newest;
    while (b != NULL) {
        struct block *older = b->older;

        block_free(b);
        b = older;
    }
}

static struct block *grow(struct arena *a, size_t size)
{
    struct block *b = block_new(size > BLOCK ? size : BLOCK);

    b->older = a->newest;
    a->newest = b;
    return b;
}

void *arena_alloc(struct arena *a, size_t size)
{
    struct block *b = a->newest;
    void *memory;

    if (size > SIZE_MAX / 2)
        checked(NULL);
    size = aligned(size);
    if (b->size - b->used < size)
        b = grow(a, size);
    memory = b->bytes + b->used;
    b->used += size;
    return memset(memory, 0, size);
}

void arena_own(struct arena *a, void *thing, void (*release)(void *))
{
    struct owned *o;

    if (thing == NULL)
        return;
    o = arena_alloc(a, sizeof(*o));
    *o = (struct owned){.older = a->owned, .thing = thing, .release = release};
    a->owned = o;
}

char *arena_copy(struct arena *a, const char *text, size_t length)
{
    char *copy = arena_alloc(a, length + 1);

    if (length > 0)
        memcpy(copy, text, length);
    return copy;
}

char *arena_text(struct arena *a, const char *text)
{
    return text == NULL ? NULL : arena_copy(a, text, strlen(text));
}

char *arena_vprintf(struct arena *a, const char *format, va_list args)
{
    struct block *b = a->newest;
    size_t room = b->size - b->used;
    va_list again;
    char *text = (char *)b->bytes + b->used;
    int length;

    va_copy(again, args);
    length = vsnprintf(text, room, format, args);
    if (length < 0)
        checked(NULL);
    if ((size_t)length < room) {
        b->used += aligned((size_t)length + 1) < room ? aligned((size_t)length + 1) : room;
    } else {
        text = arena_alloc(a, (size_t)length + 1);
        (void)vsnprintf(text, (size_t)length + 1, format, again);
    }
    va_end(again);
    return text;
}

char *arena_printf(struct arena *a, const char *format, ...)
{
    va_list args;
    char *text;

    va_start(args, format);
    text = arena_vprintf(a, format, args);
    va_end(args);
    return text;
}
