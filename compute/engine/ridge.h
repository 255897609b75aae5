/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ENGINE_RIDGE_H
#define ENGINE_RIDGE_H

#include "compute/engine/logistic.h"

/* Least squares with an L2 penalty on the weights, not the intercept: minimises
 * |y - x·w - b|² + l2 · |w|², as scikit-learn's Ridge(alpha=l2) does. */
struct ridge {
    struct matrix x;
    const double *y; /* (rows) */
    double l2;
};

/* Solves the centred normal equations by Cholesky. When they are too ill-conditioned for that
 * (reciprocal condition below 1e-10), takes the least-squares solution of least norm by singular
 * values instead, and sets *by_svd. */
MUST_CHECK enum err ridge_fit(const struct ridge *r, struct linear *model, bool *by_svd,
                              struct pool *pool, struct refusal *why);
/* The same by Gaussian elimination on plain sums. */
MUST_CHECK enum err ridge_fit_reference(const struct ridge *r, struct linear *model,
                                        struct pool *pool, struct refusal *why);

void ridge_predict(const struct linear *model, struct matrix x, double *out);

#endif
