/* SPDX-License-Identifier: Apache-2.0 */
#include "compute/engine/ridge.h"

#include <cblas.h>
#include <lapacke.h>
#include <math.h>
#include <string.h>

enum { BLOCK_ROWS = 2048 };

static const double LEAST_RCOND = 1e-10;

/* What the normal equations need. */
struct moments {
    double *gram;  /* (columns, columns): upper triangle of the centred x'x + l2 */
    double *cross; /* (columns): centred x'y */
    double *mean;  /* (columns) */
    double y_mean;
};

/* y less its mean, and ones: what the products below are made with. */
static enum err centre_target(const struct ridge *r, struct moments *m, double **y, double **ones,
                              struct pool *pool, struct refusal *why)
{
    long double sum = 0;

    TRY(pool_get(pool, r->x.rows, sizeof(**y), y, why));
    TRY(pool_get(pool, BLOCK_ROWS, sizeof(**ones), ones, why));
    for (size_t i = 0; i < r->x.rows; i++)
        sum += (long double)r->y[i];
    m->y_mean = (double)(sum / (long double)r->x.rows);
    for (size_t i = 0; i < r->x.rows; i++)
        (*y)[i] = r->y[i] - m->y_mean;
    for (size_t i = 0; i < BLOCK_ROWS; i++)
        (*ones)[i] = 1;
    return OK;
}

/* The matrix is standardised already, or 0/1: its means are small against its deviations, so taking
 * them off the products loses nothing. y is centred before, as its mean may be anything. Three
 * products a block, while its rows are in the cache. */
static enum err find_moments(const struct ridge *r, struct moments *m, struct pool *pool,
                             struct refusal *why)
{
    int p = (int)r->x.columns;
    double *y, *ones, rows = (double)r->x.rows;

    TRY(pool_get(pool, r->x.columns * r->x.columns, sizeof(*m->gram), &m->gram, why));
    TRY(pool_get(pool, r->x.columns, sizeof(*m->cross), &m->cross, why));
    TRY(pool_get(pool, r->x.columns, sizeof(*m->mean), &m->mean, why));
    TRY(centre_target(r, m, &y, &ones, pool, why));
    for (size_t first = 0; first < r->x.rows; first += BLOCK_ROWS) {
        int n = (int)(r->x.rows - first < BLOCK_ROWS ? r->x.rows - first : BLOCK_ROWS);
        const double *x = r->x.data + first * r->x.columns;

        cblas_dsyrk(CblasRowMajor, CblasUpper, CblasTrans, p, n, 1, x, p, 1, m->gram, p);
        cblas_dgemv(CblasRowMajor, CblasTrans, n, p, 1, x, p, y + first, 1, 1, m->cross, 1);
        cblas_dgemv(CblasRowMajor, CblasTrans, n, p, 1 / rows, x, p, ones, 1, 1, m->mean, 1);
    }
    cblas_dsyr(CblasRowMajor, CblasUpper, p, -rows, m->mean, 1, m->gram, p);
    for (size_t j = 0; j < r->x.columns; j++)
        m->gram[j * r->x.columns + j] += r->l2;
    return OK;
}

/* Whether Cholesky could be trusted; cross becomes the weights then. LAPACK's matrices are
 * column-major: our upper triangle is its lower one. */
static bool by_cholesky(const struct ridge *r, struct moments *m)
{
    int p = (int)r->x.columns;
    double norm = LAPACKE_dlansy(LAPACK_COL_MAJOR, '1', 'L', p, m->gram, p), rcond = 0;

    if (LAPACKE_dpotrf(LAPACK_COL_MAJOR, 'L', p, m->gram, p) != 0)
        return false;
    if (LAPACKE_dpocon(LAPACK_COL_MAJOR, 'L', p, m->gram, p, norm, &rcond) != 0)
        return false;
    if (!(rcond >= LEAST_RCOND))
        return false;
    return LAPACKE_dpotrs(LAPACK_COL_MAJOR, 'L', p, 1, m->gram, p, m->cross, p) == 0;
}

/* The rows centred, then sqrt(l2) times the identity below them, column-major. */
static void stack(const struct ridge *r, const struct moments *m, double *a, double *b)
{
    size_t n = r->x.rows, p = r->x.columns, high = n + (r->l2 > 0 ? p : 0);

    for (size_t j = 0; j < p; j++) {
        for (size_t i = 0; i < n; i++)
            a[j * high + i] = r->x.data[i * p + j] - m->mean[j];
        if (r->l2 > 0)
            a[j * high + n + j] = sqrt(r->l2);
    }
    for (size_t i = 0; i < n; i++)
        b[i] = r->y[i] - m->y_mean;
}

static enum err by_singular_values(const struct ridge *r, struct moments *m, struct pool *pool,
                                   struct refusal *why)
{
    size_t high = r->x.rows + (r->l2 > 0 ? r->x.columns : 0);
    size_t ldb = high > r->x.columns ? high : r->x.columns;
    double *a, *b, *s;
    int rank;

    TRY(pool_get(pool, high * r->x.columns, sizeof(*a), &a, why));
    TRY(pool_get(pool, ldb, sizeof(*b), &b, why));
    TRY(pool_get(pool, r->x.columns, sizeof(*s), &s, why));
    stack(r, m, a, b);
    if (LAPACKE_dgelsd(LAPACK_COL_MAJOR, (int)high, (int)r->x.columns, 1, a, (int)high, b, (int)ldb,
                       s, 1e-13, &rank) != 0)
        return refuse(why, ERR_CONTENT, "the least-squares problem could not be solved");
    memcpy(m->cross, b, r->x.columns * sizeof(*b));
    return OK;
}

static enum err model_new(const struct ridge *r, struct linear *model, struct pool *pool,
                          struct refusal *why)
{
    *model = (struct linear){.inputs = r->x.columns, .outputs = 1};
    TRY(pool_get(pool, r->x.columns + 1, sizeof(*model->weights), &model->weights, why));
    model->intercepts = model->weights + r->x.columns;
    return OK;
}

enum err ridge_fit(const struct ridge *r, struct linear *model, bool *by_svd, struct pool *pool,
                   struct refusal *why)
{
    struct moments m = {0};
    int p = (int)r->x.columns;

    TRY(model_new(r, model, pool, why));
    TRY(find_moments(r, &m, pool, why));
    *by_svd = !by_cholesky(r, &m);
    if (*by_svd)
        TRY(by_singular_values(r, &m, pool, why));
    memcpy(model->weights, m.cross, r->x.columns * sizeof(*m.cross));
    model->intercepts[0] = m.y_mean - cblas_ddot(p, m.mean, 1, model->weights, 1);
    for (size_t j = 0; j <= r->x.columns; j++)
        if (!isfinite(model->weights[j]))
            return refuse(why, ERR_CONTENT,
                          "the fit did not stay finite; is the target far too large?");
    return OK;
}

/* a x = b with a (n, n) symmetric and positive definite; x replaces b. */
static void eliminate(size_t n, double *a, double *b)
{
    for (size_t k = 0; k < n; k++)
        for (size_t i = k + 1; i < n; i++) {
            double factor = a[i * n + k] / a[k * n + k];

            for (size_t j = k; j < n; j++)
                a[i * n + j] -= factor * a[k * n + j];
            b[i] -= factor * b[k];
        }
    for (size_t k = n; k-- > 0;) {
        for (size_t j = k + 1; j < n; j++)
            b[k] -= a[k * n + j] * b[j];
        b[k] /= a[k * n + k];
    }
}

enum err ridge_fit_reference(const struct ridge *r, struct linear *model, struct pool *pool,
                             struct refusal *why)
{
    size_t n = r->x.rows, p = r->x.columns, q = p + 1;
    double *a;

    /* the intercept is one more column, of ones, that bears no penalty */
    TRY(model_new(r, model, pool, why));
    TRY(pool_get(pool, q * q, sizeof(*a), &a, why));
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < q; j++) {
            double xj = j < p ? r->x.data[i * p + j] : 1;

            for (size_t k = 0; k < q; k++)
                a[j * q + k] += xj * (k < p ? r->x.data[i * p + k] : 1);
            model->weights[j] += xj * r->y[i];
        }
    for (size_t j = 0; j < p; j++)
        a[j * q + j] += r->l2;
    eliminate(q, a, model->weights);
    return OK;
}

void ridge_predict(const struct linear *model, struct matrix x, double *out)
{
    for (size_t i = 0; i < x.rows; i++)
        out[i] = model->intercepts[0];
    if (x.rows > 0)
        cblas_dgemv(CblasRowMajor, CblasNoTrans, (int)x.rows, (int)x.columns, 1.0, x.data,
                    (int)x.columns, model->weights, 1, 1.0, out, 1);
}
