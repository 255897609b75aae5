/* SPDX-License-Identifier: Apache-2.0 */
#include "compute/engine/elements.h"
#include "compute/engine/operator.h"

#include <math.h>

/* Functions of one number that have constants in their attributes. */

/* Runs a function of one number and one constant over the first input. */
static enum err map_with(struct step *s, double constant, double (*f)(double x, double c))
{
    struct shape shape = tensor_shape(s->in[0]);

    if (!tensor_is_number(s->in[0]))
        return step_refuse(s, "strings where numbers were expected");
    TRY(step_make(s, 0, s->in[0]->type, &shape));
    for (size_t i = 0; i < s->in[0]->count; i++)
        tensor_put(s->out[0], i, f(tensor_get(s->in[0], i), constant));
    return OK;
}

static double elu(double x, double alpha)
{
    return x < 0 ? alpha * expm1(x) : x;
}

static double celu(double x, double alpha)
{
    return x < 0 ? alpha * expm1(x / alpha) : x;
}

static double thresholded(double x, double alpha)
{
    return x > alpha ? x : 0;
}

static double gelu(double x, double unused)
{
    (void)unused;
    return 0.5 * x * (1 + erf(x / sqrt(2)));
}

static double gelu_tanh(double x, double unused)
{
    (void)unused;
    return 0.5 * x * (1 + tanh(sqrt(2 / 3.14159265358979323846) * (x + 0.044715 * x * x * x)));
}

enum err op_leaky_relu(struct step *s)
{
    return map_with(s, step_real(s, "alpha", 0.01F), leaky);
}

enum err op_elu(struct step *s)
{
    return map_with(s, step_real(s, "alpha", 1), elu);
}

enum err op_celu(struct step *s)
{
    return map_with(s, step_real(s, "alpha", 1), celu);
}

enum err op_thresholded_relu(struct step *s)
{
    return map_with(s, step_real(s, "alpha", 1), thresholded);
}

enum err op_gelu(struct step *s)
{
    const struct attribute *a = node_attribute(s->node, "approximate");
    bool fast = a != NULL && span_is(a->text, "tanh");

    return map_with(s, 0, fast ? gelu_tanh : gelu);
}

enum err op_selu(struct step *s)
{
    double gamma = step_real(s, "gamma", 1.05070102214813232421875);

    TRY(map_with(s, step_real(s, "alpha", 1.67326319217681884765625), elu));
    for (size_t i = 0; i < s->out[0]->count; i++)
        tensor_put(s->out[0], i, gamma * tensor_get(s->out[0], i));
    return OK;
}

enum err op_hard_sigmoid(struct step *s)
{
    double alpha = step_real(s, "alpha", 0.2F), beta = step_real(s, "beta", 0.5);
    struct shape shape = tensor_shape(s->in[0]);

    if (!tensor_is_number(s->in[0]))
        return step_refuse(s, "strings where numbers were expected");
    TRY(step_make(s, 0, s->in[0]->type, &shape));
    for (size_t i = 0; i < s->in[0]->count; i++)
        tensor_put(s->out[0], i, fmin(fmax(alpha * tensor_get(s->in[0], i) + beta, 0), 1));
    return OK;
}

static enum err scalar_bound(struct step *s, size_t input, double *bound)
{
    const struct tensor *t = s->in[input];

    if (t == NULL)
        return OK;
    if (!tensor_is_number(t) || t->count != 1)
        return step_refuse(s, "a bound is not one number");
    *bound = tensor_get(t, 0);
    return OK;
}

/* Bounds are attributes before operator set 11, inputs from then on. */
enum err op_clip(struct step *s)
{
    double low = step_real(s, "min", -INFINITY), high = step_real(s, "max", INFINITY);
    struct shape shape = tensor_shape(s->in[0]);

    if (!tensor_is_number(s->in[0]))
        return step_refuse(s, "strings where numbers were expected");
    TRY(scalar_bound(s, 1, &low));
    TRY(scalar_bound(s, 2, &high));
    TRY(step_make(s, 0, s->in[0]->type, &shape));
    for (size_t i = 0; i < s->in[0]->count; i++) {
        double x = tensor_get(s->in[0], i);

        x = x < low ? low : x;
        tensor_put(s->out[0], i, x > high ? high : x);
    }
    return OK;
}
