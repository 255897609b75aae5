/* SPDX-License-Identifier: Apache-2.0 */
#include "compute/engine/broadcast.h"
#include "compute/engine/operator.h"

#include <math.h>

static bool is_integer(const struct tensor *t)
{
    return t->type == ELEMENT_INT64 || t->type == ELEMENT_INT32;
}

static int64_t get_integer(const struct tensor *t, size_t i)
{
    return t->type == ELEMENT_INT64 ? t->l[i] : t->i[i];
}

static void put_integer(struct tensor *t, size_t i, int64_t x)
{
    if (t->type == ELEMENT_INT64)
        t->l[i] = x;
    else if (t->type == ELEMENT_INT32)
        t->i[i] = (int32_t)x;
    else
        t->b[i] = x != 0;
}

static enum err map(struct step *s, enum element type)
{
    const struct tensor *x = s->in[0];
    struct shape shape = tensor_shape(x);
    double (*f)(double) = s->node->op->unary;

    if (!tensor_is_number(x))
        return step_refuse(s, "strings where numbers were expected");
    TRY(step_make(s, 0, type, &shape));
    for (size_t i = 0; i < x->count; i++)
        tensor_put(s->out[0], i, f(tensor_get(x, i)));
    return OK;
}

enum err op_unary(struct step *s)
{
    return map(s, s->in[0]->type);
}

enum err op_unary_bool(struct step *s)
{
    return map(s, ELEMENT_BOOL);
}

/* out = f(a, b) over what they broadcast to. */
static enum err combine(struct step *s, const struct tensor *a, const struct tensor *b,
                        enum element type, struct tensor **out)
{
    const struct onnx_op *op = s->node->op;
    const struct tensor *parts[] = {a, b};
    bool integers = op->integer != NULL && is_integer(a) && is_integer(b);
    struct broadcast w;

    if (!tensor_is_number(a) || !tensor_is_number(b))
        return step_refuse(s, "strings where numbers were expected");
    TRY(broadcast_begin(&w, s, parts, 2));
    TRY(tensor_new(type, &w.shape, out, s->pool, s->why));
    for (size_t i = 0; i < (*out)->count; i++, broadcast_next(&w))
        if (integers)
            put_integer(*out, i, op->integer(get_integer(a, w.at[0]), get_integer(b, w.at[1])));
        else
            tensor_put(*out, i, op->binary(tensor_get(a, w.at[0]), tensor_get(b, w.at[1])));
    return OK;
}

static enum err need_two(struct step *s)
{
    return s->in_count >= 2 && s->in[1] != NULL ? OK : step_refuse(s, "an input is missing");
}

enum err op_binary(struct step *s)
{
    TRY(need_two(s));
    return combine(s, s->in[0], s->in[1], s->in[0]->type, &s->out[0]);
}

enum err op_compare(struct step *s)
{
    TRY(need_two(s));
    return combine(s, s->in[0], s->in[1], ELEMENT_BOOL, &s->out[0]);
}

/* Min, Max, Sum and Mean of any number of tensors. */
enum err op_variadic(struct step *s)
{
    struct tensor *sum = s->in[0];

    for (size_t i = 1; i < s->in_count; i++) {
        if (s->in[i] == NULL)
            return step_refuse(s, "an input is missing");
        TRY(combine(s, sum, s->in[i], sum->type, &sum));
    }
    s->out[0] = sum;
    if (s->node->op->integer != NULL || s->in_count == 1)
        return OK;
    for (size_t i = 0; i < sum->count; i++) /* Mean */
        tensor_put(sum, i, tensor_get(sum, i) / (double)s->in_count);
    return OK;
}

enum err op_where(struct step *s)
{
    const struct tensor *c = s->in[0], *a = s->in[1], *b = s->in[2];
    const struct tensor *parts[] = {c, a, b};
    struct broadcast w;

    if (c->type != ELEMENT_BOOL || a->type != b->type)
        return step_refuse(s, "a bool and two tensors of one type were expected");
    TRY(broadcast_begin(&w, s, parts, 3));
    TRY(step_make(s, 0, a->type, &w.shape));
    for (size_t i = 0; i < s->out[0]->count; i++, broadcast_next(&w)) {
        const struct tensor *from = c->b[w.at[0]] ? a : b;
        size_t at = c->b[w.at[0]] ? w.at[1] : w.at[2];

        if (a->type == ELEMENT_STRING)
            s->out[0]->s[i] = from->s[at];
        else if (is_integer(a))
            put_integer(s->out[0], i, get_integer(from, at));
        else
            tensor_put(s->out[0], i, tensor_get(from, at));
    }
    return OK;
}
