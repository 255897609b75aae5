/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ENGINE_LBFGS_H
#define ENGINE_LBFGS_H

#include "compute/engine/pool.h"

#include <stdbool.h>

/* A smooth function of n numbers: its value at x, and its gradient. */
struct objective {
    size_t n;
    double (*value)(void *context, const double *x, double *gradient);
    void (*progress)(void *context, size_t iteration, double value); /* or NULL */
    /* Multiplies by a fixed guess of the inverse Hessian, positive definite; NULL is the identity.
     */
    void (*precondition)(void *context, double *direction);
    void *context;
};

struct lbfgs_limits {
    double tolerance; /* on the largest component of the gradient */
    size_t max_iterations;
};

struct lbfgs_result {
    double value;
    double gradient; /* its largest component, absolute */
    size_t iterations;
    size_t evaluations;
    bool converged; /* gradient <= tolerance */
};

/* Limited-memory BFGS with 10 pairs (Nocedal and Wright, Numerical Optimization, algorithm 7.5) and
 * a line search that ends on the strong Wolfe conditions (3.5, 3.6). x holds the start and gets the
 * minimum. Stops without convergence when no step lowers the value any more. */
MUST_CHECK enum err lbfgs_minimise(const struct objective *o, double *x, struct lbfgs_limits limits,
                                   struct lbfgs_result *result, struct refusal *why);

#endif
