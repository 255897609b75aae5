/* SPDX-License-Identifier: Apache-2.0 */
#include "lineage/canonical.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ECMA-262 Number::toString writes plain digits while PLAIN_LOW < point <= PLAIN_HIGH. */
enum { DIGITS_MAX = 17, NUMBER_ROOM = 32, PLAIN_HIGH = 21, PLAIN_LOW = -6 };

/* A decimal: value = 0.digits * 10^point. */
struct decimal {
    char digits[DIGITS_MAX + 1];
    int count;
    int point;
};

/* x > 0 rounded to count digits. */
static struct decimal decimal_of(double x, int count)
{
    struct decimal d = {.count = count};
    char text[NUMBER_ROOM], *e;

    (void)snprintf(text, sizeof(text), "%.*e", count - 1, x);
    e = strchr(text, 'e');
    d.point = (int)strtol(e + 1, NULL, 10) + 1;
    d.digits[0] = text[0];
    memcpy(d.digits + 1, text + 2, (size_t)(count - 1));
    return d;
}

static bool is_double(const struct decimal *d, double x)
{
    char text[NUMBER_ROOM];

    (void)snprintf(text, sizeof(text), "%se%d", d->digits, d->point - d->count);
    return strtod(text, NULL) == x;
}

/* The next larger decimal of as many digits; false when it would need one more. */
static bool increase(struct decimal *d)
{
    for (int i = d->count - 1; i >= 0; i--) {
        if (d->digits[i] != '9') {
            d->digits[i]++;
            return true;
        }
        d->digits[i] = '0';
    }
    return false;
}

/* The fewest digits that read back as x, and of those the nearest. Next to a power of two the
 * doubles above lie twice as far apart as those below, so the neighbour above the nearest decimal
 * may read back as x where the nearest itself does not. */
static struct decimal shortest(double x)
{
    for (int count = 1; count < DIGITS_MAX; count++) {
        struct decimal near = decimal_of(x, count), above = near;

        if (is_double(&near, x))
            return near;
        if (increase(&above) && is_double(&above, x))
            return above;
    }
    return decimal_of(x, DIGITS_MAX);
}

static void add_real(struct text *out, double x)
{
    struct decimal d;

    if (x == 0.0) {
        text_puts(out, "0");
        return;
    }
    if (x < 0.0)
        text_puts(out, "-");
    d = shortest(fabs(x));
    if (d.point > d.count && d.point <= PLAIN_HIGH)
        text_printf(out, "%s%.*s", d.digits, d.point - d.count, "00000000000000000000");
    else if (d.point > 0 && d.point <= PLAIN_HIGH)
        text_printf(out, "%.*s%s%s", d.point, d.digits, d.point < d.count ? "." : "",
                    d.digits + d.point);
    else if (d.point > PLAIN_LOW && d.point <= 0)
        text_printf(out, "0.%.*s%s", -d.point, "00000000", d.digits);
    else
        text_printf(out, "%c%s%se%+d", d.digits[0], d.count > 1 ? "." : "", d.digits + 1,
                    d.point - 1);
}

/* RFC 8785 §3.2.2.2: the two-letter escapes, \u00xx for other controls, all else as it is. */
static void add_string(struct text *out, const char *s, size_t length)
{
    static const char letters[] = "btnvfr";
    size_t plain = 0;

    text_puts(out, "\"");
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)s[i];

        if (c >= 0x20 && c != '"' && c != '\\')
            continue;
        text_add(out, s + plain, i - plain);
        plain = i + 1;
        if (c >= 0x20)
            text_printf(out, "\\%c", c);
        else if (c >= '\b' && c <= '\r' && c != '\v')
            text_printf(out, "\\%c", letters[c - '\b']);
        else
            text_printf(out, "\\u%04x", c);
    }
    text_add(out, s + plain, length - plain);
    text_puts(out, "\"");
}

struct member {
    const char *key;
    size_t length;
    const json_t *value;
};

/* By UTF-16 code units (§3.2.3). That is UTF-8's order of bytes, except that U+E000 to U+FFFF (lead
 * bytes EE and EF) come after the surrogates of all that is beyond (lead bytes F0 and up). */
static int compare_members(const void *a, const void *b)
{
    const struct member *x = a, *y = b;
    size_t shared = x->length < y->length ? x->length : y->length;

    for (size_t i = 0; i < shared; i++) {
        unsigned char p = (unsigned char)x->key[i], q = (unsigned char)y->key[i];

        if (p == q)
            continue;
        if (p >= 0xEE && q >= 0xEE && (p >= 0xF0) != (q >= 0xF0))
            return p >= 0xF0 ? -1 : 1;
        return p < q ? -1 : 1;
    }
    return x->length < y->length ? -1 : x->length > y->length;
}

static enum err add_value(struct text *out, const json_t *value, unsigned depth);

static enum err add_object(struct text *out, const json_t *object, unsigned depth)
{
    size_t count = json_object_size(object), i = 0;
    struct member *members = calloc(count + 1, sizeof(*members));
    json_t *iterable = (json_t *)object;
    enum err e = OK;

    if (members == NULL)
        return ERR_INTERNAL;
    for (void *at = json_object_iter(iterable); at != NULL && i < count;
         at = json_object_iter_next(iterable, at), i++)
        members[i] = (struct member){json_object_iter_key(at), json_object_iter_key_len(at),
                                     json_object_iter_value(at)};
    qsort(members, count, sizeof(*members), compare_members);
    text_puts(out, "{");
    for (i = 0; i < count && e == OK; i++) {
        if (i > 0)
            text_puts(out, ",");
        add_string(out, members[i].key, members[i].length);
        text_puts(out, ":");
        e = add_value(out, members[i].value, depth);
    }
    text_puts(out, "}");
    free(members);
    return e;
}

static enum err add_array(struct text *out, const json_t *array, unsigned depth)
{
    enum err e = OK;

    text_puts(out, "[");
    for (size_t i = 0; i < json_array_size(array) && e == OK; i++) {
        if (i > 0)
            text_puts(out, ",");
        e = add_value(out, json_array_get(array, i), depth);
    }
    text_puts(out, "]");
    return e;
}

static enum err add_value(struct text *out, const json_t *value, unsigned depth)
{
    if (depth == CANONICAL_DEPTH)
        return ERR_INVALID;
    if (out->failed)
        return ERR_TOO_LARGE;
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        return add_object(out, value, depth + 1);
    case JSON_ARRAY:
        return add_array(out, value, depth + 1);
    case JSON_STRING:
        add_string(out, json_string_value(value), json_string_length(value));
        return OK;
    case JSON_INTEGER:
        text_printf(out, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
        return OK;
    case JSON_REAL:
        add_real(out, json_real_value(value));
        return OK;
    case JSON_TRUE:
        text_puts(out, "true");
        return OK;
    case JSON_FALSE:
        text_puts(out, "false");
        return OK;
    case JSON_NULL:
        text_puts(out, "null");
        return OK;
    }
    return ERR_INVALID;
}

enum err canonical_json(const json_t *value, struct text *out)
{
    enum err e;

    if (value == NULL)
        return ERR_INVALID;
    e = add_value(out, value, 0);
    return e == OK && out->failed ? ERR_TOO_LARGE : e;
}
