/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ENGINE_TENSOR_H
#define ENGINE_TENSOR_H

#include "compute/engine/dict.h"
#include "compute/engine/onnx_names.h"

#include <stdbool.h>

enum { TENSOR_RANK = 8 };

/* A dense row-major array of at most TENSOR_RANK dimensions. */
struct tensor {
    enum element type;
    unsigned rank;
    int64_t dims[TENSOR_RANK]; /* none negative */
    size_t count;              /* their product */
    union {
        void *data;
        float *f;         /* ELEMENT_FLOAT */
        double *d;        /* ELEMENT_DOUBLE */
        int64_t *l;       /* ELEMENT_INT64 */
        int32_t *i;       /* ELEMENT_INT32 */
        unsigned char *b; /* ELEMENT_BOOL, 0 or 1 */
        struct span *s;   /* ELEMENT_STRING */
    };
};

struct shape {
    unsigned rank;
    int64_t dims[TENSOR_RANK];
};

/* Bytes of one element; 0 for a type that is not supported. */
size_t element_size(enum element type);
const char *element_name(enum element type);

/* The product of the dimensions; false when one is negative or the product overflows. */
bool shape_count(const struct shape *s, size_t *count);
/* A zeroed tensor in the pool. */
MUST_CHECK enum err tensor_new(enum element type, const struct shape *s, struct tensor **out,
                               struct pool *pool, struct refusal *why);
struct shape tensor_shape(const struct tensor *t);
bool tensor_is_number(const struct tensor *t);
/* Element i of a number or bool tensor as a double, and back (rounded to the tensor's type). */
double tensor_get(const struct tensor *t, size_t i);
void tensor_put(struct tensor *t, size_t i, double x);

#endif
