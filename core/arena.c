/* SPDX-License-Identifier: Apache-2.0 */
#include "core/arena.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK = 8192, ALIGN = 16 };

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

struct arena *arena_new(void)
{
    return checked(calloc(1, sizeof(struct arena)));
}

void arena_free(struct arena *a)
{
    if (a == NULL)
        return;
    for (struct owned *o = a->owned; o != NULL; o = o->older)
        o->release(o->thing);
    while (a->newest != NULL) {
        struct block *b = a->newest;

        a->newest = b->older;
        free(b);
    }
    free(a);
}

static struct block *grow(struct arena *a, size_t size)
{
    size_t room = size > BLOCK ? size : BLOCK;
    struct block *b = checked(calloc(1, sizeof(*b) + room));

    b->size = room;
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
    size = (size + ALIGN - 1) & ~(size_t)(ALIGN - 1);
    if (b == NULL || b->size - b->used < size)
        b = grow(a, size);
    memory = b->bytes + b->used;
    b->used += size;
    return memory;
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
    char *text = NULL;

    if (vasprintf(&text, format, args) < 0)
        text = NULL;
    arena_own(a, checked(text), free);
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
