/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REGISTRY_FILTER_H
#define REGISTRY_FILTER_H

#include "core/arena.h"
#include "core/err.h"
#include "core/field.h"

/* The search language of MLflow's clients (mlflow/utils/search_utils.py): clauses joined by AND,
 * each [entity.]key operator value A key may stand in backticks or double quotes. Values are quoted
 * texts, numbers, or lists of texts in parentheses. What entities and keys there are is the
 * searcher's to say. */

enum { FILTER_TEXT_MAX = 65536, FILTER_CLAUSES_MAX = 40, FILTER_ITEMS_MAX = 1000 };

enum filter_op {
    FILTER_EQ,
    FILTER_NE,
    FILTER_LT,
    FILTER_LE,
    FILTER_GT,
    FILTER_GE,
    FILTER_LIKE,
    FILTER_ILIKE,
    FILTER_IN,
    FILTER_NOT_IN,
    FILTER_RLIKE, /* a POSIX regular expression */
    FILTER_NULL,
    FILTER_NOT_NULL,
};

/* NOTHING goes with IS NULL and IS NOT NULL, and with nothing else. */
enum filter_value { FILTER_STRING, FILTER_NUMBER, FILTER_LIST, FILTER_NOTHING };

struct filter_clause {
    const char *entity; /* before the first dot, "" for none */
    const char *key;
    enum filter_op op;
    enum filter_value type;
    const char *text; /* STRING: its text; NUMBER: as it was written */
    double number;
    struct texts list;
};

struct filter {
    struct filter_clause clauses[FILTER_CLAUSES_MAX];
    size_t count;
};

/* An empty or NULL text has no clauses. ERR_INVALID with *why, a sentence in the arena. */
MUST_CHECK enum err filter_parse(struct arena *a, const char *text, struct filter *out,
                                 const char **why);

/* "metrics.loss DESC", "start_time". */
struct filter_order {
    const char *entity;
    const char *key;
    bool descending;
};
MUST_CHECK enum err filter_order_parse(struct arena *a, const char *text, struct filter_order *out,
                                       const char **why);

#endif
