/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ENGINE_ENCODER_H
#define ENGINE_ENCODER_H

#include "compute/engine/table.h"

/* One feature, and how its column becomes numbers. Numbers are imputed by the mean of the training
 * rows and standardised; text becomes one 0/1 column a category, all 0 for an unknown one. When
 * text was missing in training, that is the category "". */
struct feature {
    struct span name;
    enum kind kind;
    size_t column; /* in the table */
    size_t at;     /* first column of the matrix */
    double mean;
    double scale; /* population standard deviation after imputation; 1 for a constant */
    struct span *categories;
    size_t width; /* columns of the matrix */
};

struct encoder {
    struct feature *features; /* (count), numbers first, each kind in the table's order */
    size_t count;
    size_t numbers; /* how many of them are numbers */
    size_t width;
};

struct matrix {
    size_t rows;
    size_t columns;
    double *data; /* (rows, columns) row-major, aligned to 64 */
};

/* Some rows of a table, by number. */
struct rows {
    const struct table *table;
    const uint32_t *row; /* (count) */
    size_t count;
};

/* Learns from those rows; the column number target is left out. ERR_CONTENT names a column without
 * any value in them. */
MUST_CHECK enum err encoder_learn(struct encoder *e, const struct rows *rows, size_t target,
                                  struct pool *pool, struct refusal *why);
MUST_CHECK enum err encoder_apply(const struct encoder *e, const struct rows *rows,
                                  struct matrix *out, struct pool *pool, struct refusal *why);

#endif
