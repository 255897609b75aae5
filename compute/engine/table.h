/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ENGINE_TABLE_H
#define ENGINE_TABLE_H

#include "compute/engine/csv.h"
#include "compute/engine/value.h"

enum { TABLE_MAX_CATEGORIES = 1000 };

#define NO_CATEGORY UINT32_MAX

/* One column in memory. Numbers and booleans are doubles with NaN for what is missing; text is the
 * number of its category, of which there are at most TABLE_MAX_CATEGORIES, in byte order. */
struct column {
    struct span name;
    enum kind kind;
    size_t missing;
    double *number;          /* (rows), or NULL for text */
    uint32_t *code;          /* (rows), or NULL; NO_CATEGORY where missing */
    struct span *categories; /* (category_count) */
    size_t category_count;
    size_t first_missing_line;
    size_t place; /* in the file, from 0 */
};

struct table {
    size_t rows;
    size_t columns;
    struct column *column; /* (columns), as they were asked for */
};

/* Reads the named columns (all of them when names is NULL) in two passes: kinds first, then values.
 * Everything is the pool's. A kind of KIND_MISSING is a column without any value. */
MUST_CHECK enum err table_load(struct table *t, int fd, const struct dict *names, struct pool *pool,
                               struct refusal *why);

#endif
