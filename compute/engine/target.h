/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ENGINE_TARGET_H
#define ENGINE_TARGET_H

#include "compute/engine/table.h"

enum { TARGET_MAX_CLASSES = 1000 };

/* What is to be predicted, as a classifier sees it: rising integers, or texts in byte order. */
struct target {
    const uint32_t *code; /* (rows), below classes */
    size_t classes;
    int64_t *number;         /* (classes), or NULL */
    const struct span *text; /* (classes), or NULL */
};

/* ERR_CONTENT for a column that a classifier cannot take: it says why. */
MUST_CHECK enum err target_classes(struct target *t, const struct column *c, size_t rows,
                                   struct pool *pool, struct refusal *why);
/* ERR_CONTENT naming the line when a value is missing, or when the column is not numbers. */
MUST_CHECK enum err target_numbers(const struct column *c, struct refusal *why);

#endif
