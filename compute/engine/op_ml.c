/* SPDX-License-Identifier: Apache-2.0 */
#include "compute/engine/operator.h"

#include <math.h>

/* The preparing operators of ai.onnx.ml that work on columns of numbers. */

static enum err need_numbers(struct step *s)
{
    if (!tensor_is_number(s->in[0]) || s->in[0]->rank == 0)
        return step_refuse(s, "a tensor of numbers was expected");
    return OK;
}

/* A list with one number for every column, or one for all. */
static enum err need_list(struct step *s, const char *name, const struct attribute **out)
{
    size_t columns = (size_t)s->in[0]->dims[s->in[0]->rank - 1];

    *out = node_attribute(s->node, name);
    if (*out != NULL && (*out)->real_count != 1 && (*out)->real_count != columns)
        return step_refuse(s, "a list is not as long as the input has columns");
    return OK;
}

static double listed(const struct attribute *a, size_t i, size_t columns, double otherwise)
{
    if (a == NULL)
        return otherwise;
    return (double)a->reals[a->real_count == 1 ? 0 : i % columns];
}

enum err op_scaler(struct step *s)
{
    const struct tensor *x = s->in[0];
    const struct attribute *offset, *scale;
    struct shape shape = tensor_shape(x);
    size_t columns;

    TRY(need_numbers(s));
    TRY(need_list(s, "offset", &offset));
    TRY(need_list(s, "scale", &scale));
    columns = (size_t)x->dims[x->rank - 1];
    TRY(step_make(s, 0, ELEMENT_FLOAT, &shape));
    for (size_t i = 0; i < x->count; i++)
        s->out[0]->f[i] = (float)((tensor_get(x, i) - listed(offset, i, columns, 0)) *
                                  listed(scale, i, columns, 1));
    return OK;
}

static enum err impute_integers(struct step *s, const struct attribute *with)
{
    const struct tensor *x = s->in[0];
    int64_t gap = step_number(s, "replaced_value_int64", 0);
    size_t columns = (size_t)x->dims[x->rank - 1];
    struct shape shape = tensor_shape(x);

    if (with == NULL || (with->number_count != 1 && with->number_count != columns))
        return step_refuse(s, "imputed_value_int64s is not as long as the input has columns");
    TRY(step_make(s, 0, x->type, &shape));
    for (size_t i = 0; i < x->count; i++)
        s->out[0]->l[i] =
            x->l[i] == gap ? with->numbers[with->number_count == 1 ? 0 : i % columns] : x->l[i];
    return OK;
}

enum err op_imputer(struct step *s)
{
    const struct tensor *x = s->in[0];
    double gap = step_real(s, "replaced_value_float", 0);
    struct shape shape = tensor_shape(x);
    const struct attribute *with;
    size_t columns;

    TRY(need_numbers(s));
    if (x->type == ELEMENT_INT64)
        return impute_integers(s, node_attribute(s->node, "imputed_value_int64s"));
    TRY(need_list(s, "imputed_value_floats", &with));
    if (with == NULL)
        return step_refuse(s, "imputed_value_floats is missing");
    columns = (size_t)x->dims[x->rank - 1];
    TRY(step_make(s, 0, x->type, &shape));
    for (size_t i = 0; i < x->count; i++) {
        double v = tensor_get(x, i);
        bool missing = isnan(gap) ? isnan(v) : v == gap;

        tensor_put(s->out[0], i, missing ? listed(with, i, columns, 0) : v);
    }
    return OK;
}

/* The norm of one row: its largest, its sum or its length. */
static double norm_of(const struct tensor *x, size_t at, size_t columns, char which)
{
    double norm = 0;

    for (size_t j = 0; j < columns; j++) {
        double v = tensor_get(x, at + j);

        if (which == 'M')
            norm = fmax(norm, fabs(v));
        else
            norm += which == '1' ? fabs(v) : v * v;
    }
    return which == '2' ? sqrt(norm) : norm;
}

enum err op_normalizer(struct step *s)
{
    const struct attribute *norm = node_attribute(s->node, "norm");
    const struct tensor *x = s->in[0];
    struct shape shape = tensor_shape(x);
    char which = 'M';
    size_t columns;

    TRY(need_numbers(s));
    if (norm != NULL && (span_is(norm->text, "L1") || span_is(norm->text, "L2")))
        which = norm->text.data[1];
    else if (norm != NULL && !span_is(norm->text, "MAX"))
        return step_refuse(s, "the norm is none of MAX, L1 and L2");
    columns = (size_t)x->dims[x->rank - 1];
    TRY(step_make(s, 0, ELEMENT_FLOAT, &shape));
    for (size_t at = 0; columns > 0 && at < x->count; at += columns) {
        double by = norm_of(x, at, columns, which);

        for (size_t j = 0; j < columns; j++)
            s->out[0]->f[at + j] = (float)(by == 0 ? 0 : tensor_get(x, at + j) / by);
    }
    return OK;
}

enum err op_binarizer(struct step *s)
{
    const struct tensor *x = s->in[0];
    double threshold = step_real(s, "threshold", 0);
    struct shape shape = tensor_shape(x);

    TRY(need_numbers(s));
    TRY(step_make(s, 0, x->type, &shape));
    for (size_t i = 0; i < x->count; i++)
        tensor_put(s->out[0], i, tensor_get(x, i) > threshold);
    return OK;
}

/* All inputs side by side, as floats. */
enum err op_feature_vectorizer(struct step *s)
{
    int64_t rows = s->in[0]->rank == 2 ? s->in[0]->dims[0] : 1, width = 0;
    size_t at = 0;

    for (size_t i = 0; i < s->in_count; i++) {
        const struct tensor *t = s->in[i];

        if (t == NULL || !tensor_is_number(t) || t->rank == 0 || t->rank > 2 ||
            (t->rank == 2 ? t->dims[0] : 1) != rows)
            return step_refuse(s, "matrices of numbers with as many rows each were expected");
        if (__builtin_add_overflow(width, t->dims[t->rank - 1], &width))
            return step_refuse(s, "the output is too large");
    }
    TRY(step_make(s, 0, ELEMENT_FLOAT, &(struct shape){2, {rows, width}}));
    for (int64_t r = 0; r < rows; r++)
        for (size_t i = 0; i < s->in_count; i++) {
            size_t columns = (size_t)s->in[i]->dims[s->in[i]->rank - 1];

            for (size_t j = 0; j < columns; j++)
                s->out[0]->f[at++] = (float)tensor_get(s->in[i], (size_t)r * columns + j);
        }
    return OK;
}
