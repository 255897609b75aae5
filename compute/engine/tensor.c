/* SPDX-License-Identifier: Apache-2.0 */
#include "compute/engine/tensor.h"

#include <math.h>
#include <string.h>

size_t element_size(enum element type)
{
    switch (type) {
    case ELEMENT_FLOAT:
        return sizeof(float);
    case ELEMENT_DOUBLE:
        return sizeof(double);
    case ELEMENT_INT64:
        return sizeof(int64_t);
    case ELEMENT_INT32:
        return sizeof(int32_t);
    case ELEMENT_BOOL:
        return 1;
    case ELEMENT_STRING:
        return sizeof(struct span);
    default:
        return 0;
    }
}

const char *element_name(enum element type)
{
    static const char *const names[] = {"undefined",  "float",   "uint8",  "int8",   "uint16",
                                        "int16",      "int32",   "int64",  "string", "bool",
                                        "float16",    "double",  "uint32", "uint64", "complex64",
                                        "complex128", "bfloat16"};

    return (size_t)type < sizeof(names) / sizeof(names[0]) ? names[type] : "of an unknown type";
}

bool shape_count(const struct shape *s, size_t *count)
{
    *count = 1;
    for (unsigned i = 0; i < s->rank; i++)
        if (s->dims[i] < 0 || __builtin_mul_overflow(*count, (size_t)s->dims[i], count))
            return false;
    return *count < SIZE_MAX / 64;
}

enum err tensor_new(enum element type, const struct shape *s, struct tensor **out,
                    struct pool *pool, struct refusal *why)
{
    size_t count;
    void *data;

    if (!shape_count(s, &count))
        return refuse(why, ERR_TOO_LARGE, "the dimensions of a tensor multiply to more than fits");
    TRY(pool_get(pool, 1, sizeof(**out), out, why));
    TRY(pool_get(pool, count, element_size(type), &data, why));
    **out = (struct tensor){.type = type, .rank = s->rank, .count = count, .data = data};
    memcpy((*out)->dims, s->dims, sizeof(s->dims));
    return OK;
}

struct shape tensor_shape(const struct tensor *t)
{
    struct shape s = {.rank = t->rank};

    memcpy(s.dims, t->dims, sizeof(s.dims));
    return s;
}

bool tensor_is_number(const struct tensor *t)
{
    return t->type != ELEMENT_STRING;
}

double tensor_get(const struct tensor *t, size_t i)
{
    switch (t->type) {
    case ELEMENT_DOUBLE:
        return t->d[i];
    case ELEMENT_FLOAT:
        return (double)t->f[i];
    case ELEMENT_INT64:
        return (double)t->l[i];
    case ELEMENT_INT32:
        return t->i[i];
    default:
        return t->b[i];
    }
}

/* Toward zero, and to the nearest there is outside the range: C leaves that undefined. */
static int64_t to_integer(double x, double low, double high)
{
    if (isnan(x))
        return 0;
    if (x <= low)
        return (int64_t)low;
    if (x >= high)
        return high >= 0x1p63 ? INT64_MAX : (int64_t)high;
    return (int64_t)x;
}

void tensor_put(struct tensor *t, size_t i, double x)
{
    switch (t->type) {
    case ELEMENT_DOUBLE:
        t->d[i] = x;
        break;
    case ELEMENT_FLOAT:
        t->f[i] = (float)x;
        break;
    case ELEMENT_INT64:
        t->l[i] = to_integer(x, -0x1p63, 0x1p63);
        break;
    case ELEMENT_INT32:
        t->i[i] = (int32_t)to_integer(x, INT32_MIN, INT32_MAX);
        break;
    default:
        t->b[i] = x != 0;
    }
}
