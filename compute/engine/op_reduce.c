/* SPDX-License-Identifier: Apache-2.0 */
#include "compute/engine/operator.h"

#include <math.h>

/* How numbers become one: begin with start, take each in, finish at the end. */
struct reduction {
    double start;
    double (*take)(double sum, double x);
    double (*finish)(double sum, double count);
};

static double take_sum(double sum, double x)
{
    return sum + x;
}

static double take_max(double sum, double x)
{
    return isnan(x) || x > sum ? x : sum;
}

static double take_min(double sum, double x)
{
    return isnan(x) || x < sum ? x : sum;
}

static double take_absolute(double sum, double x)
{
    return sum + fabs(x);
}

static double take_square(double sum, double x)
{
    return sum + x * x;
}

static double take_product(double product, double x)
{
    return product * x;
}

static double finish_nothing(double sum, double count)
{
    (void)count;
    return sum;
}

static double finish_mean(double sum, double count)
{
    return sum / count;
}

static double finish_log(double sum, double count)
{
    (void)count;
    return log(sum);
}

static double finish_root(double sum, double count)
{
    (void)count;
    return sqrt(sum);
}

/* Which axes go, and where each element of the input is summed. */
struct plan {
    bool gone[TENSOR_RANK];
    struct shape shape; /* of the output */
    size_t stride[TENSOR_RANK];
    size_t merged; /* elements that become one */
};

static enum err find_axes(struct step *s, struct plan *p)
{
    const struct tensor *x = s->in[0];
    struct integers axes;
    unsigned axis;

    TRY(step_integers(s, 1, "axes", &axes));
    for (unsigned i = 0; i < x->rank; i++)
        p->gone[i] = axes.count == 0 && step_number(s, "noop_with_empty_axes", 0) == 0;
    for (size_t i = 0; i < axes.count; i++) {
        TRY(step_axis(s, axes.data[i], x->rank, &axis));
        p->gone[axis] = true;
    }
    return OK;
}

static void find_shape(const struct tensor *x, struct plan *p, bool keep)
{
    size_t stride = 1;

    p->merged = 1;
    for (unsigned i = x->rank; i-- > 0;) {
        p->stride[i] = p->gone[i] ? 0 : stride;
        stride *= p->gone[i] ? 1 : (size_t)x->dims[i];
        p->merged *= p->gone[i] ? (size_t)x->dims[i] : 1;
    }
    for (unsigned i = 0; i < x->rank; i++)
        if (!p->gone[i] || keep)
            p->shape.dims[p->shape.rank++] = p->gone[i] ? 1 : x->dims[i];
}

/* Where the element after the one at position is summed. */
static size_t next_sum(const struct tensor *x, const struct plan *p, int64_t *position, size_t at)
{
    for (unsigned i = x->rank; i-- > 0;) {
        at += p->stride[i];
        if (++position[i] < x->dims[i])
            return at;
        at -= p->stride[i] * (size_t)x->dims[i];
        position[i] = 0;
    }
    return at;
}

static void accumulate(const struct tensor *x, const struct plan *p, const struct reduction *r,
                       double *sums)
{
    int64_t position[TENSOR_RANK] = {0};
    size_t at = 0;

    for (size_t i = 0; i < x->count; i++) {
        sums[at] = r->take(sums[at], tensor_get(x, i));
        at = next_sum(x, p, position, at);
    }
}

/* The sums before they are finished; NULL when that was refused. */
static double *sums_of(struct step *s, struct plan *p, const struct reduction *r)
{
    double *sums;
    size_t count;

    if (!tensor_is_number(s->in[0])) {
        (void)!step_refuse(s, "strings where numbers were expected");
        return NULL;
    }
    if (find_axes(s, p) != OK)
        return NULL;
    find_shape(s->in[0], p, step_number(s, "keepdims", 1) != 0);
    if (!shape_count(&p->shape, &count)) {
        (void)!step_refuse(s, "the output is too large");
        return NULL;
    }
    if (pool_get(s->pool, count, sizeof(*sums), &sums, s->why) != OK)
        return NULL;
    for (size_t i = 0; i < count; i++)
        sums[i] = r->start;
    accumulate(s->in[0], p, r, sums);
    return sums;
}

static enum err reduce(struct step *s, struct reduction r)
{
    struct plan p = {0};
    double *sums;

    sums = sums_of(s, &p, &r);
    if (sums == NULL)
        return s->why->code;
    TRY(step_make(s, 0, s->in[0]->type, &p.shape));
    for (size_t i = 0; i < s->out[0]->count; i++)
        tensor_put(s->out[0], i, r.finish(sums[i], (double)p.merged));
    return OK;
}

enum err op_reduce_sum(struct step *s)
{
    return reduce(s, (struct reduction){0, take_sum, finish_nothing});
}

enum err op_reduce_log_sum(struct step *s)
{
    return reduce(s, (struct reduction){0, take_sum, finish_log});
}

enum err op_reduce_prod(struct step *s)
{
    return reduce(s, (struct reduction){1, take_product, finish_nothing});
}

enum err op_reduce_mean(struct step *s)
{
    return reduce(s, (struct reduction){0, take_sum, finish_mean});
}

enum err op_reduce_max(struct step *s)
{
    return reduce(s, (struct reduction){-INFINITY, take_max, finish_nothing});
}

enum err op_reduce_min(struct step *s)
{
    return reduce(s, (struct reduction){INFINITY, take_min, finish_nothing});
}

enum err op_reduce_l1(struct step *s)
{
    return reduce(s, (struct reduction){0, take_absolute, finish_nothing});
}

enum err op_reduce_l2(struct step *s)
{
    return reduce(s, (struct reduction){0, take_square, finish_root});
}

enum err op_reduce_sum_square(struct step *s)
{
    return reduce(s, (struct reduction){0, take_square, finish_nothing});
}

/* The largest is taken out first, so that no exponential overflows. */
enum err op_reduce_log_sum_exp(struct step *s)
{
    struct reduction largest = {-INFINITY, take_max, finish_nothing};
    struct plan p = {0};
    int64_t position[TENSOR_RANK] = {0};
    double *highest, *sums;
    size_t at = 0;

    highest = sums_of(s, &p, &largest);
    if (highest == NULL)
        return s->why->code;
    TRY(step_make(s, 0, s->in[0]->type, &p.shape));
    TRY(pool_get(s->pool, s->out[0]->count, sizeof(*sums), &sums, s->why));
    for (size_t i = 0; i < s->in[0]->count; i++) {
        sums[at] += exp(tensor_get(s->in[0], i) - highest[at]);
        at = next_sum(s->in[0], &p, position, at);
    }
    for (size_t i = 0; i < s->out[0]->count; i++)
        tensor_put(s->out[0], i, highest[i] + log(sums[i]));
    return OK;
}

/* A line of numbers inside a tensor. */
struct line {
    const struct tensor *x;
    size_t at, length, stride;
};

/* The place of the largest number (sign 1) or the smallest (sign -1). */
static int64_t best_place(struct line l, double sign, bool last)
{
    size_t best = 0;

    for (size_t i = 1; i < l.length; i++) {
        double v = sign * tensor_get(l.x, l.at + i * l.stride);
        double b = sign * tensor_get(l.x, l.at + best * l.stride);

        if (v > b || (last && v == b))
            best = i;
    }
    return (int64_t)best;
}

static enum err arg(struct step *s, double sign)
{
    const struct tensor *x = s->in[0];
    bool last = step_number(s, "select_last_index", 0) != 0;
    struct plan p = {0};
    size_t length, inner = 1, outer;
    unsigned axis;

    TRY(step_axis(s, step_number(s, "axis", 0), x->rank, &axis));
    if (!tensor_is_number(x) || x->dims[axis] == 0)
        return step_refuse(s, "numbers along the axis were expected");
    p.gone[axis] = true;
    find_shape(x, &p, step_number(s, "keepdims", 1) != 0);
    TRY(step_make(s, 0, ELEMENT_INT64, &p.shape));
    length = (size_t)x->dims[axis];
    for (unsigned i = axis + 1; i < x->rank; i++)
        inner *= (size_t)x->dims[i];
    outer = inner == 0 ? 0 : x->count / length / inner;
    for (size_t o = 0; o < outer; o++)
        for (size_t i = 0; i < inner; i++)
            s->out[0]->l[o * inner + i] =
                best_place((struct line){x, o * length * inner + i, length, inner}, sign, last);
    return OK;
}

enum err op_arg_max(struct step *s)
{
    return arg(s, 1);
}

enum err op_arg_min(struct step *s)
{
    return arg(s, -1);
}
