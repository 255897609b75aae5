/* SPDX-License-Identifier: Apache-2.0 */
#include "compute/engine/operator.h"

#include <math.h>

/* Normalisation by statistics that are given (BatchNormalization) or taken (LayerNormalization). */

static enum err need_vector(struct step *s, size_t input, size_t length)
{
    const struct tensor *t = s->in[input];

    if (t == NULL || !tensor_is_number(t) || t->count != length)
        return step_refuse(s, "an input does not have one number for each channel");
    return OK;
}

enum err op_batch_normalization(struct step *s)
{
    const struct tensor *x = s->in[0];
    double epsilon = step_real(s, "epsilon", 1e-5F);
    struct shape shape = tensor_shape(x);
    size_t channels, inner = 1;

    if (!tensor_is_number(x) || x->rank < 2 || step_number(s, "training_mode", 0) != 0 ||
        s->out_count > 1)
        return step_refuse(s, "channels of numbers, outside training, were expected");
    channels = (size_t)x->dims[1];
    for (size_t i = 1; i < 5; i++)
        TRY(need_vector(s, i, channels));
    for (unsigned d = 2; d < x->rank; d++)
        inner *= (size_t)x->dims[d];
    TRY(step_make(s, 0, x->type, &shape));
    for (size_t i = 0; i < x->count; i++) {
        size_t c = i / inner % channels;
        double scale = tensor_get(s->in[1], c) / sqrt(tensor_get(s->in[4], c) + epsilon);

        tensor_put(s->out[0], i,
                   (tensor_get(x, i) - tensor_get(s->in[3], c)) * scale + tensor_get(s->in[2], c));
    }
    return OK;
}

/* One line of numbers, to mean 0 and deviation 1, then scaled and moved. */
static void normalise(struct step *s, size_t at, size_t length, double epsilon)
{
    const struct tensor *x = s->in[0], *scale = s->in[1], *bias = s->in[2];
    double mean = 0, spread = 0;

    for (size_t i = 0; i < length; i++)
        mean += tensor_get(x, at + i) / (double)length;
    for (size_t i = 0; i < length; i++) {
        double d = tensor_get(x, at + i) - mean;

        spread += d * d / (double)length;
    }
    for (size_t i = 0; i < length; i++) {
        double v = (tensor_get(x, at + i) - mean) / sqrt(spread + epsilon);

        v *= tensor_get(scale, scale->count == 1 ? 0 : i);
        tensor_put(s->out[0], at + i,
                   v + (bias == NULL ? 0 : tensor_get(bias, bias->count == 1 ? 0 : i)));
    }
}

enum err op_layer_normalization(struct step *s)
{
    const struct tensor *x = s->in[0];
    double epsilon = step_real(s, "epsilon", 1e-5F);
    struct shape shape = tensor_shape(x);
    size_t length = 1;
    unsigned axis;

    if (!tensor_is_number(x) || s->out_count > 1)
        return step_refuse(s, "numbers and a single output were expected");
    TRY(step_axis(s, step_number(s, "axis", -1), x->rank, &axis));
    for (unsigned d = axis; d < x->rank; d++)
        length *= (size_t)x->dims[d];
    if (s->in[1]->count != 1)
        TRY(need_vector(s, 1, length));
    if (s->in[2] != NULL && s->in[2]->count != 1)
        TRY(need_vector(s, 2, length));
    if (!tensor_is_number(s->in[1]) || (s->in[2] != NULL && !tensor_is_number(s->in[2])))
        return step_refuse(s, "strings where numbers were expected");
    TRY(step_make(s, 0, x->type, &shape));
    for (size_t at = 0; length > 0 && at < x->count; at += length)
        normalise(s, at, length, epsilon);
    return OK;
}
