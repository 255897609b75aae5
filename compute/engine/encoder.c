/* SPDX-License-Identifier: Apache-2.0 */
#include "compute/engine/encoder.h"

#include <math.h>
#include <string.h>

enum { BLOCK_ROWS = 64, MAX_WIDTH = 20000 };

/* Mean of what is there, then the deviation of the column with its gaps filled by that mean. */
static enum err learn_number(struct feature *f, const struct rows *rows, struct refusal *why)
{
    const double *x = rows->table->column[f->column].number;
    long double sum = 0, squares = 0;
    size_t present = 0;

    for (size_t i = 0; i < rows->count; i++)
        if (!isnan(x[rows->row[i]])) {
            sum += (long double)x[rows->row[i]];
            present++;
        }
    if (present == 0)
        return refuse(why, ERR_CONTENT, "column \"%.*s\" has no value in the training rows",
                      (int)f->name.length, f->name.data);
    f->mean = (double)(sum / (long double)present);
    for (size_t i = 0; i < rows->count; i++)
        if (!isnan(x[rows->row[i]])) {
            long double d = (long double)x[rows->row[i]] - (long double)f->mean;

            squares += d * d;
        }
    f->scale = (double)sqrtl(squares / (long double)rows->count);
    if (!isfinite(f->mean) || !isfinite(f->scale))
        return refuse(why, ERR_CONTENT, "the values of column \"%.*s\" are too large",
                      (int)f->name.length, f->name.data);
    /* what is left of a constant is rounding */
    if (f->scale <= 1e-14 * fabs(f->mean) || f->scale == 0)
        f->scale = 1.0;
    return OK;
}

/* The categories as they are; "", which sorts first, is added when a cell was missing. */
static enum err learn_text(struct feature *f, const struct column *c, struct pool *pool,
                           struct refusal *why)
{
    size_t extra = c->missing > 0 ? 1 : 0;

    f->width = c->category_count + extra;
    if (c->category_count == 0)
        return refuse(why, ERR_CONTENT, "column \"%.*s\" has no value", (int)f->name.length,
                      f->name.data);
    TRY(pool_get(pool, f->width, sizeof(*f->categories), &f->categories, why));
    if (extra > 0)
        f->categories[0] = (struct span){"", 0};
    memcpy(f->categories + extra, c->categories, c->category_count * sizeof(*f->categories));
    return OK;
}

static enum err add_feature(struct encoder *e, const struct rows *rows, size_t column,
                            struct pool *pool, struct refusal *why)
{
    const struct column *c = &rows->table->column[column];
    struct feature *f = &e->features[e->count++];

    *f = (struct feature){.name = c->name, .kind = c->kind, .column = column, .width = 1};
    if (c->code != NULL)
        TRY(learn_text(f, c, pool, why));
    else
        TRY(learn_number(f, rows, why));
    f->at = e->width;
    e->width += f->width;
    e->numbers += c->code == NULL;
    if (e->width > MAX_WIDTH)
        return refuse(why, ERR_TOO_LARGE, "the features make more than %d columns", MAX_WIDTH);
    return OK;
}

enum err encoder_learn(struct encoder *e, const struct rows *rows, size_t target, struct pool *pool,
                       struct refusal *why)
{
    const struct table *t = rows->table;

    *e = (struct encoder){0};
    TRY(pool_get(pool, t->columns, sizeof(*e->features), &e->features, why));
    for (int text = 0; text <= 1; text++)
        for (size_t i = 0; i < t->columns; i++)
            if (i != target && (t->column[i].code != NULL) == text)
                TRY(add_feature(e, rows, i, pool, why));
    if (e->count == 0)
        return refuse(why, ERR_INVALID, "there is no feature besides the target");
    return OK;
}

static void apply_number(const struct feature *f, const struct rows *rows, size_t first,
                         size_t last, struct matrix *out)
{
    const double *x = rows->table->column[f->column].number;

    for (size_t i = first; i < last; i++) {
        double v = x[rows->row[i]];

        /* the same two steps as the exported graph, in the same order */
        out->data[i * out->columns + f->at] = ((isnan(v) ? f->mean : v) - f->mean) / f->scale;
    }
}

static void apply_text(const struct feature *f, const struct rows *rows, size_t first, size_t last,
                       struct matrix *out)
{
    const struct column *c = &rows->table->column[f->column];
    size_t extra = f->width - c->category_count;

    for (size_t i = first; i < last; i++) {
        uint32_t code = c->code[rows->row[i]];
        size_t at = code == NO_CATEGORY ? 0 : code + extra;

        out->data[i * out->columns + f->at + at] = 1.0;
    }
}

enum err encoder_apply(const struct encoder *e, const struct rows *rows, struct matrix *out,
                       struct pool *pool, struct refusal *why)
{
    *out = (struct matrix){.rows = rows->count, .columns = e->width};
    TRY(pool_get(pool, rows->count * e->width, sizeof(*out->data), &out->data, why));
    /* block by block, so that the lines of the matrix being filled stay in the cache */
    for (size_t first = 0; first < rows->count; first += BLOCK_ROWS) {
        size_t last = first + BLOCK_ROWS < rows->count ? first + BLOCK_ROWS : rows->count;

        for (size_t i = 0; i < e->count; i++) {
            const struct feature *f = &e->features[i];

            if (f->kind == KIND_TEXT)
                apply_text(f, rows, first, last, out);
            else
                apply_number(f, rows, first, last, out);
        }
    }
    return OK;
}
