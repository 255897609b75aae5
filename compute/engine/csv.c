/* SPDX-License-Identifier: Apache-2.0 */
#include "compute/engine/csv.h"

#include "compute/engine/csv_input.h"
#include "core/text.h"

#include <string.h>

static enum err check_bytes(const struct csv *c, const struct csv_line *row, struct refusal *why)
{
    unsigned char high = 0;

    for (size_t i = 0; i < row->length; i++)
        high |= (unsigned char)row->data[i];
    if (row->length > 0 && memchr(row->data, '\0', row->length) != NULL)
        return refuse(why, ERR_CONTENT, "line %zu: a NUL byte where text was expected", c->line);
    if (high >= 0x80 && !utf8_valid(row->data, row->length))
        return refuse(why, ERR_CONTENT, "line %zu: bytes that are not UTF-8", c->line);
    return OK;
}

/* Where a field ends and what it holds; data is unquoted in place. */
struct cut {
    struct span field;
    size_t next; /* index of the comma, or of the row's end */
};

static enum err cut_quoted(const struct csv *c, const struct csv_line *row, size_t at,
                           struct cut *out, struct refusal *why)
{
    char *to = row->data + at + 1;
    size_t i = at + 1;

    out->field.data = to;
    for (; i < row->length; i++) {
        if (row->data[i] != '"') {
            *to++ = row->data[i];
            continue;
        }
        if (i + 1 >= row->length || row->data[i + 1] != '"')
            break;
        *to++ = row->data[i++];
    }
    out->field.length = (size_t)(to - out->field.data);
    out->next = i + 1;
    if (out->next < row->length && row->data[out->next] != ',')
        return refuse(why, ERR_CONTENT,
                      "line %zu: after the closing quote of a field a comma was expected", c->line);
    return OK;
}

static enum err cut_plain(const struct csv *c, const struct csv_line *row, size_t at,
                          struct cut *out, struct refusal *why)
{
    const char *start = row->data + at;
    const char *comma = at < row->length ? memchr(start, ',', row->length - at) : NULL;
    size_t length = comma == NULL ? row->length - at : (size_t)(comma - start);

    *out = (struct cut){{start, length}, at + length};
    if (row->quotes && length > 0 && memchr(start, '"', length) != NULL)
        return refuse(why, ERR_CONTENT,
                      "line %zu: a quote inside a field that does not begin with one", c->line);
    if (length > 0 && memchr(start, '\r', length) != NULL)
        return refuse(why, ERR_CONTENT,
                      "line %zu: a carriage return that no line feed follows, outside quotes",
                      c->line);
    return OK;
}

/* Cuts the row into at most max fields; *count is how many there are in all. */
static enum err cut_row(const struct csv *c, const struct csv_line *row, struct span *fields,
                        size_t max, size_t *count, struct refusal *why)
{
    size_t at = 0;

    for (*count = 0;; at++) {
        struct cut cut;

        if (at < row->length && row->data[at] == '"')
            TRY(cut_quoted(c, row, at, &cut, why));
        else
            TRY(cut_plain(c, row, at, &cut, why));
        if (cut.field.length > CSV_MAX_FIELD)
            return refuse(why, ERR_CONTENT, "line %zu: field %zu is longer than %d bytes", c->line,
                          *count + 1, CSV_MAX_FIELD);
        if (*count < max)
            fields[*count] = cut.field;
        (*count)++;
        at = cut.next;
        if (at >= row->length)
            return OK;
    }
}

static enum err take_names(struct csv *c, struct pool *pool, struct refusal *why)
{
    struct dict seen = dict_new(pool, CSV_MAX_COLUMNS);

    for (size_t i = 0; i < c->columns; i++) {
        struct span name = c->fields[i];
        long number;

        if (name.length == 0)
            return refuse(why, ERR_CONTENT, "line 1: column %zu has no name", i + 1);
        if (name.length > CSV_MAX_NAME)
            return refuse(why, ERR_CONTENT,
                          "line 1: the name of column %zu is longer than %d bytes", i + 1,
                          CSV_MAX_NAME);
        number = dict_add(&seen, name);
        if (number == DICT_NO_MEMORY)
            return refuse(why, ERR_TOO_LARGE, "no memory for the column names");
        if (number != (long)i)
            return refuse(why, ERR_CONTENT, "line 1: columns %ld and %zu are both named \"%.*s\"",
                          number + 1, i + 1, (int)name.length, name.data);
    }
    c->names = seen.keys;
    return OK;
}

static void skip_mark(struct csv_line *row)
{
    if (row->length >= 3 && memcmp(row->data, "\xEF\xBB\xBF", 3) == 0) {
        row->data += 3;
        row->length -= 3;
    }
}

static enum err read_header(struct csv *c, struct pool *pool, struct refusal *why)
{
    struct csv_line row;
    bool more;

    c->line = 1;
    TRY(csv_input_line(c->input, 1, &row, &more, why));
    if (more)
        skip_mark(&row);
    if (!more || row.length == 0)
        return refuse(why, ERR_CONTENT,
                      "line 1: a header with the names of the columns was expected");
    TRY(check_bytes(c, &row, why));
    TRY(pool_get(pool, CSV_MAX_COLUMNS, sizeof(*c->fields), &c->fields, why));
    TRY(cut_row(c, &row, c->fields, CSV_MAX_COLUMNS, &c->columns, why));
    if (c->columns > CSV_MAX_COLUMNS)
        return refuse(why, ERR_CONTENT, "line 1: %zu columns, more than %d", c->columns,
                      CSV_MAX_COLUMNS);
    TRY(take_names(c, pool, why));
    c->next_line = 1 + row.breaks;
    return OK;
}

static enum err open_input(struct csv *c, struct csv_input input, struct pool *pool,
                           struct refusal *why)
{
    enum err e;

    *c = (struct csv){0};
    TRY(pool_get(pool, 1, sizeof(*c->input), &c->input, why));
    *c->input = input;
    e = read_header(c, pool, why);
    if (e != OK)
        csv_close(c);
    return e;
}

enum err csv_open(struct csv *c, int fd, struct pool *pool, struct refusal *why)
{
    return open_input(c, (struct csv_input){.fd = fd}, pool, why);
}

enum err csv_open_memory(struct csv *c, struct span table, struct pool *pool, struct refusal *why)
{
    return open_input(c, (struct csv_input){.fd = -1, .memory = table}, pool, why);
}

void csv_close(struct csv *c)
{
    if (c->input != NULL)
        csv_input_free(c->input);
    c->input = NULL;
}

enum err csv_next(struct csv *c, bool *more, struct refusal *why)
{
    struct csv_line row;
    size_t count;

    do {
        c->line = c->next_line;
        TRY(csv_input_line(c->input, c->line, &row, more, why));
        if (!*more)
            return OK;
        c->next_line += row.breaks;
    } while (row.length == 0 && c->columns > 1);
    TRY(check_bytes(c, &row, why));
    TRY(cut_row(c, &row, c->fields, c->columns, &count, why));
    if (count != c->columns)
        return refuse(why, ERR_CONTENT, "line %zu: %zu fields where the header has %zu", c->line,
                      count, c->columns);
    return OK;
}

size_t csv_offset(const struct csv *c)
{
    return c->input->taken - (c->input->end - c->input->start);
}

long csv_column(const struct csv *c, struct span name)
{
    for (size_t i = 0; i < c->columns; i++)
        if (span_compare(c->names[i], name) == 0)
            return (long)i;
    return -1;
}
