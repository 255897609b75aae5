/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ENGINE_ELEMENTS_H
#define ENGINE_ELEMENTS_H

#include <math.h>
#include <stdint.h>

/* The functions of one or two numbers that operators.def names. Integers wrap as two's complement.
 */

static inline double is_nan(double x)
{
    return isnan(x);
}

static inline double negative(double x)
{
    return -x;
}

static inline double logical_not(double x)
{
    return x == 0;
}

static inline double reciprocal(double x)
{
    return 1 / x;
}

static inline double relu(double x)
{
    return x > 0 ? x : isnan(x) ? x : 0;
}

static inline double sigmoid(double x)
{
    return 1 / (1 + exp(-x));
}

static inline double sign(double x)
{
    return (x > 0) - (x < 0);
}

static inline double softplus(double x)
{
    return fmax(x, 0) + log1p(exp(-fabs(x)));
}

static inline double add(double x, double y)
{
    return x + y;
}

static inline double subtract(double x, double y)
{
    return x - y;
}

static inline double multiply(double x, double y)
{
    return x * y;
}

static inline double divide(double x, double y)
{
    return x / y;
}

static inline double least(double x, double y)
{
    return isnan(x) || x < y ? x : y;
}

static inline double greatest(double x, double y)
{
    return isnan(x) || x > y ? x : y;
}

static inline double hard_swish(double x)
{
    return x * fmin(fmax(x / 6 + 0.5, 0), 1);
}

static inline double softsign(double x)
{
    return x / (1 + fabs(x));
}

static inline double leaky(double x, double slope)
{
    return x < 0 ? slope * x : x;
}

static inline double logical_and(double x, double y)
{
    return x != 0 && y != 0;
}

static inline double logical_or(double x, double y)
{
    return x != 0 || y != 0;
}

static inline double logical_xor(double x, double y)
{
    return (x != 0) != (y != 0);
}

static inline int64_t add_integers(int64_t x, int64_t y)
{
    return (int64_t)((uint64_t)x + (uint64_t)y);
}

static inline int64_t subtract_integers(int64_t x, int64_t y)
{
    return (int64_t)((uint64_t)x - (uint64_t)y);
}

static inline int64_t multiply_integers(int64_t x, int64_t y)
{
    return (int64_t)((uint64_t)x * (uint64_t)y);
}

/* By zero gives zero, and the one quotient that does not fit wraps: neither may stop the process.
 */
static inline int64_t divide_integers(int64_t x, int64_t y)
{
    if (y == 0)
        return 0;
    return y == -1 ? subtract_integers(0, x) : x / y;
}

static inline int64_t least_integer(int64_t x, int64_t y)
{
    return x < y ? x : y;
}

static inline int64_t greatest_integer(int64_t x, int64_t y)
{
    return x > y ? x : y;
}

#define COMPARISON(name, sign)                                                                     \
    static inline double name(double x, double y)                                                  \
    {                                                                                              \
        return x sign y;                                                                           \
    }                                                                                              \
    static inline int64_t name##_integers(int64_t x, int64_t y)                                    \
    {                                                                                              \
        return x sign y;                                                                           \
    }
COMPARISON(equal, ==)
COMPARISON(greater, >)
COMPARISON(greater_equal, >=)
COMPARISON(less, <)
COMPARISON(less_equal, <=)
#undef COMPARISON

#endif
