/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ENGINE_LOGISTIC_H
#define ENGINE_LOGISTIC_H

#include "compute/engine/channel.h"
#include "compute/engine/encoder.h"
#include "compute/engine/lbfgs.h"

/* What both trainers learn: scores = x·weights + intercepts. */
struct linear {
    size_t inputs;
    size_t outputs;     /* 1 for regression and two classes, else one a class */
    double *weights;    /* (inputs, outputs) row-major */
    double *intercepts; /* (outputs), right behind the weights in memory */
};

/* Logistic regression with an L2 penalty on the weights, not the intercepts. It minimises
 * (sum of log losses + l2/2 · |weights|²) / rows, which has the minimum that scikit-learn's
 * LogisticRegression(C=1/l2) has; two classes are one sigmoid, more a softmax. */
struct logistic {
    struct matrix x;
    const uint32_t *y; /* (rows), below classes */
    size_t classes;
    double l2;
    struct lbfgs_limits limits;
    struct channel *channel; /* hears of the progress; or NULL */
};

MUST_CHECK enum err logistic_fit(const struct logistic *l, struct linear *model,
                                 struct lbfgs_result *result, struct pool *pool,
                                 struct refusal *why);

/* The objective and its gradient at w (weights, then intercepts): by blocks of rows, and by plain
 * loops, which is what the first one means. */
MUST_CHECK enum err logistic_value(const struct logistic *l, const double *w, double *gradient,
                                   double *value, struct refusal *why);
double logistic_value_reference(const struct logistic *l, const double *w, double *gradient);

/* Probabilities (rows, classes) of every row of x. */
void logistic_predict(const struct linear *model, struct matrix x, size_t classes, double *out);

#endif
