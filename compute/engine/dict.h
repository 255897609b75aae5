/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ENGINE_DICT_H
#define ENGINE_DICT_H

#include "compute/engine/pool.h"
#include "core/protobuf.h"

#include <stdint.h>

int span_compare(struct span a, struct span b);
/* Whether s is the NUL-terminated text. */
int span_is(struct span s, const char *text);

/* Distinct byte strings, numbered 0, 1, … in the order they were first seen, up to max. */
struct dict {
    struct span *keys; /* (count), copies in the pool */
    size_t count;
    size_t max;
    size_t room;
    uint32_t *slots; /* index + 1; 0 is free */
    size_t slot_count;
    struct pool *pool;
};

enum { DICT_NONE = -1, DICT_FULL = -2, DICT_NO_MEMORY = -3 };

struct dict dict_new(struct pool *pool, size_t max);
/* The number of key, or DICT_NONE. */
long dict_find(const struct dict *d, struct span key);
/* The number of key, added when new; DICT_FULL or DICT_NO_MEMORY when it cannot be. */
long dict_add(struct dict *d, struct span key);

#endif
