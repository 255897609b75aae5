/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ENGINE_BINDING_H
#define ENGINE_BINDING_H

#include "compute/engine/csv.h"
#include "compute/engine/loaded.h"

/* Which columns of a table a model's inputs are made of. Models of our own say it in their
 * metadata. A foreign one takes the column of an input's name when the input is one column wide; a
 * single input of more columns takes all of the table's, in order. */
struct bound_input {
    const struct value_info *value;
    size_t *columns; /* (width) */
    size_t width;
    bool own; /* missing text is the category "" */
};

struct binding {
    struct bound_input *inputs; /* in the model's order */
    size_t count;
};

/* ERR_CONTENT names the input or the column that is not there. */
MUST_CHECK enum err binding_make(struct binding *b, const struct loaded *l, const struct csv *c,
                                 struct pool *pool, struct refusal *why);
/* Tensors for rows rows, still empty, one an input. */
MUST_CHECK enum err binding_tensors(const struct binding *b, size_t rows, struct tensor **out,
                                    struct pool *pool, struct refusal *why);
/* Puts the table's present row in as row number row. Text is copied to the pool. ERR_CONTENT names
 * line and column of what is not the number it should be. */
MUST_CHECK enum err binding_put(const struct binding *b, const struct csv *c, size_t row,
                                struct tensor **tensors, struct pool *pool, struct refusal *why);

#endif
