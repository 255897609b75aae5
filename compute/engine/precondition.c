/* SPDX-License-Identifier: Apache-2.0 */
#include "compute/engine/precondition.h"

#include <cblas.h>
#include <lapacke.h>
#include <string.h>

enum { SAMPLE = 4096, MAX_SIDE = 512, MAX_CELLS = 1 << 22 };

/* Evenly spaced rows of x, each with a 1 for the intercept behind it. */
static size_t take_sample(const struct logistic *l, double *sample)
{
    size_t p = l->x.columns, count = l->x.rows < SAMPLE ? l->x.rows : SAMPLE;

    for (size_t i = 0; i < count; i++) {
        size_t row = i * l->x.rows / count;

        memcpy(sample + i * (p + 1), l->x.data + row * p, p * sizeof(*sample));
        sample[i * (p + 1) + p] = 1;
    }
    return count;
}

/* The intercepts bear no penalty, but a little keeps their block positive definite. */
static bool factorise(const struct logistic *l, const double *gram, double rate, double *factor)
{
    size_t q = l->x.columns + 1;
    double l2 = l->l2 / (double)l->x.rows;

    for (size_t i = 0; i < q * q; i++)
        factor[i] = rate * (1 - rate) * gram[i];
    for (size_t i = 0; i < q; i++)
        factor[i * q + i] += (i + 1 < q ? l2 : 0) + 1e-9;
    return LAPACKE_dpotrf(LAPACK_COL_MAJOR, 'L', (int)q, factor, (int)q) == 0;
}

enum err precondition_make(struct preconditioner *p, const struct logistic *l, const double *rates,
                           struct pool *pool, struct refusal *why)
{
    size_t outputs = l->classes == 2 ? 1 : l->classes, q = l->x.columns + 1, count;
    double *sample, *gram;

    *p = (struct preconditioner){.inputs = l->x.columns};
    if (q > MAX_SIDE || outputs * q * q > MAX_CELLS)
        return OK;
    TRY(pool_get(pool, (l->x.rows < SAMPLE ? l->x.rows : SAMPLE) * q, sizeof(*sample), &sample,
                 why));
    TRY(pool_get(pool, q * q, sizeof(*gram), &gram, why));
    TRY(pool_get(pool, outputs * q * q, sizeof(*p->factor), &p->factor, why));
    TRY(pool_get(pool, q, sizeof(*p->column), &p->column, why));
    count = take_sample(l, sample);
    cblas_dsyrk(CblasRowMajor, CblasUpper, CblasTrans, (int)q, (int)count, 1.0 / (double)count,
                sample, (int)q, 0, gram, (int)q);
    for (size_t c = 0; c < outputs; c++)
        if (!factorise(l, gram, rates[c], p->factor + c * q * q))
            return OK;
    p->outputs = outputs;
    return OK;
}

void precondition_apply(const struct preconditioner *p, double *direction)
{
    int q = (int)p->inputs + 1, m = (int)p->outputs;

    for (size_t c = 0; c < p->outputs; c++) {
        const double *factor = p->factor + c * (p->inputs + 1) * (p->inputs + 1);

        cblas_dcopy(q, direction + c, m, p->column, 1);
        cblas_dtrsv(CblasColMajor, CblasLower, CblasNoTrans, CblasNonUnit, q, factor, q, p->column,
                    1);
        cblas_dtrsv(CblasColMajor, CblasLower, CblasTrans, CblasNonUnit, q, factor, q, p->column,
                    1);
        cblas_dcopy(q, p->column, 1, direction + c, m);
    }
}
