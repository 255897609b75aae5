/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ENGINE_SPLIT_H
#define ENGINE_SPLIT_H

#include "compute/engine/pool.h"

#include <stdint.h>

/* SplitMix64 (Steele, Lea, Flood 2014): small, and the same on every machine. */
uint64_t random_next(uint64_t *state);

/* Rows to learn from and rows held out, each in rising order. */
struct split {
    uint32_t *train; /* (train_count) */
    uint32_t *test;  /* (test_count) */
    size_t train_count;
    size_t test_count;
};

struct split_plan {
    size_t rows;
    const uint32_t *classes; /* (rows), below class_count; NULL to take all rows as one class */
    size_t class_count;
    double fraction; /* of every class to hold out, 0 … 0.9 */
    uint64_t seed;
};

/* Holds out round(fraction * members) of every class, the same ones for the same seed; a class
 * keeps at least one row. */
MUST_CHECK enum err split_rows(struct split *s, const struct split_plan *plan, struct pool *pool,
                               struct refusal *why);

#endif
