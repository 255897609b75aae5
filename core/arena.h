/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_ARENA_H
#define CORE_ARENA_H

#include <stdarg.h>
#include <stddef.h>

/* Memory that lives exactly as long as one request. Nothing taken from an arena is freed by
 * itself; arena_free ends it all, newest first. Allocation never fails: out of memory aborts, so
 * sizes that come from outside are bounded before they get here. One thread at a time. */
struct arena;

struct arena *arena_new(void);
void arena_free(struct arena *a);

/* Zeroed, aligned for any type. */
void *arena_alloc(struct arena *a, size_t size);
char *arena_copy(struct arena *a, const char *text, size_t length);
/* NULL stays NULL. */
char *arena_text(struct arena *a, const char *text);
char *arena_printf(struct arena *a, const char *format, ...) __attribute__((format(printf, 2, 3)));
char *arena_vprintf(struct arena *a, const char *format, va_list args)
    __attribute__((format(printf, 2, 0)));

/* Hand an outside resource (PGresult, json_t, FILE) to the arena, which calls release(thing). */
void arena_own(struct arena *a, void *thing, void (*release)(void *));

#endif
