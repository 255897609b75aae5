/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ENGINE_SUMMARY_H
#define ENGINE_SUMMARY_H

#include "compute/engine/value.h"

#include <jansson.h>

enum { SUMMARY_DISTINCT = 1000, SUMMARY_TOP = 10, SUMMARY_KEY = 120 };

/* What is known of a column after some of its cells have been seen once, in bounded memory. */
struct summary {
    struct span name;
    enum kind kind;
    size_t cells;
    size_t missing;
    double min;
    double max;
    long double sum;
    struct dict distinct; /* values, or the beginning and hash of long ones */
    size_t *counts;       /* (SUMMARY_DISTINCT), of the distinct values */
    bool capped;          /* there are more than distinct holds */
    bool cut;             /* some values were too long to be kept whole */
};

/* The pool holds what is remembered; when it is full, counting distinct values stops (capped). */
MUST_CHECK enum err summary_new(struct summary *s, struct span name, struct pool *pool,
                                struct refusal *why);
void summary_add(struct summary *s, struct span cell);
/* {"name","type","missing","distinct",…} */
json_t *summary_json(const struct summary *s);

#endif
