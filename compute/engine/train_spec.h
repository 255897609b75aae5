/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ENGINE_TRAIN_SPEC_H
#define ENGINE_TRAIN_SPEC_H

#include "compute/engine/channel.h"
#include "compute/engine/csv.h"
#include "compute/engine/lbfgs.h"

/* What a training job asks for. */
struct train_spec {
    bool classify; /* trainer "logistic", else "ridge" */
    struct span target;
    struct dict columns; /* features, then the target; count 0 for all columns */
    uint64_t seed;
    double test_fraction;
    double l2;
    struct lbfgs_limits limits;
};

/* Unknown members, wrong types and values out of range are ERR_INVALID, by name. */
MUST_CHECK enum err train_spec_read(struct train_spec *s, json_t *spec, struct pool *pool,
                                    struct refusal *why);

#endif
