/* SPDX-License-Identifier: Apache-2.0 */
#include "compute/engine/target.h"

#include <stdlib.h>
#include <string.h>

static enum err check_whole(const struct column *c, struct refusal *why)
{
    if (c->missing == 0)
        return OK;
    return refuse(why, ERR_CONTENT, "line %zu: the target \"%.*s\" is missing (%zu such rows)",
                  c->first_missing_line, (int)c->name.length, c->name.data, c->missing);
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* The distinct numbers of a column, rising; sorted is room for all of them. */
static size_t distinct(const struct column *c, size_t rows, double *sorted)
{
    size_t count = 0;

    memcpy(sorted, c->number, rows * sizeof(*sorted));
    qsort(sorted, rows, sizeof(*sorted), by_value);
    for (size_t i = 0; i < rows; i++)
        if (i == 0 || sorted[i] != sorted[count - 1])
            sorted[count++] = sorted[i];
    return count;
}

static enum err from_numbers(struct target *t, const struct column *c, size_t rows,
                             struct pool *pool, struct refusal *why)
{
    static const struct span words[] = {{"false", 5}, {"true", 4}};
    uint32_t *code;
    double *sorted;

    TRY(pool_get(pool, rows, sizeof(*sorted), &sorted, why));
    TRY(pool_get(pool, rows, sizeof(*code), &code, why));
    t->classes = distinct(c, rows, sorted);
    t->code = code;
    if (t->classes > TARGET_MAX_CLASSES)
        return refuse(why, ERR_CONTENT,
                      "the target \"%.*s\" has %zu different numbers, more than %d classes; is it "
                      "one for a regression?",
                      (int)c->name.length, c->name.data, t->classes, TARGET_MAX_CLASSES);
    for (size_t i = 0; i < rows; i++) {
        const double *at = bsearch(&c->number[i], sorted, t->classes, sizeof(*sorted), by_value);

        code[i] = (uint32_t)(at - sorted);
    }
    if (c->kind == KIND_BOOLEAN) {
        t->text = words;
        return OK;
    }
    TRY(pool_get(pool, t->classes, sizeof(*t->number), &t->number, why));
    for (size_t k = 0; k < t->classes; k++)
        t->number[k] = (int64_t)sorted[k];
    return OK;
}

enum err target_classes(struct target *t, const struct column *c, size_t rows, struct pool *pool,
                        struct refusal *why)
{
    *t = (struct target){0};
    TRY(check_whole(c, why));
    if (c->kind == KIND_REAL)
        return refuse(why, ERR_CONTENT,
                      "the target \"%.*s\" has real numbers; a classifier takes integers, texts or "
                      "booleans",
                      (int)c->name.length, c->name.data);
    if (c->code != NULL) {
        t->code = c->code;
        t->classes = c->category_count;
        t->text = c->categories;
    } else {
        TRY(from_numbers(t, c, rows, pool, why));
    }
    if (t->classes < 2)
        return refuse(why, ERR_CONTENT, "the target \"%.*s\" has fewer than two different values",
                      (int)c->name.length, c->name.data);
    return OK;
}

enum err target_numbers(const struct column *c, struct refusal *why)
{
    TRY(check_whole(c, why));
    if (!kind_is_number(c->kind))
        return refuse(why, ERR_CONTENT, "the target \"%.*s\" is %s; a regression takes numbers",
                      (int)c->name.length, c->name.data, kind_name(c->kind));
    return OK;
}
