/* SPDX-License-Identifier: Apache-2.0 */
#include "clients/cli/csv.h"

#include <string.h>

struct reader {
    struct arena *arena;
    const char *at;
    const char **fields;
    size_t count;
    size_t room;
};

static void put(struct reader *r, const char *field)
{
    if (r->count == r->room) {
        size_t room = r->room == 0 ? 256 : r->room * 2;
        const char **fields = arena_alloc(r->arena, room * sizeof(*fields));

        if (r->count > 0)
            memcpy(fields, r->fields, r->count * sizeof(*fields));
        r->fields = fields;
        r->room = room;
    }
    r->fields[r->count++] = field;
}

/* "a ""quoted"" field"; NULL when it never ends. */
static const char *quoted(struct reader *r)
{
    const char *end = ++r->at;
    char *text;
    size_t length = 0;

    for (; *end != '"' || end[1] == '"'; end += *end == '"' ? 2 : 1)
        if (*end == '\0')
            return NULL;
    text = arena_alloc(r->arena, (size_t)(end - r->at) + 1);
    for (; r->at < end; r->at++) {
        text[length++] = *r->at;
        r->at += *r->at == '"' ? 1 : 0;
    }
    r->at = end + 1;
    return text;
}

static const char *field(struct reader *r)
{
    const char *from = r->at;
    size_t length = strcspn(from, ",\r\n");

    if (*r->at == '"')
        return quoted(r);
    r->at += length;
    return arena_copy(r->arena, from, length);
}

static bool line_end(struct reader *r)
{
    r->at += *r->at == '\r' ? 1 : 0;
    if (*r->at != '\n')
        return *r->at == '\0';
    r->at++;
    return true;
}

/* One row; what is wrong, or NULL. */
static const char *row(struct reader *r)
{
    for (;;) {
        const char *one = field(r);

        if (one == NULL)
            return "a quoted field does not end";
        put(r, one);
        if (*r->at != ',')
            return line_end(r) ? NULL : "there is something after a quoted field";
        r->at++;
    }
}

const char *csv_parse(struct arena *a, const char *text, struct csv *out)
{
    struct reader r = {.arena = a, .at = text};

    *out = (struct csv){0};
    if (strncmp(text, "\xEF\xBB\xBF", 3) == 0)
        r.at += 3;
    while (*r.at != '\0') {
        size_t before = r.count;
        const char *wrong = row(&r);

        if (wrong != NULL)
            return arena_printf(a, "row %zu: %s", out->rows + 1, wrong);
        if (out->rows == 0)
            out->columns = r.count;
        if (r.count - before != out->columns)
            return arena_printf(a, "row %zu has %zu fields, the header %zu", out->rows + 1,
                                r.count - before, out->columns);
        out->rows++;
    }
    out->fields = r.fields;
    return out->rows == 0 ? "it is empty" : NULL;
}
