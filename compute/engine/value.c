/* SPDX-License-Identifier: Apache-2.0 */
#include "compute/engine/value.h"

#include <float.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { LONGEST_NUMBER = 400, MANTISSA_DIGITS = 19, EXACT_POWER = 22 };

static const double powers[EXACT_POWER + 1] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                               1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                               1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static struct span trim(struct span s)
{
    while (s.length > 0 && (*s.data == ' ' || *s.data == '\t'))
        s.data++, s.length--;
    while (s.length > 0 && (s.data[s.length - 1] == ' ' || s.data[s.length - 1] == '\t'))
        s.length--;
    return s;
}

static bool is_word(struct span s, const char *word)
{
    return s.length == strlen(word) && strncasecmp(s.data, word, s.length) == 0;
}

static bool is_missing(struct span s)
{
    return s.length == 0 || is_word(s, "NA") || is_word(s, "NaN") || is_word(s, "null");
}

/* A decimal taken apart: mantissa * 10^exponent, exact while digits <= MANTISSA_DIGITS. */
struct decimal {
    uint64_t mantissa;
    long exponent;
    unsigned digits; /* significant ones, leading zeros left out */
    bool negative;
    bool whole;
};

static size_t read_digits(struct span s, size_t at, struct decimal *d, bool fraction)
{
    for (; at < s.length && is_digit(s.data[at]); at++) {
        if (d->digits > 0 || s.data[at] != '0')
            d->digits++;
        if (d->digits <= MANTISSA_DIGITS)
            d->mantissa = d->mantissa * 10 + (uint64_t)(s.data[at] - '0');
        d->exponent -= fraction;
    }
    return at;
}

static bool read_exponent(struct span s, size_t at, struct decimal *d)
{
    bool negative = at < s.length && s.data[at] == '-';
    size_t first;
    long e = 0;

    if (at < s.length && (s.data[at] == '-' || s.data[at] == '+'))
        at++;
    for (first = at; at < s.length && is_digit(s.data[at]); at++)
        if (e < 100000)
            e = e * 10 + (s.data[at] - '0');
    d->exponent += negative ? -e : e;
    return at > first && at == s.length;
}

/* [+-]?(digits[.digits?]|.digits)([eE][+-]?digits)? and nothing more. */
static bool take_apart(struct span s, struct decimal *d)
{
    size_t at = 0, first, point = 0;

    *d = (struct decimal){.whole = true};
    if (s.length > LONGEST_NUMBER)
        return false;
    if (s.length > 0 && (s.data[0] == '-' || s.data[0] == '+'))
        d->negative = s.data[at++] == '-';
    first = at;
    at = read_digits(s, at, d, false);
    if (at < s.length && s.data[at] == '.') {
        point = 1;
        d->whole = false;
        at = read_digits(s, at + 1, d, true);
    }
    if (at - first == point)
        return false;
    if (at == s.length)
        return true;
    d->whole = false;
    return (s.data[at] == 'e' || s.data[at] == 'E') && read_exponent(s, at + 1, d);
}

/* Clinger's fast path: both parts are exact doubles, so one rounding gives the nearest. */
static bool exact(const struct decimal *d, double *out)
{
    double x = (double)d->mantissa;

    if (d->digits > MANTISSA_DIGITS || d->mantissa > (UINT64_C(1) << 53))
        return false;
    if (d->exponent < -EXACT_POWER || d->exponent > EXACT_POWER)
        return false;
    x = d->exponent < 0 ? x / powers[-d->exponent] : x * powers[d->exponent];
    *out = d->negative ? -x : x;
    return true;
}

#if LDBL_MANT_DIG == 64

/* The same with 64 bits: a 64-bit mantissa and a power of ten up to 27 are exact there, and one
 * rounding follows. The second one, to 53 bits, is right too unless the bits it drops are within
 * one of a half, where the first may have moved them across. Table files are full of 17-digit
 * numbers, and this reads them five times as fast as strtod. */
static bool nearly_exact(const struct decimal *d, double *out)
{
    static const long double high_powers[] = {1e0L,  1e1L,  1e2L,  1e3L,  1e4L,  1e5L,  1e6L,
                                              1e7L,  1e8L,  1e9L,  1e10L, 1e11L, 1e12L, 1e13L,
                                              1e14L, 1e15L, 1e16L, 1e17L, 1e18L, 1e19L, 1e20L,
                                              1e21L, 1e22L, 1e23L, 1e24L, 1e25L, 1e26L, 1e27L};
    long double x = (long double)d->mantissa;
    uint64_t bits;

    if (d->digits > MANTISSA_DIGITS || d->exponent < -27 || d->exponent > 27)
        return false;
    x = d->exponent < 0 ? x / high_powers[-d->exponent] : x * high_powers[d->exponent];
    memcpy(&bits, &x, sizeof(bits)); /* the 64 bits of the mantissa come first */
    if ((bits & 0x7ff) >= 0x3ff && (bits & 0x7ff) <= 0x401)
        return false;
    *out = (double)(d->negative ? -x : x);
    return true;
}

#else

static bool nearly_exact(const struct decimal *d, double *out)
{
    (void)d;
    (void)out;
    return false;
}

#endif

static double by_library(struct span s)
{
    char copy[LONGEST_NUMBER + 1];

    memcpy(copy, s.data, s.length);
    copy[s.length] = '\0';
    return strtod(copy, NULL);
}

/* Past 2^53 not every integer is a double. */
static bool is_integer(const struct decimal *d)
{
    return d->whole && d->digits <= MANTISSA_DIGITS && d->mantissa <= (UINT64_C(1) << 53);
}

struct value value_read(struct span cell)
{
    struct span s = trim(cell);
    struct decimal d;
    double x;

    if (is_missing(s))
        return (struct value){KIND_MISSING, NAN};
    if (is_word(s, "true") || is_word(s, "false"))
        return (struct value){KIND_BOOLEAN, is_word(s, "true") ? 1.0 : 0.0};
    if (!take_apart(s, &d))
        return (struct value){KIND_TEXT, NAN};
    if (!exact(&d, &x) && !nearly_exact(&d, &x))
        x = by_library(s);
    if (!isfinite(x))
        return (struct value){KIND_TEXT, NAN};
    return (struct value){is_integer(&d) ? KIND_INTEGER : KIND_REAL, x};
}

enum kind value_kind(struct span cell)
{
    struct span s = trim(cell);
    struct decimal d;

    /* numbers far from every limit need not be computed */
    if (s.length > 0 && s.data[0] <= '9' && take_apart(s, &d) && d.digits <= MANTISSA_DIGITS &&
        d.exponent > -280 && d.exponent < 280)
        return is_integer(&d) ? KIND_INTEGER : KIND_REAL;
    return value_read(cell).kind;
}

enum kind kind_join(enum kind a, enum kind b)
{
    if (a == b || b == KIND_MISSING)
        return a;
    if (a == KIND_MISSING)
        return b;
    if (a + b == KIND_INTEGER + KIND_REAL)
        return KIND_REAL;
    return KIND_TEXT;
}

const char *kind_name(enum kind k)
{
    static const char *const names[] = {"text", "integer", "real", "boolean", "text"};

    return names[k];
}

bool kind_is_number(enum kind k)
{
    return k == KIND_INTEGER || k == KIND_REAL;
}

size_t value_write(double x, char out[VALUE_TEXT])
{
    int length = 0;

    if (isnan(x)) {
        out[0] = '\0';
        return 0;
    }
    for (int digits = 15; digits <= 17; digits++) {
        length = snprintf(out, VALUE_TEXT, "%.*g", digits, x);
        if (!isfinite(x) || strtod(out, NULL) == x)
            break;
    }
    return (size_t)length;
}
