/* SPDX-License-Identifier: Apache-2.0 */
#include "compute/engine/operator.h"
#include "compute/engine/value.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* The same elements under another shape; data is shared, as nothing changes a tensor once made. */
static enum err reshaped(struct step *s, const struct shape *shape)
{
    size_t count;

    if (!shape_count(shape, &count) || count != s->in[0]->count)
        return step_refuse(s, "the new shape has another number of elements");
    TRY(pool_get(s->pool, 1, sizeof(*s->out[0]), &s->out[0], s->why));
    *s->out[0] = *s->in[0];
    s->out[0]->rank = shape->rank;
    memcpy(s->out[0]->dims, shape->dims, sizeof(shape->dims));
    return OK;
}

enum err op_identity(struct step *s)
{
    struct shape shape = tensor_shape(s->in[0]);

    if (s->out_count > 1)
        return step_refuse(s, "only the first output is supported");
    return reshaped(s, &shape);
}

/* What is left of it when nothing is learnt any more. */
enum err op_dropout(struct step *s)
{
    const struct tensor *training = s->in[2];

    if (training != NULL &&
        (training->type != ELEMENT_BOOL || training->count != 1 || training->b[0] != 0))
        return step_refuse(s, "training mode is not supported");
    return op_identity(s);
}

/* 0 keeps a dimension, -1 is what is left. */
enum err op_reshape(struct step *s)
{
    const struct tensor *x = s->in[0];
    struct shape shape = {0};
    struct integers dims;
    size_t known = 1;
    int free = -1;

    TRY(step_integers(s, 1, "shape", &dims));
    if (!dims.given || dims.count > TENSOR_RANK)
        return step_refuse(s, "a shape of at most 8 dimensions was expected");
    shape.rank = (unsigned)dims.count;
    for (unsigned i = 0; i < shape.rank; i++) {
        shape.dims[i] = dims.data[i];
        if (i < x->rank && dims.data[i] == 0 && step_number(s, "allowzero", 0) == 0)
            shape.dims[i] = x->dims[i];
        if (shape.dims[i] == -1 && free < 0)
            free = (int)i;
        else if (shape.dims[i] < 0 || __builtin_mul_overflow(known, (size_t)shape.dims[i], &known))
            return step_refuse(s, "the new shape is not one");
    }
    if (free >= 0)
        shape.dims[free] = known == 0 ? 0 : (int64_t)(x->count / known);
    return reshaped(s, &shape);
}

enum err op_flatten(struct step *s)
{
    const struct tensor *x = s->in[0];
    int64_t axis = step_number(s, "axis", 1);
    struct shape shape = {2, {1, 1}};

    if (axis < -(int64_t)x->rank || axis > (int64_t)x->rank)
        return step_refuse(s, "the axis is outside the rank of its tensor");
    if (axis < 0)
        axis += x->rank;
    for (unsigned i = 0; i < x->rank; i++)
        shape.dims[i >= axis] *= x->dims[i];
    return reshaped(s, &shape);
}

enum err op_squeeze(struct step *s)
{
    const struct tensor *x = s->in[0];
    bool gone[TENSOR_RANK] = {false};
    struct shape shape = {0};
    struct integers axes;
    unsigned axis;

    TRY(step_integers(s, 1, "axes", &axes));
    for (size_t i = 0; i < axes.count; i++) {
        TRY(step_axis(s, axes.data[i], x->rank, &axis));
        if (x->dims[axis] != 1)
            return step_refuse(s, "only a dimension of 1 can be squeezed");
        gone[axis] = true;
    }
    for (unsigned i = 0; i < x->rank; i++)
        if (!gone[i] && !(axes.count == 0 && x->dims[i] == 1))
            shape.dims[shape.rank++] = x->dims[i];
    return reshaped(s, &shape);
}

enum err op_unsqueeze(struct step *s)
{
    const struct tensor *x = s->in[0];
    bool added[TENSOR_RANK] = {false};
    struct shape shape = {0};
    struct integers axes;
    unsigned axis, from = 0;

    TRY(step_integers(s, 1, "axes", &axes));
    if (!axes.given || axes.count + x->rank > TENSOR_RANK)
        return step_refuse(s, "axes that leave at most 8 dimensions were expected");
    shape.rank = x->rank + (unsigned)axes.count;
    for (size_t i = 0; i < axes.count; i++) {
        TRY(step_axis(s, axes.data[i], shape.rank, &axis));
        if (added[axis])
            return step_refuse(s, "an axis stands there twice");
        added[axis] = true;
    }
    for (unsigned i = 0; i < shape.rank; i++)
        shape.dims[i] = added[i] ? 1 : x->dims[from++];
    return reshaped(s, &shape);
}

/* An index counted from the end when negative, moved into 0 … rank. */
static int64_t bounded(int64_t index, int64_t rank)
{
    if (index < 0)
        index += rank;
    return index < 0 ? 0 : index > rank ? rank : index;
}

enum err op_shape(struct step *s)
{
    const struct tensor *x = s->in[0];
    int64_t rank = x->rank;
    int64_t first = bounded(step_number(s, "start", 0), rank);
    int64_t last = bounded(step_number(s, "end", rank), rank);
    int64_t count = last > first ? last - first : 0;

    TRY(step_make(s, 0, ELEMENT_INT64, &(struct shape){1, {count}}));
    memcpy(s->out[0]->l, x->dims + first, (size_t)count * sizeof(x->dims[0]));
    return OK;
}

enum err op_size(struct step *s)
{
    TRY(step_make(s, 0, ELEMENT_INT64, &(struct shape){0}));
    s->out[0]->l[0] = (int64_t)s->in[0]->count;
    return OK;
}

enum err op_constant(struct step *s)
{
    const struct attribute *value = node_attribute(s->node, "value");
    const struct attribute *number = node_attribute(s->node, "value_int");
    const struct attribute *real = node_attribute(s->node, "value_float");

    if (value != NULL && value->tensor != NULL) {
        s->out[0] = value->tensor;
        return OK;
    }
    if (number == NULL && real == NULL)
        return step_refuse(s, "only value, value_int and value_float are supported");
    TRY(step_make(s, 0, number != NULL ? ELEMENT_INT64 : ELEMENT_FLOAT, &(struct shape){0}));
    if (number != NULL)
        s->out[0]->l[0] = number->number;
    else
        s->out[0]->f[0] = real->real;
    return OK;
}

enum err op_constant_of_shape(struct step *s)
{
    const struct attribute *value = node_attribute(s->node, "value");
    struct shape shape = {0};
    struct integers dims;

    TRY(step_integers(s, 0, "", &dims));
    if (dims.count > TENSOR_RANK)
        return step_refuse(s, "more than 8 dimensions");
    shape.rank = (unsigned)dims.count;
    if (dims.count > 0)
        memcpy(shape.dims, dims.data, dims.count * sizeof(*dims.data));
    if (value == NULL || value->tensor == NULL)
        return step_make(s, 0, ELEMENT_FLOAT, &shape);
    if (value->tensor->count != 1 || !tensor_is_number(value->tensor))
        return step_refuse(s, "one number was expected as value");
    TRY(step_make(s, 0, value->tensor->type, &shape));
    for (size_t i = 0; i < s->out[0]->count; i++)
        tensor_put(s->out[0], i, tensor_get(value->tensor, 0));
    return OK;
}

/* A string as the number it spells, infinities included; NaN when it spells none. */
static double spelled(struct span text)
{
    struct value v = value_read(text);
    bool negative = text.length > 0 && text.data[0] == '-';
    size_t sign = text.length > 0 && (negative || text.data[0] == '+') ? 1 : 0;

    if (v.kind != KIND_TEXT)
        return v.number;
    if (text.length == sign + 3 && strncasecmp(text.data + sign, "inf", 3) == 0)
        return negative ? -INFINITY : INFINITY;
    return NAN;
}

/* The shortest decimal that reads back; the specification leaves the form open, these are the words
 * of its tests. */
static size_t write_number(const struct tensor *x, size_t i, char words[VALUE_TEXT])
{
    double v = tensor_get(x, i);
    int length = 0;

    if (x->type == ELEMENT_INT64)
        return (size_t)snprintf(words, VALUE_TEXT, "%lld", (long long)x->l[i]);
    if (isnan(v) || isinf(v))
        return (size_t)snprintf(words, VALUE_TEXT, "%s", isnan(v) ? "NaN" : v > 0 ? "INF" : "-INF");
    if (x->type != ELEMENT_FLOAT)
        return value_write(v, words);
    for (int digits = 6; digits <= 9; digits++) {
        length = snprintf(words, VALUE_TEXT, "%.*g", digits, v);
        if (strtof(words, NULL) == x->f[i])
            break;
    }
    return (size_t)length;
}

static enum err to_text(struct step *s, const struct tensor *x, size_t i)
{
    char words[VALUE_TEXT];
    size_t length = write_number(x, i, words);

    s->out[0]->s[i] = (struct span){pool_copy(s->pool, words, length), length};
    return s->out[0]->s[i].data != NULL ? OK : step_refuse(s, "no memory for so many strings");
}

enum err op_cast(struct step *s)
{
    const struct tensor *x = s->in[0];
    int64_t to = step_number(s, "to", 0);
    struct shape shape = tensor_shape(x);

    if (to < 0 || to > ELEMENT_DOUBLE || element_size((enum element)to) == 0)
        return step_refuse(s, "the element type to cast to is not supported");
    if ((enum element)to == x->type)
        return reshaped(s, &shape);
    TRY(step_make(s, 0, (enum element)to, &shape));
    for (size_t i = 0; i < x->count; i++) {
        if (to == ELEMENT_STRING)
            TRY(to_text(s, x, i));
        else if (to == ELEMENT_INT64 && x->type == ELEMENT_INT32)
            s->out[0]->l[i] = x->i[i];
        else if (to == ELEMENT_INT32 && x->type == ELEMENT_INT64)
            s->out[0]->i[i] = (int32_t)x->l[i];
        else
            tensor_put(s->out[0], i,
                       x->type == ELEMENT_STRING ? spelled(x->s[i]) : tensor_get(x, i));
    }
    return OK;
}
