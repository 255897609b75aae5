/* SPDX-License-Identifier: Apache-2.0 */
#include "compute/engine/link.h"

#include <math.h>
#include <string.h>

/* These loops are half the time of training unless they run eight rows at once; -O2 would not try.
 * Nothing here depends on traps, and no order of operations is changed. */
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC optimize("O3", "no-trapping-math", "no-math-errno")
#endif

#if defined(__GNUC__) && !defined(__clang__) && defined(__x86_64__) &&                             \
    !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define WIDE __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define WIDE /* sanitizers start after the resolvers that clones need */
#endif

enum { LANES = 8 };

/* Sums are kept in LANES parts, element i in part i % LANES: the same on every machine. */
struct lanes {
    double part[LANES];
};

/* exp(x) = 2^k exp(r), |r| <= ln(2)/2, exp(r) by its Taylor series to the 13th power. Adding
 * 1.5 * 2^52 rounds x / ln 2 to the integer k and leaves it in the low bits. */
static inline double exp_negative(double x)
{
    const double magic = 0x1.8p52, log2e = 0x1.71547652b82fep0;
    const double ln2_high = 0x1.62e42fee00000p-1, ln2_low = 0x1.a39ef35793c76p-33;
    double bounded = x < -708.0 ? -708.0 : x;
    double shifted = bounded * log2e + magic;
    double k = shifted - magic;
    double r = bounded - k * ln2_high - k * ln2_low;
    double p = 1.0 / 6227020800.0;
    uint64_t bits;
    double power;

    p = p * r + 1.0 / 479001600.0;
    p = p * r + 1.0 / 39916800.0;
    p = p * r + 1.0 / 3628800.0;
    p = p * r + 1.0 / 362880.0;
    p = p * r + 1.0 / 40320.0;
    p = p * r + 1.0 / 5040.0;
    p = p * r + 1.0 / 720.0;
    p = p * r + 1.0 / 120.0;
    p = p * r + 1.0 / 24.0;
    p = p * r + 1.0 / 6.0;
    p = p * r + 0.5;
    p = p * r + 1.0;
    p = p * r + 1.0;
    memcpy(&bits, &shifted, sizeof(bits));
    bits = (bits << 52) + ((uint64_t)1023 << 52);
    memcpy(&power, &bits, sizeof(power));
    return p * power;
}

double link_exp(double x)
{
    return exp_negative(x);
}

static double lanes_sum(const struct lanes *l)
{
    double sum = 0;

    for (size_t j = 0; j < LANES; j++)
        sum += l->part[j];
    return sum;
}

/* The sum of log(u) by one logarithm a lane: each lane multiplies 32 numbers between 1 and at most
 * 1000 classes, which stays far below the largest double. */
static double lanes_log(const struct lanes *l)
{
    double sum = 0;

    for (size_t j = 0; j < LANES; j++)
        sum += log(l->part[j]);
    return sum;
}

WIDE double link_binary(double *z, double *y, double *r, size_t n)
{
    struct lanes product, linear = {{0}};

    for (size_t j = 0; j < LANES; j++)
        product.part[j] = 1.0;
    /* rows past the end have no loss and no residual */
    for (size_t i = n; i < LINK_BLOCK; i++) {
        z[i] = -708.0;
        y[i] = 0.0;
    }
    for (size_t i = 0; i < LINK_BLOCK; i += LANES)
        for (size_t j = 0; j < LANES; j++) {
            double score = z[i + j];
            double t = exp_negative(score > 0 ? -score : score);
            double u = 1.0 + t;
            double positive = score > 0 ? score : 0.0;

            r[i + j] = (score > 0 ? 1.0 : t) / u - y[i + j];
            product.part[j] *= u;
            linear.part[j] += positive - y[i + j] * score;
        }
    return lanes_log(&product) + lanes_sum(&linear);
}

double link_binary_reference(const double *z, const double *y, double *r, size_t n)
{
    double loss = 0;

    for (size_t i = 0; i < n; i++) {
        r[i] = 1.0 / (1.0 + exp(-z[i])) - y[i];
        loss += fmax(z[i], 0.0) - y[i] * z[i] + log1p(exp(-fabs(z[i])));
    }
    return loss;
}

/* The loss of the right class is taken off before z becomes probabilities. */
static double right_scores(const double *z, const uint32_t *y, size_t n)
{
    double sum = 0;

    for (size_t i = 0; i < n; i++)
        sum += z[y[i] * (size_t)LINK_BLOCK + i];
    return sum;
}

WIDE static void softmax_columns(double *z, size_t classes, double *highest, double *total)
{
    memcpy(highest, z, LINK_BLOCK * sizeof(*highest));
    for (size_t k = 1; k < classes; k++)
        for (size_t i = 0; i < LINK_BLOCK; i++) {
            double v = z[k * LINK_BLOCK + i];

            highest[i] = v > highest[i] ? v : highest[i];
        }
    memset(total, 0, LINK_BLOCK * sizeof(*total));
    for (size_t k = 0; k < classes; k++)
        for (size_t i = 0; i < LINK_BLOCK; i++) {
            double e = exp_negative(z[k * LINK_BLOCK + i] - highest[i]);

            z[k * LINK_BLOCK + i] = e;
            total[i] += e;
        }
    for (size_t k = 0; k < classes; k++)
        for (size_t i = 0; i < LINK_BLOCK; i++)
            z[k * LINK_BLOCK + i] /= total[i];
}

double link_softmax(double *z, const uint32_t *y, size_t n, size_t classes)
{
    double highest[LINK_BLOCK], total[LINK_BLOCK];
    double right = right_scores(z, y, n);
    struct lanes product, sum = {{0}};

    for (size_t k = 0; k < classes; k++)
        memset(z + k * LINK_BLOCK + n, 0, (LINK_BLOCK - n) * sizeof(*z));
    softmax_columns(z, classes, highest, total);
    for (size_t j = 0; j < LANES; j++)
        product.part[j] = 1.0;
    for (size_t i = 0; i < n; i++) {
        product.part[i % LANES] *= total[i];
        sum.part[i % LANES] += highest[i];
        z[y[i] * (size_t)LINK_BLOCK + i] -= 1.0;
    }
    return lanes_log(&product) + lanes_sum(&sum) - right;
}

double link_softmax_reference(double *z, const uint32_t *y, size_t n, size_t classes)
{
    double loss = 0;

    for (size_t i = 0; i < n; i++) {
        double highest = z[i], total;

        for (size_t k = 1; k < classes; k++)
            highest = fmax(highest, z[k * LINK_BLOCK + i]);
        total = exp(z[i] - highest);
        for (size_t k = 1; k < classes; k++)
            total += exp(z[k * LINK_BLOCK + i] - highest);
        loss += highest + log(total) - z[y[i] * (size_t)LINK_BLOCK + i];
        for (size_t k = 0; k < classes; k++)
            z[k * LINK_BLOCK + i] = exp(z[k * LINK_BLOCK + i] - highest) / total - (k == y[i]);
    }
    return loss;
}
