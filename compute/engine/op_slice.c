/* SPDX-License-Identifier: Apache-2.0 */
#include "compute/engine/broadcast.h"
#include "compute/engine/operator.h"

#include <string.h>

static void copy_element(struct tensor *to, size_t at, const struct tensor *from, size_t place)
{
    size_t size = element_size(to->type);

    memcpy((char *)to->data + at * size, (const char *)from->data + place * size, size);
}

enum err op_expand(struct step *s)
{
    struct tensor form = {.type = ELEMENT_BOOL};
    struct integers dims;
    struct broadcast w;

    TRY(step_integers(s, 1, "", &dims));
    if (dims.count > TENSOR_RANK)
        return step_refuse(s, "more than 8 dimensions");
    form.rank = (unsigned)dims.count;
    for (size_t i = 0; i < dims.count; i++) {
        if (dims.data[i] < 0)
            return step_refuse(s, "a negative dimension");
        form.dims[i] = dims.data[i];
    }
    TRY(broadcast_begin(&w, s, (const struct tensor *const[]){s->in[0], &form}, 2));
    TRY(step_make(s, 0, s->in[0]->type, &w.shape));
    for (size_t i = 0; i < s->out[0]->count; i++, broadcast_next(&w))
        copy_element(s->out[0], i, s->in[0], w.at[0]);
    return OK;
}

/* Which elements of each axis stay: from first on, count of them, step apart. */
struct cut {
    int64_t first[TENSOR_RANK];
    int64_t step[TENSOR_RANK];
    struct shape shape;
};

/* An index counted from the end when negative, moved into range. */
static int64_t bounded(int64_t index, int64_t length, int64_t low, int64_t high)
{
    if (index < 0)
        index = index < -length ? -1 : index + length;
    return index < low ? low : index > high ? high : index;
}

/* One axis, by numpy's rules. Backwards, the end may be before the first element. */
static void cut_axis(struct cut *c, unsigned axis, int64_t start, int64_t end, int64_t step)
{
    int64_t length = c->shape.dims[axis], taken;
    bool forward = step > 0;

    c->step[axis] = step;
    if (length == 0)
        return; /* nothing can be taken, from either side */
    c->first[axis] = bounded(start, length, 0, forward ? length : length - 1);
    end = bounded(end, length, forward ? 0 : -1, length);
    taken = forward ? end - c->first[axis] : c->first[axis] - end;
    if (step == INT64_MIN)
        step++; /* which has no opposite, and leaves one element like its neighbour */
    c->shape.dims[axis] = taken <= 0 ? 0 : 1 + (taken - 1) / (forward ? step : -step);
}

static enum err read_cuts(struct step *s, struct cut *c)
{
    struct integers starts, ends, axes, steps;
    unsigned axis;

    TRY(step_integers(s, 1, "starts", &starts));
    TRY(step_integers(s, 2, "ends", &ends));
    TRY(step_integers(s, 3, "axes", &axes));
    TRY(step_integers(s, 4, "", &steps));
    if (!starts.given || ends.count != starts.count || starts.count > s->in[0]->rank ||
        (axes.given && axes.count != starts.count) || (steps.given && steps.count != starts.count))
        return step_refuse(s, "starts, ends, axes and steps do not fit each other");
    for (size_t i = 0; i < starts.count; i++) {
        TRY(step_axis(s, axes.given ? axes.data[i] : (int64_t)i, s->in[0]->rank, &axis));
        if (steps.given && steps.data[i] == 0)
            return step_refuse(s, "a step of 0");
        cut_axis(c, axis, starts.data[i], ends.data[i], steps.given ? steps.data[i] : 1);
    }
    return OK;
}

static void copy_cut(const struct tensor *x, const struct cut *c, struct tensor *out)
{
    int64_t position[TENSOR_RANK] = {0};

    for (size_t i = 0; i < out->count; i++) {
        int64_t from = 0;

        for (unsigned d = 0; d < x->rank; d++)
            from = from * x->dims[d] + c->first[d] + position[d] * c->step[d];
        copy_element(out, i, x, (size_t)from);
        for (unsigned d = x->rank; d-- > 0;) {
            if (++position[d] < out->dims[d])
                break;
            position[d] = 0;
        }
    }
}

enum err op_slice(struct step *s)
{
    struct cut c = {.shape = tensor_shape(s->in[0])};

    for (unsigned d = 0; d < s->in[0]->rank; d++)
        c.step[d] = 1;
    TRY(read_cuts(s, &c));
    TRY(step_make(s, 0, s->in[0]->type, &c.shape));
    copy_cut(s->in[0], &c, s->out[0]);
    return OK;
}

enum err op_split(struct step *s)
{
    const struct tensor *x = s->in[0];
    struct integers sizes;
    int64_t at = 0, parts = (int64_t)s->out_count;
    unsigned axis;

    TRY(step_axis(s, step_number(s, "axis", 0), x->rank, &axis));
    TRY(step_integers(s, 1, "split", &sizes));
    if (parts == 0 || parts > STEP_PORTS || (sizes.given && sizes.count != s->out_count))
        return step_refuse(s, "there are not as many parts as outputs");
    for (int64_t i = 0; i < parts; i++) {
        struct cut c = {.shape = tensor_shape(x)};
        int64_t length = x->dims[axis];
        int64_t size = sizes.given ? sizes.data[i] : (length + parts - 1) / parts;

        if (!sizes.given && size > length - at)
            size = length - at;
        if (size < 0 || size > length - at)
            return step_refuse(s, "the parts do not add up to the axis");
        for (unsigned d = 0; d < x->rank; d++)
            c.step[d] = 1;
        c.first[axis] = at;
        c.shape.dims[axis] = size;
        TRY(step_make(s, (size_t)i, x->type, &c.shape));
        copy_cut(x, &c, s->out[i]);
        at += size;
    }
    return at == x->dims[axis] ? OK : step_refuse(s, "the parts do not add up to the axis");
}
