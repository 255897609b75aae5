/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ENGINE_BROADCAST_H
#define ENGINE_BROADCAST_H

#include "compute/engine/operator.h"

enum { BROADCAST_PARTS = 3 };

/* A walk over the elements of what several tensors broadcast to (numpy's rule), in row-major order.
 */
struct broadcast {
    struct shape shape;
    size_t at[BROADCAST_PARTS]; /* where each part's element is */
    size_t parts;
    int64_t position[TENSOR_RANK];
    size_t stride[BROADCAST_PARTS][TENSOR_RANK];
};

MUST_CHECK enum err broadcast_begin(struct broadcast *b, struct step *s,
                                    const struct tensor *const *parts, size_t count);
void broadcast_next(struct broadcast *b);

#endif
