/* SPDX-License-Identifier: Apache-2.0 */
#include "compute/engine/table.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static enum err choose_columns(struct table *t, const struct csv *c, const struct dict *names,
                               struct pool *pool, struct refusal *why)
{
    t->columns = names == NULL ? c->columns : names->count;
    TRY(pool_get(pool, t->columns, sizeof(*t->column), &t->column, why));
    for (size_t i = 0; i < t->columns; i++) {
        struct span name = names == NULL ? c->names[i] : names->keys[i];
        long place = names == NULL ? (long)i : csv_column(c, name);

        if (place < 0)
            return refuse(why, ERR_INVALID, "the table has no column \"%.*s\"", (int)name.length,
                          name.data);
        t->column[i].name = c->names[place];
        t->column[i].place = (size_t)place;
    }
    return OK;
}

static enum err find_kinds(struct table *t, struct csv *c, struct refusal *why)
{
    bool more;

    for (t->rows = 0;; t->rows++) {
        TRY(csv_next(c, &more, why));
        if (!more)
            break;
        for (size_t i = 0; i < t->columns; i++) {
            struct column *col = &t->column[i];
            enum kind kind = col->kind == KIND_TEXT ? KIND_TEXT : value_kind(c->fields[col->place]);

            col->kind = kind_join(col->kind, kind);
        }
    }
    if (t->rows > UINT32_MAX / 2)
        return refuse(why, ERR_TOO_LARGE, "%zu rows are more than a job can hold", t->rows);
    return OK;
}

/* The cell's category; missing cells have none. */
static enum err put_text(struct column *col, struct dict *seen, size_t row, struct span cell,
                         struct refusal *why)
{
    long number;

    col->code[row] = NO_CATEGORY;
    if (value_kind(cell) == KIND_MISSING)
        return OK;
    number = dict_add(seen, cell);
    if (number == DICT_NO_MEMORY)
        return refuse(why, ERR_TOO_LARGE, "no memory for the categories of column \"%.*s\"",
                      (int)col->name.length, col->name.data);
    if (number == DICT_FULL)
        return refuse(
            why, ERR_CONTENT,
            "column \"%.*s\" has more than %d distinct texts; leave it out of \"features\"",
            (int)col->name.length, col->name.data, TABLE_MAX_CATEGORIES);
    col->code[row] = (uint32_t)number;
    return OK;
}

static enum err put_row(struct table *t, const struct csv *c, struct dict *seen, size_t row,
                        struct refusal *why)
{
    for (size_t i = 0; i < t->columns; i++) {
        struct column *col = &t->column[i];
        struct span cell = c->fields[col->place];

        if (col->code != NULL)
            TRY(put_text(col, &seen[i], row, cell, why));
        else
            col->number[row] = value_read(cell).number;
        if ((col->code != NULL ? col->code[row] == NO_CATEGORY : isnan(col->number[row])) &&
            col->missing++ == 0)
            col->first_missing_line = c->line;
    }
    return OK;
}

static enum err make_columns(struct table *t, struct dict *seen, struct pool *pool,
                             struct refusal *why)
{
    for (size_t i = 0; i < t->columns; i++) {
        struct column *col = &t->column[i];

        seen[i] = dict_new(pool, TABLE_MAX_CATEGORIES);
        if (col->kind == KIND_TEXT)
            TRY(pool_get(pool, t->rows, sizeof(*col->code), &col->code, why));
        else
            TRY(pool_get(pool, t->rows, sizeof(*col->number), &col->number, why));
    }
    return OK;
}

struct ranked {
    struct span text;
    uint32_t code;
};

static int by_text(const void *a, const void *b)
{
    return span_compare(((const struct ranked *)a)->text, ((const struct ranked *)b)->text);
}

/* Numbers the categories in byte order, so that they do not depend on the order of the rows. */
static void sort_categories(struct column *col, struct dict *seen, size_t rows)
{
    struct ranked ranked[TABLE_MAX_CATEGORIES];
    uint32_t rank[TABLE_MAX_CATEGORIES];

    if (seen->count == 0)
        return;
    for (uint32_t i = 0; i < seen->count; i++)
        ranked[i] = (struct ranked){seen->keys[i], i};
    qsort(ranked, seen->count, sizeof(ranked[0]), by_text);
    for (uint32_t i = 0; i < seen->count; i++) {
        rank[ranked[i].code] = i;
        seen->keys[i] = ranked[i].text;
    }
    for (size_t r = 0; r < rows; r++)
        if (col->code[r] != NO_CATEGORY)
            col->code[r] = rank[col->code[r]];
    col->categories = seen->keys;
    col->category_count = seen->count;
}

static enum err fill(struct table *t, struct csv *c, struct pool *pool, struct refusal *why)
{
    struct dict *seen;
    bool more;

    TRY(pool_get(pool, t->columns, sizeof(*seen), &seen, why));
    TRY(make_columns(t, seen, pool, why));
    for (size_t row = 0;; row++) {
        TRY(csv_next(c, &more, why));
        if (!more || row == t->rows)
            break;
        TRY(put_row(t, c, seen, row, why));
    }
    for (size_t i = 0; i < t->columns; i++)
        if (t->column[i].code != NULL)
            sort_categories(&t->column[i], &seen[i], t->rows);
    return OK;
}

enum err table_load(struct table *t, int fd, const struct dict *names, struct pool *pool,
                    struct refusal *why)
{
    struct csv c;
    enum err e;

    *t = (struct table){0};
    TRY(csv_open(&c, fd, pool, why));
    e = choose_columns(t, &c, names, pool, why);
    if (e == OK)
        e = find_kinds(t, &c, why);
    csv_close(&c);
    if (e != OK)
        return e;
    TRY(csv_open(&c, fd, pool, why));
    e = fill(t, &c, pool, why);
    csv_close(&c);
    return e;
}
