/* SPDX-License-Identifier: Apache-2.0 */
#include "clients/cli/table.h"

#include <limits.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>
#include <wctype.h>

enum { COLUMNS_MAX = 12, GAP = 2, CELL_MAX = 4096, TIME_TEXT = 24 };

struct row {
    struct row *next;
    const char *cells[COLUMNS_MAX];
};

struct table {
    struct arena *arena;
    const char *heads[COLUMNS_MAX];
    const char *members[COLUMNS_MAX];
    bool right[COLUMNS_MAX];
    size_t columns;
    struct row *first;
    struct row **last;
};

/* The next character: its bytes, and its columns or -1 when it must not reach a terminal. */
static size_t step(const char *s, int *columns)
{
    mbstate_t state = {0};
    wchar_t c;
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): the state is our own */
    size_t bytes = mbrtowc(&c, s, strnlen(s, MB_LEN_MAX), &state);

    if (bytes == 0 || bytes > MB_LEN_MAX) {
        *columns = -1;
        return 1;
    }
    *columns = iswcntrl((wint_t)c) ? -1 : wcwidth(c);
    return bytes;
}

size_t text_width(const char *s)
{
    size_t width = 0;

    while (*s != '\0') {
        int columns;

        s += step(s, &columns);
        width += columns < 0 ? 1 : (size_t)columns;
    }
    return width;
}

char *clean_text(struct arena *a, const char *s)
{
    struct text out = text_new(CELL_MAX);
    char *kept;

    while (*s != '\0') {
        int columns;
        size_t bytes = step(s, &columns);

        if (columns < 0)
            text_puts(&out, *s == '\n' || *s == '\t' ? " " : "?");
        else
            text_add(&out, s, bytes);
        s += bytes;
    }
    if (out.failed)
        out.data[out.length] = '\0';
    kept = arena_text(a, out.data == NULL ? "" : out.data);
    text_free(&out);
    return kept;
}

/* "2026-01-31T08:00:00.123Z" as "2026-01-31 08:00:00". */
static char *string_text(struct arena *a, const char *s)
{
    int64_t ms;

    if (*s == '\0')
        return arena_text(a, "-");
    if (strlen(s) != TIME_TEXT || !time_parse(s, &ms))
        return clean_text(a, s);
    return arena_printf(a, "%.10s %.8s", s, s + 11);
}

static char *join(struct arena *a, const json_t *value)
{
    char *all = NULL;
    const char *key;
    const json_t *item;
    size_t i;

    json_array_foreach(value, i, item) all =
        all == NULL ? cell_text(a, item) : arena_printf(a, "%s, %s", all, cell_text(a, item));
    json_object_foreach((json_t *)value, key, item) all =
        arena_printf(a, "%s%s%s=%s", all == NULL ? "" : all, all == NULL ? "" : ", ",
                     clean_text(a, key), cell_text(a, item));
    return all == NULL ? arena_text(a, "-") : all;
}

char *cell_text(struct arena *a, const json_t *value)
{
    switch (value == NULL ? JSON_NULL : json_typeof(value)) {
    case JSON_STRING:
        return string_text(a, json_string_value(value));
    case JSON_INTEGER:
        return arena_printf(a, "%lld", (long long)json_integer_value(value));
    case JSON_REAL:
        return arena_printf(a, "%.6g", json_real_value(value));
    case JSON_TRUE:
        return arena_text(a, "yes");
    case JSON_FALSE:
        return arena_text(a, "no");
    case JSON_ARRAY:
    case JSON_OBJECT:
        return join(a, value);
    case JSON_NULL:
        break;
    }
    return arena_text(a, "-");
}

const json_t *member_at(const json_t *object, const char *path)
{
    while (object != NULL) {
        size_t length = strcspn(path, ".");

        object = json_object_getn(object, path, length);
        if (path[length] == '\0')
            return object;
        path += length + 1;
    }
    return NULL;
}

struct table *table_new(struct arena *a, const char *columns)
{
    struct table *t = arena_alloc(a, sizeof(*t));

    t->arena = a;
    t->last = &t->first;
    while (*columns != '\0' && t->columns < COLUMNS_MAX) {
        size_t length = strcspn(columns, ",");
        size_t head = strcspn(columns, "=");
        bool right = columns[length - 1] == '>';

        t->heads[t->columns] = arena_copy(a, columns, head);
        t->members[t->columns] =
            arena_copy(a, columns + head + 1, length - head - 1 - (right ? 1 : 0));
        t->right[t->columns++] = right;
        columns += length + (columns[length] == ',' ? 1 : 0);
    }
    return t;
}

void table_add(struct table *t, const json_t *object)
{
    struct row *r = arena_alloc(t->arena, sizeof(*r));

    for (size_t i = 0; i < t->columns; i++)
        r->cells[i] = cell_text(t->arena, member_at(object, t->members[i]));
    *t->last = r;
    t->last = &r->next;
}

static void spaces(struct text *out, size_t count)
{
    text_printf(out, "%*s", (int)count, "");
}

static void line(const struct table *t, const char *const *cells, const size_t *widths,
                 struct text *out)
{
    for (size_t i = 0; i < t->columns; i++) {
        size_t pad = widths[i] - text_width(cells[i]);
        bool last = i + 1 == t->columns;

        if (t->right[i])
            spaces(out, pad);
        text_puts(out, cells[i]);
        if (!last)
            spaces(out, (t->right[i] ? 0 : pad) + GAP);
    }
}

void table_write(const struct table *t, struct text *out, bool bold)
{
    size_t widths[COLUMNS_MAX] = {0};

    for (size_t i = 0; i < t->columns; i++) {
        widths[i] = text_width(t->heads[i]);
        for (const struct row *r = t->first; r != NULL; r = r->next)
            if (text_width(r->cells[i]) > widths[i])
                widths[i] = text_width(r->cells[i]);
    }
    text_puts(out, bold ? "\033[1m" : "");
    line(t, t->heads, widths, out);
    text_puts(out, bold ? "\033[0m\n" : "\n");
    for (const struct row *r = t->first; r != NULL; r = r->next) {
        line(t, r->cells, widths, out);
        text_puts(out, "\n");
    }
}
