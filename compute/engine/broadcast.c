/* SPDX-License-Identifier: Apache-2.0 */
#include "compute/engine/broadcast.h"

/* Fits one more tensor's dimensions, aligned at the last one, into the shape so far. */
static bool join(struct shape *shape, const struct tensor *t)
{
    for (unsigned i = 0; i < t->rank; i++) {
        int64_t *dim = &shape->dims[shape->rank - t->rank + i];

        if (*dim == 1)
            *dim = t->dims[i];
        else if (t->dims[i] != 1 && t->dims[i] != *dim)
            return false;
    }
    return true;
}

static void set_strides(struct broadcast *b, size_t part, const struct tensor *t)
{
    size_t stride = 1;

    for (unsigned i = t->rank; i-- > 0;) {
        b->stride[part][b->shape.rank - t->rank + i] = t->dims[i] == 1 ? 0 : stride;
        stride *= (size_t)t->dims[i];
    }
}

enum err broadcast_begin(struct broadcast *b, struct step *s, const struct tensor *const *parts,
                         size_t count)
{
    *b = (struct broadcast){.parts = count};
    for (size_t p = 0; p < count; p++)
        if (parts[p]->rank > b->shape.rank)
            b->shape.rank = parts[p]->rank;
    for (unsigned i = 0; i < b->shape.rank; i++)
        b->shape.dims[i] = 1;
    for (size_t p = 0; p < count; p++)
        if (!join(&b->shape, parts[p]))
            return step_refuse(s, "the shapes of the inputs do not fit each other");
    for (size_t p = 0; p < count; p++)
        set_strides(b, p, parts[p]);
    return OK;
}

void broadcast_next(struct broadcast *b)
{
    for (unsigned i = b->shape.rank; i-- > 0;) {
        b->position[i]++;
        for (size_t p = 0; p < b->parts; p++)
            b->at[p] += b->stride[p][i];
        if (b->position[i] < b->shape.dims[i])
            return;
        for (size_t p = 0; p < b->parts; p++)
            b->at[p] -= b->stride[p][i] * (size_t)b->shape.dims[i];
        b->position[i] = 0;
    }
}
