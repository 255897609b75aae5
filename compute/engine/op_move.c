/* SPDX-License-Identifier: Apache-2.0 */
#include "compute/engine/operator.h"

#include <string.h>

static void copy_elements(struct tensor *to, size_t at, const struct tensor *from, size_t first,
                          size_t count)
{
    size_t size = element_size(to->type);

    if (count > 0)
        memcpy((char *)to->data + at * size, (const char *)from->data + first * size, count * size);
}

/* Elements after an axis. */
static size_t inner_of(const struct tensor *t, unsigned axis)
{
    size_t inner = 1;

    for (unsigned i = axis + 1; i < t->rank; i++)
        inner *= (size_t)t->dims[i];
    return inner;
}

static size_t outer_of(const struct tensor *t, unsigned axis)
{
    size_t outer = 1;

    for (unsigned i = 0; i < axis; i++)
        outer *= (size_t)t->dims[i];
    return outer;
}

static enum err concat_shape(struct step *s, unsigned axis, struct shape *shape)
{
    *shape = tensor_shape(s->in[0]);
    for (size_t i = 1; i < s->in_count; i++) {
        const struct tensor *t = s->in[i];

        if (t == NULL || t->type != s->in[0]->type || t->rank != shape->rank)
            return step_refuse(s, "tensors of one type and rank were expected");
        for (unsigned d = 0; d < t->rank; d++)
            if (d != axis && t->dims[d] != shape->dims[d])
                return step_refuse(s, "the shapes of the inputs do not fit each other");
        if (__builtin_add_overflow(shape->dims[axis], t->dims[axis], &shape->dims[axis]))
            return step_refuse(s, "the output is too large");
    }
    return OK;
}

enum err op_concat(struct step *s)
{
    struct shape shape;
    size_t outer, at = 0;
    unsigned axis;

    TRY(step_axis(s, step_number(s, "axis", 1), s->in[0]->rank, &axis));
    TRY(concat_shape(s, axis, &shape));
    TRY(step_make(s, 0, s->in[0]->type, &shape));
    outer = outer_of(s->in[0], axis);
    for (size_t o = 0; o < outer; o++)
        for (size_t i = 0; i < s->in_count; i++) {
            size_t run = (size_t)s->in[i]->dims[axis] * inner_of(s->in[i], axis);

            copy_elements(s->out[0], at, s->in[i], o * run, run);
            at += run;
        }
    return OK;
}

enum err op_gather(struct step *s)
{
    const struct tensor *x = s->in[0];
    struct integers at;
    struct shape shape = {0};
    size_t inner, outer;
    unsigned axis;

    TRY(step_axis(s, step_number(s, "axis", 0), x->rank, &axis));
    TRY(step_integers(s, 1, "", &at));
    if (x->rank - 1 + s->in[1]->rank > TENSOR_RANK)
        return step_refuse(s, "the output has more than 8 dimensions");
    for (unsigned i = 0; i < axis; i++)
        shape.dims[shape.rank++] = x->dims[i];
    for (unsigned i = 0; i < s->in[1]->rank; i++)
        shape.dims[shape.rank++] = s->in[1]->dims[i];
    for (unsigned i = axis + 1; i < x->rank; i++)
        shape.dims[shape.rank++] = x->dims[i];
    TRY(step_make(s, 0, x->type, &shape));
    inner = inner_of(x, axis);
    outer = outer_of(x, axis);
    for (size_t o = 0; o < outer; o++)
        for (size_t i = 0; i < at.count; i++) {
            int64_t from = at.data[i] < 0 ? at.data[i] + x->dims[axis] : at.data[i];

            if (from < 0 || from >= x->dims[axis])
                return step_refuse(s, "an index is outside the axis");
            copy_elements(s->out[0], (o * at.count + i) * inner, x,
                          (o * (size_t)x->dims[axis] + (size_t)from) * inner, inner);
        }
    return OK;
}

/* The permutation, which is the reversal when none is given. */
static enum err permutation(struct step *s, unsigned *order)
{
    const struct attribute *a = node_attribute(s->node, "perm");
    unsigned rank = s->in[0]->rank;
    bool used[TENSOR_RANK] = {false};

    for (unsigned i = 0; i < rank; i++)
        order[i] = rank - 1 - i;
    if (a == NULL)
        return OK;
    if (a->number_count != rank)
        return step_refuse(s, "perm has another length than the tensor has dimensions");
    for (unsigned i = 0; i < rank; i++) {
        TRY(step_axis(s, a->numbers[i], rank, &order[i]));
        if (used[order[i]])
            return step_refuse(s, "an axis stands twice in perm");
        used[order[i]] = true;
    }
    return OK;
}

enum err op_transpose(struct step *s)
{
    const struct tensor *x = s->in[0];
    int64_t position[TENSOR_RANK] = {0};
    size_t stride[TENSOR_RANK], from = 0;
    struct shape shape = {.rank = x->rank};
    unsigned order[TENSOR_RANK];

    TRY(permutation(s, order));
    for (unsigned i = 0; i < x->rank; i++) {
        shape.dims[i] = x->dims[order[i]];
        stride[i] = inner_of(x, order[i]);
    }
    TRY(step_make(s, 0, x->type, &shape));
    for (size_t at = 0; at < x->count; at++) {
        copy_elements(s->out[0], at, x, from, 1);
        for (unsigned i = x->rank; i-- > 0;) {
            from += stride[i];
            if (++position[i] < shape.dims[i])
                break;
            from -= stride[i] * (size_t)shape.dims[i];
            position[i] = 0;
        }
    }
    return OK;
}

/* ai.onnx.ml: columns of the last axis by number. */
enum err op_array_feature_extractor(struct step *s)
{
    const struct tensor *x = s->in[0];
    struct shape shape = tensor_shape(x);
    struct integers at;
    size_t length, rows;

    TRY(step_integers(s, 1, "", &at));
    if (x->rank == 0 || x->dims[x->rank - 1] == 0)
        return step_refuse(s, "a tensor with columns was expected");
    length = (size_t)x->dims[x->rank - 1];
    rows = x->count / length;
    if (x->rank == 1)
        shape = (struct shape){2, {1, 0}};
    shape.dims[shape.rank - 1] = (int64_t)at.count;
    TRY(step_make(s, 0, x->type, &shape));
    for (size_t i = 0; i < at.count; i++)
        if (at.data[i] < 0 || (size_t)at.data[i] >= length)
            return step_refuse(s, "an index is outside the axis");
    for (size_t r = 0; r < rows; r++)
        for (size_t i = 0; i < at.count; i++)
            copy_elements(s->out[0], r * at.count + i, x, r * length + (size_t)at.data[i], 1);
    return OK;
}
