/* SPDX-License-Identifier: Apache-2.0 */
#include "compute/engine/scores.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>

static size_t best_class(const double *row, size_t classes)
{
    size_t best = 0;

    for (size_t c = 1; c < classes; c++)
        if (row[c] > row[best])
            best = c;
    return best;
}

/* One class's precision, recall and F1 from the confusion matrix. */
struct rates {
    double precision, recall, f1;
};

static struct rates rates_of(const size_t *confusion, size_t classes, size_t c)
{
    size_t hits = confusion[c * classes + c], said = 0, is = 0;
    struct rates r = {0};

    for (size_t k = 0; k < classes; k++) {
        said += confusion[k * classes + c];
        is += confusion[c * classes + k];
    }
    r.precision = said == 0 ? 0 : (double)hits / (double)said;
    r.recall = is == 0 ? 0 : (double)hits / (double)is;
    r.f1 = said + is == 0 ? 0 : 2 * (double)hits / (double)(said + is);
    return r;
}

static void average_rates(struct class_scores *s, size_t classes)
{
    size_t first = classes == 2 ? 1 : 0;

    for (size_t c = first; c < classes; c++) {
        struct rates r = rates_of(s->confusion, classes, c);

        s->precision += r.precision / (double)(classes - first);
        s->recall += r.recall / (double)(classes - first);
        s->f1 += r.f1 / (double)(classes - first);
    }
}

enum err scores_classes(struct class_scores *s, const struct answers *a, struct pool *pool,
                        struct refusal *why)
{
    size_t hits = 0;

    *s = (struct class_scores){.auc = NAN};
    TRY(pool_get(pool, a->classes * a->classes, sizeof(*s->confusion), &s->confusion, why));
    for (size_t i = 0; i < a->rows; i++) {
        const double *row = a->probability + i * a->classes;
        size_t said = best_class(row, a->classes);

        s->confusion[a->right[i] * a->classes + said]++;
        hits += said == a->right[i];
        s->log_loss -= log(fmin(fmax(row[a->right[i]], DBL_EPSILON), 1 - DBL_EPSILON));
    }
    s->accuracy = (double)hits / (double)a->rows;
    s->log_loss /= (double)a->rows;
    average_rates(s, a->classes);
    return a->classes == 2 ? scores_auc(a, &s->auc, pool, why) : OK;
}

struct number_scores scores_numbers(const double *right, const double *predicted, size_t rows)
{
    double n = (double)rows, mean = 0, error = 0, absolute = 0, spread = 0;

    for (size_t i = 0; i < rows; i++)
        mean += right[i] / n;
    for (size_t i = 0; i < rows; i++) {
        double e = right[i] - predicted[i];

        error += e * e;
        absolute += fabs(e);
        spread += (right[i] - mean) * (right[i] - mean);
    }
    return (struct number_scores){sqrt(error / n), absolute / n,
                                  spread > 0 ? 1 - error / spread : NAN};
}

struct scored {
    double score;
    uint32_t right;
};

static int by_score(const void *a, const void *b)
{
    double x = ((const struct scored *)a)->score, y = ((const struct scored *)b)->score;

    return (x > y) - (x < y);
}

enum err scores_auc(const struct answers *a, double *auc, struct pool *pool, struct refusal *why)
{
    double positive = 0, ranks = 0, negative;
    struct scored *sorted;

    TRY(pool_get(pool, a->rows, sizeof(*sorted), &sorted, why));
    for (size_t i = 0; i < a->rows; i++)
        sorted[i] = (struct scored){a->probability[i * 2 + 1], a->right[i]};
    qsort(sorted, a->rows, sizeof(*sorted), by_score);
    for (size_t i = 0, next; i < a->rows; i = next) {
        size_t hits = 0;

        for (next = i; next < a->rows && sorted[next].score == sorted[i].score; next++)
            hits += sorted[next].right;
        positive += (double)hits;
        /* all that tie share the mean of their ranks, which are i+1 … next */
        ranks += (double)hits * ((double)(i + next + 1) / 2);
    }
    negative = (double)a->rows - positive;
    *auc = positive == 0 || negative == 0
               ? NAN
               : (ranks - positive * (positive + 1) / 2) / (positive * negative);
    return OK;
}

double scores_auc_reference(const struct answers *a)
{
    double won = 0, pairs = 0;

    for (size_t i = 0; i < a->rows; i++)
        for (size_t j = 0; j < a->rows; j++) {
            double x = a->probability[i * 2 + 1], y = a->probability[j * 2 + 1];

            if (a->right[i] != 1 || a->right[j] != 0)
                continue;
            pairs += 1;
            won += x > y ? 1 : x == y ? 0.5 : 0;
        }
    return pairs > 0 ? won / pairs : NAN;
}
