/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ENGINE_POOL_H
#define ENGINE_POOL_H

#include "compute/engine/refuse.h"

#include <stddef.h>

/* Memory for work whose size comes from outside. Like an arena, but it has a limit in bytes and
 * says no instead of aborting: an engine that meets too large a table answers that, and does not
 * die. */
struct pool {
    struct pool_chunk *newest;
    size_t taken;
    size_t max;
};

struct pool pool_new(size_t max);
void pool_free(struct pool *p);
/* Gives back everything but one chunk, which the next round of the same work uses again. */
void pool_reset(struct pool *p);

/* count * size bytes, zeroed, aligned to 64. NULL when that overflows, passes the limit or is not
 * to be had; pool_get says so in why, naming what the memory was for. */
void *pool_take(struct pool *p, size_t count, size_t size);
MUST_CHECK enum err pool_get(struct pool *p, size_t count, size_t size, void *out,
                             struct refusal *why);
/* NUL-terminated copy, or NULL. */
char *pool_copy(struct pool *p, const void *data, size_t length);

#endif
