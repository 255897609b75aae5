/* SPDX-License-Identifier: Apache-2.0 */
#include "compute/engine/broadcast.h"
#include "compute/engine/operator.h"

#include <cblas.h>
#include <limits.h>
#include <math.h>

/* One product of matrices, (m, k) by (k, n), all of one type, float or double. */
struct product {
    int64_t m, k, n;
    bool transpose_a, transpose_b;
    double alpha;
    double beta;
};

static bool is_real(const struct tensor *t)
{
    return t->type == ELEMENT_DOUBLE || t->type == ELEMENT_FLOAT;
}

/* A tensor's data from element at on, without its other properties. */
static struct tensor from(const struct tensor *t, size_t at)
{
    struct tensor view = *t;

    view.data = (char *)t->data + at * element_size(t->type);
    return view;
}

/* out = alpha a·b + beta out */
static void multiply(const struct product *p, struct tensor a, struct tensor b, struct tensor out)
{
    CBLAS_TRANSPOSE ta = p->transpose_a ? CblasTrans : CblasNoTrans;
    CBLAS_TRANSPOSE tb = p->transpose_b ? CblasTrans : CblasNoTrans;
    int m = (int)p->m, n = (int)p->n, k = (int)p->k;
    int lda = p->transpose_a ? m : k, ldb = p->transpose_b ? k : n;

    if (m == 0 || n == 0 || k == 0)
        return;
    if (a.type == ELEMENT_DOUBLE)
        cblas_dgemm(CblasRowMajor, ta, tb, m, n, k, p->alpha, a.d, lda, b.d, ldb, p->beta, out.d,
                    n);
    else
        cblas_sgemm(CblasRowMajor, ta, tb, m, n, k, (float)p->alpha, a.f, lda, b.f, ldb,
                    (float)p->beta, out.f, n);
}

static enum err check(struct step *s, const struct product *p, int64_t k_of_b)
{
    if (p->k != k_of_b)
        return step_refuse(s, "the inner dimensions of the matrices differ");
    if (p->m > INT_MAX || p->k > INT_MAX || p->n > INT_MAX)
        return step_refuse(s, "a matrix is too large");
    return OK;
}

static enum err check_types(struct step *s)
{
    if (!is_real(s->in[0]) || s->in[1]->type != s->in[0]->type)
        return step_refuse(s, "two tensors of one type, float or double, were expected");
    return OK;
}

/* y = alpha a·b + beta c, with c broadcast to y. */
enum err op_gemm(struct step *s)
{
    const struct tensor *a = s->in[0], *b = s->in[1], *c = s->in[2];
    struct product p = {.transpose_a = step_number(s, "transA", 0) != 0,
                        .transpose_b = step_number(s, "transB", 0) != 0,
                        .alpha = step_real(s, "alpha", 1),
                        .beta = step_real(s, "beta", 1)};
    struct broadcast w;

    TRY(check_types(s));
    if (a->rank != 2 || b->rank != 2)
        return step_refuse(s, "two matrices were expected");
    p.m = a->dims[p.transpose_a];
    p.k = a->dims[!p.transpose_a];
    p.n = b->dims[!p.transpose_b];
    TRY(check(s, &p, b->dims[p.transpose_b]));
    TRY(step_make(s, 0, a->type, &(struct shape){2, {p.m, p.n}}));
    if (c != NULL) {
        TRY(broadcast_begin(&w, s, (const struct tensor *const[]){s->out[0], c}, 2));
        if (c->type != a->type || w.shape.rank != 2 || w.shape.dims[0] != p.m ||
            w.shape.dims[1] != p.n)
            return step_refuse(s, "C does not fit the product");
        for (size_t i = 0; i < s->out[0]->count; i++, broadcast_next(&w))
            tensor_put(s->out[0], i, tensor_get(c, w.at[1]));
    }
    multiply(&p, *a, *b, *s->out[0]);
    return OK;
}

/* A tensor of ones in place of each matrix, to walk over the dimensions before the last two. */
static struct tensor batch_of(const struct tensor *t)
{
    struct tensor batch = *t;

    batch.rank = t->rank - 2;
    return batch;
}

/* Vectors are matrices of one row or column for the product, and lose that dimension after. */
static struct tensor as_matrix(const struct tensor *t, bool column)
{
    struct tensor m = *t;

    if (t->rank != 1)
        return m;
    m.rank = 2;
    m.dims[0] = column ? t->dims[0] : 1;
    m.dims[1] = column ? 1 : t->dims[0];
    return m;
}

static struct shape product_shape(const struct step *s, const struct broadcast *w,
                                  const struct product *p)
{
    struct shape shape = w->shape;

    if (s->in[0]->rank > 1)
        shape.dims[shape.rank++] = p->m;
    if (s->in[1]->rank > 1)
        shape.dims[shape.rank++] = p->n;
    return shape;
}

enum err op_matmul(struct step *s)
{
    struct tensor a = as_matrix(s->in[0], false), b = as_matrix(s->in[1], true), a_batch, b_batch;
    struct product p = {.alpha = 1};
    struct broadcast w;
    struct shape shape;
    size_t batches;

    TRY(check_types(s));
    if (a.rank < 2 || b.rank < 2)
        return step_refuse(s, "a scalar where a matrix was expected");
    p.m = a.dims[a.rank - 2];
    p.k = a.dims[a.rank - 1];
    p.n = b.dims[b.rank - 1];
    TRY(check(s, &p, b.dims[b.rank - 2]));
    a_batch = batch_of(&a);
    b_batch = batch_of(&b);
    TRY(broadcast_begin(&w, s, (const struct tensor *const[]){&a_batch, &b_batch}, 2));
    shape = product_shape(s, &w, &p);
    TRY(step_make(s, 0, a.type, &shape));
    if (s->out[0]->count == 0 || !shape_count(&w.shape, &batches))
        return OK;
    for (size_t i = 0; i < batches; i++, broadcast_next(&w))
        multiply(&p, from(&a, w.at[0] * (size_t)(p.m * p.k)),
                 from(&b, w.at[1] * (size_t)(p.k * p.n)), from(s->out[0], i * (size_t)(p.m * p.n)));
    return OK;
}

/* A tensor seen as (outer, length, inner) around an axis. */
struct around {
    size_t outer, length, inner;
};

static struct around around_axis(const struct tensor *t, unsigned first, unsigned last)
{
    struct around a = {1, 1, 1};

    for (unsigned i = 0; i < t->rank; i++)
        *(i < first ? &a.outer : i < last ? &a.length : &a.inner) *= (size_t)t->dims[i];
    return a;
}

/* Softmax of one line of numbers, or its logarithm. */
static void soften(const struct tensor *x, struct tensor *out, size_t at, struct around a,
                   bool log_of)
{
    double highest = -INFINITY, total = 0;

    for (size_t i = 0; i < a.length; i++)
        highest = fmax(highest, tensor_get(x, at + i * a.inner));
    for (size_t i = 0; i < a.length; i++)
        total += exp(tensor_get(x, at + i * a.inner) - highest);
    for (size_t i = 0; i < a.length; i++) {
        double d = tensor_get(x, at + i * a.inner) - highest;

        tensor_put(out, at + i * a.inner, log_of ? d - log(total) : exp(d) / total);
    }
}

/* Before operator set 13 all dimensions from the axis on were one line. */
static enum err softmax(struct step *s, bool log_of)
{
    const struct tensor *x = s->in[0];
    bool line = s->node->version < 13;
    struct shape shape = tensor_shape(x);
    struct around a;
    unsigned axis;

    if (!is_real(x))
        return step_refuse(s, "float or double was expected");
    TRY(step_axis(s, step_number(s, "axis", line ? 1 : -1), x->rank, &axis));
    TRY(step_make(s, 0, x->type, &shape));
    a = around_axis(x, axis, line ? x->rank : axis + 1);
    for (size_t o = 0; o < a.outer; o++)
        for (size_t i = 0; i < a.inner; i++)
            soften(x, s->out[0], o * a.length * a.inner + i, a, log_of);
    return OK;
}

enum err op_softmax(struct step *s)
{
    return softmax(s, false);
}

enum err op_log_softmax(struct step *s)
{
    return softmax(s, true);
}
