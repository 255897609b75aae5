/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ENGINE_SCORES_H
#define ENGINE_SCORES_H

#include "compute/engine/pool.h"

#include <stdint.h>

/* How well a classifier did: right answers and probabilities (rows, classes). Definitions as in
 * scikit-learn: log loss with probabilities kept 2^-52 away from 0; precision, recall and F1 of
 * class 1 when there are two, else their plain mean over the classes; 0 where nothing was
 * predicted. */
struct class_scores {
    double accuracy;
    double log_loss;
    double auc; /* two classes only; NaN when only one of them occurs */
    double precision;
    double recall;
    double f1;
    size_t *confusion; /* (classes, classes): right answer down, prediction across */
};

struct answers {
    const uint32_t *right;     /* (rows), below classes */
    const double *probability; /* (rows, classes) */
    size_t rows;
    size_t classes;
};

MUST_CHECK enum err scores_classes(struct class_scores *s, const struct answers *a,
                                   struct pool *pool, struct refusal *why);

struct number_scores {
    double rmse;
    double mae;
    double r2; /* NaN when the right answers are all alike */
};

struct number_scores scores_numbers(const double *right, const double *predicted, size_t rows);

/* The chance that a row of class 1 scores above one of class 0, ties counting half (Mann and
 * Whitney 1947): by ranks, and by comparing every pair. */
MUST_CHECK enum err scores_auc(const struct answers *a, double *auc, struct pool *pool,
                               struct refusal *why);
double scores_auc_reference(const struct answers *a);

#endif
