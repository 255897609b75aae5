/* SPDX-License-Identifier: Apache-2.0 */
#include "compute/engine/logistic.h"

#include "compute/engine/link.h"
#include "compute/engine/precondition.h"

#include <cblas.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* Work space of one evaluation. */
struct work {
    const struct logistic *l;
    size_t outputs;
    double *z; /* (outputs, LINK_BLOCK) */
    double *y; /* (LINK_BLOCK) */
    double *r; /* (LINK_BLOCK) */
    struct preconditioner guess;
};

static size_t outputs_of(const struct logistic *l)
{
    return l->classes == 2 ? 1 : l->classes;
}

/* One block of two classes: scores, link, and its share of the gradient while the rows are still in
 * the cache. */
static double block_binary(struct work *k, size_t first, size_t n, const double *w,
                           double *gradient)
{
    const struct logistic *l = k->l;
    int p = (int)l->x.columns;
    const double *x = l->x.data + first * l->x.columns;
    double loss;

    for (size_t i = 0; i < n; i++) {
        k->y[i] = (double)l->y[first + i];
        k->z[i] = w[p];
    }
    cblas_dgemv(CblasRowMajor, CblasNoTrans, (int)n, p, 1.0, x, p, w, 1, 1.0, k->z, 1);
    loss = link_binary(k->z, k->y, k->r, n);
    cblas_dgemv(CblasRowMajor, CblasTrans, (int)n, p, 1.0, x, p, k->r, 1, 1.0, gradient, 1);
    for (size_t i = 0; i < n; i++)
        gradient[p] += k->r[i];
    return loss;
}

static double block_softmax(struct work *k, size_t first, size_t n, const double *w,
                            double *gradient)
{
    const struct logistic *l = k->l;
    int p = (int)l->x.columns, m = (int)k->outputs;
    const double *x = l->x.data + first * l->x.columns;
    const double *b = w + (size_t)p * k->outputs;
    double *gb = gradient + (size_t)p * k->outputs;
    double loss;

    for (size_t c = 0; c < k->outputs; c++)
        for (size_t i = 0; i < n; i++)
            k->z[c * LINK_BLOCK + i] = b[c];
    cblas_dgemm(CblasRowMajor, CblasTrans, CblasTrans, m, (int)n, p, 1.0, w, m, x, p, 1.0, k->z,
                LINK_BLOCK);
    loss = link_softmax(k->z, l->y + first, n, k->outputs);
    cblas_dgemm(CblasRowMajor, CblasTrans, CblasTrans, p, m, (int)n, 1.0, x, p, k->z, LINK_BLOCK,
                1.0, gradient, m);
    for (size_t c = 0; c < k->outputs; c++)
        for (size_t i = 0; i < n; i++)
            gb[c] += k->z[c * LINK_BLOCK + i];
    return loss;
}

static double evaluate(void *context, const double *w, double *gradient)
{
    struct work *k = context;
    const struct logistic *l = k->l;
    size_t weights = l->x.columns * k->outputs, total = weights + k->outputs;
    double loss = 0, rows = (double)l->x.rows;

    memset(gradient, 0, total * sizeof(*gradient));
    for (size_t first = 0; first < l->x.rows; first += LINK_BLOCK) {
        size_t n = l->x.rows - first < LINK_BLOCK ? l->x.rows - first : LINK_BLOCK;

        loss += k->outputs == 1 ? block_binary(k, first, n, w, gradient)
                                : block_softmax(k, first, n, w, gradient);
    }
    for (size_t i = 0; i < weights; i++) {
        loss += 0.5 * l->l2 * w[i] * w[i];
        gradient[i] += l->l2 * w[i];
    }
    cblas_dscal((int)total, 1.0 / rows, gradient, 1);
    return loss / rows;
}

static enum err work_new(struct work *k, const struct logistic *l, struct pool *pool,
                         struct refusal *why)
{
    *k = (struct work){.l = l, .outputs = outputs_of(l)};
    TRY(pool_get(pool, k->outputs * LINK_BLOCK, sizeof(*k->z), &k->z, why));
    TRY(pool_get(pool, LINK_BLOCK, sizeof(*k->y), &k->y, why));
    return pool_get(pool, LINK_BLOCK, sizeof(*k->r), &k->r, why);
}

enum err logistic_value(const struct logistic *l, const double *w, double *gradient, double *value,
                        struct refusal *why)
{
    struct pool pool = pool_new((size_t)1 << 30);
    struct work k;
    enum err e = work_new(&k, l, &pool, why);

    if (e == OK)
        *value = evaluate(&k, w, gradient);
    pool_free(&pool);
    return e;
}

static void report(void *context, size_t iteration, double value)
{
    struct work *k = context;
    char words[80];

    (void)snprintf(words, sizeof(words), "iteration %zu, loss %.6g", iteration, value);
    channel_progress(k->l->channel, 0.3 + 0.6 * (double)iteration / (double)(iteration + 10),
                     words);
}

/* The best intercepts while the weights are 0 give back how often each class occurs. */
static void start_at_rates(const double *rates, struct linear *model)
{
    double mean = 0;

    if (model->outputs == 1) {
        model->intercepts[0] = log(rates[1] / rates[0]);
        return;
    }
    for (size_t c = 0; c < model->outputs; c++) {
        model->intercepts[c] = log(rates[c]);
        mean += model->intercepts[c] / (double)model->outputs;
    }
    for (size_t c = 0; c < model->outputs; c++)
        model->intercepts[c] -= mean;
}

static void guess_step(void *context, double *direction)
{
    const struct work *k = context;

    precondition_apply(&k->guess, direction);
}

/* How often each class occurs; every one does, as the split keeps it. */
static void find_rates(const struct logistic *l, double *rates)
{
    for (size_t i = 0; i < l->x.rows; i++)
        rates[l->y[i]] += 1.0 / (double)l->x.rows;
}

enum err logistic_fit(const struct logistic *l, struct linear *model, struct lbfgs_result *result,
                      struct pool *pool, struct refusal *why)
{
    struct work k;
    struct objective o = {.value = evaluate, .context = &k};
    double *rates;

    TRY(work_new(&k, l, pool, why));
    *model = (struct linear){.inputs = l->x.columns, .outputs = k.outputs};
    o.n = (model->inputs + 1) * model->outputs;
    o.progress = l->channel == NULL ? NULL : report;
    TRY(pool_get(pool, o.n, sizeof(*model->weights), &model->weights, why));
    TRY(pool_get(pool, l->classes, sizeof(*rates), &rates, why));
    model->intercepts = model->weights + model->inputs * model->outputs;
    find_rates(l, rates);
    start_at_rates(rates, model);
    TRY(precondition_make(&k.guess, l, rates, pool, why));
    o.precondition = k.guess.outputs > 0 ? guess_step : NULL;
    TRY(lbfgs_minimise(&o, model->weights, l->limits, result, why));
    if (!isfinite(result->value))
        return refuse(why, ERR_CONTENT,
                      "the fit did not stay finite; are the features far too large?");
    return OK;
}

/* One row's scores become probabilities. */
static void to_probabilities(double *row, size_t classes, bool sigmoid)
{
    double highest = row[0], total = 0;

    if (sigmoid) {
        double z = row[0];

        row[0] = 1.0 / (1.0 + exp(z));
        row[1] = 1.0 / (1.0 + exp(-z));
        return;
    }
    for (size_t c = 1; c < classes; c++)
        highest = fmax(highest, row[c]);
    for (size_t c = 0; c < classes; c++)
        total += row[c] = exp(row[c] - highest);
    for (size_t c = 0; c < classes; c++)
        row[c] /= total;
}

void logistic_predict(const struct linear *model, struct matrix x, size_t classes, double *out)
{
    int n = (int)x.rows, p = (int)x.columns, m = (int)model->outputs, ld = (int)classes;

    if (x.rows == 0)
        return;
    for (size_t i = 0; i < x.rows; i++)
        memcpy(out + i * classes, model->intercepts, model->outputs * sizeof(*out));
    cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, n, m, p, 1.0, x.data, p, model->weights,
                m, 1.0, out, ld);
    for (size_t i = 0; i < x.rows; i++)
        to_probabilities(out + i * classes, classes, model->outputs == 1);
}

/* The scores of row i under w, by plain loops. */
static void scores_reference(const struct logistic *l, const double *w, size_t i, double *scores)
{
    size_t p = l->x.columns, m = outputs_of(l);

    for (size_t c = 0; c < m; c++) {
        scores[c] = w[p * m + c];
        for (size_t j = 0; j < p; j++)
            scores[c] += l->x.data[i * p + j] * w[j * m + c];
    }
}

/* Row i's loss; scores become residuals. */
static double loss_reference(const struct logistic *l, size_t i, double *scores)
{
    double y = (double)l->y[i], total = 0, loss;

    if (l->classes == 2) {
        loss = log1p(exp(-fabs(scores[0]))) + fmax(scores[0], 0) - y * scores[0];
        scores[0] = 1 / (1 + exp(-scores[0])) - y;
        return loss;
    }
    for (size_t c = 0; c < l->classes; c++)
        total += exp(scores[c]);
    loss = log(total) - scores[l->y[i]];
    for (size_t c = 0; c < l->classes; c++)
        scores[c] = exp(scores[c]) / total - (c == l->y[i]);
    return loss;
}

double logistic_value_reference(const struct logistic *l, const double *w, double *gradient)
{
    size_t p = l->x.columns, m = outputs_of(l);
    double loss = 0, rows = (double)l->x.rows;
    double scores[TABLE_MAX_CATEGORIES];

    for (size_t i = 0; i < (p + 1) * m; i++)
        gradient[i] = i < p * m ? l->l2 * w[i] / rows : 0;
    for (size_t i = 0; i < p * m; i++)
        loss += 0.5 * l->l2 * w[i] * w[i];
    for (size_t i = 0; i < l->x.rows; i++) {
        scores_reference(l, w, i, scores);
        loss += loss_reference(l, i, scores);
        for (size_t j = 0; j <= p; j++)
            for (size_t c = 0; c < m; c++)
                gradient[j * m + c] += scores[c] * (j < p ? l->x.data[i * p + j] : 1) / rows;
    }
    return loss / rows;
}
