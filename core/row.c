/* SPDX-License-Identifier: Apache-2.0 */
#include "core/row.h"

#include "core/log.h"
#include "core/text.h"

#include <stdlib.h>
#include <string.h>

enum { BYTEA = 17, TIMESTAMPTZ = 1184, TEXT_ARRAY = 1009 }; /* pg_type.oid */

static void release_json(void *json)
{
    json_decref(json);
}

/* "2026-11-21 08:00:00.123456+00", as PostgreSQL writes it in UTC, to RFC 3339 with milliseconds.
 */
static const char *rfc3339(struct arena *a, const char *text)
{
    const char *dot = strchr(text, '.');
    char *out;

    if (strlen(text) < 19)
        return text;
    out = arena_copy(a, "YYYY-MM-DDThh:mm:ss.000Z", TIME_SIZE - 1);
    memcpy(out, text, 10);
    memcpy(out + 11, text + 11, 8);
    for (size_t i = 0; dot != NULL && i < 3 && dot[1 + i] >= '0' && dot[1 + i] <= '9'; i++)
        out[20 + i] = dot[1 + i];
    return out;
}

static const char *text_value(struct arena *a, const PGresult *result, int row, int column)
{
    const char *text = PQgetvalue(result, row, column);

    switch (PQftype(result, column)) {
    case TIMESTAMPTZ:
        return rfc3339(a, text);
    case BYTEA:
        return strncmp(text, "\\x", 2) == 0 ? text + 2 : text;
    default:
        return text;
    }
}

static const char *array_item(struct arena *a, const char **at)
{
    const char *p = *at;
    char *item = arena_alloc(a, strlen(p) + 1);
    size_t n = 0;
    bool quoted = *p == '"';

    for (p += quoted; *p != '\0' && (quoted ? *p != '"' : *p != ',' && *p != '}'); p++) {
        if (*p == '\\' && p[1] != '\0')
            p++;
        item[n++] = *p;
    }
    *at = p + (quoted && *p == '"');
    return item;
}

/* {a,"b c"} */
static void texts_value(struct arena *a, const char *text, struct texts *out)
{
    size_t most = 1;
    const char *p = text + (*text == '{');

    for (const char *c = text; *c != '\0'; c++)
        most += *c == ',';
    out->items = arena_alloc(a, most * sizeof(*out->items));
    out->count = 0;
    while (*p != '\0' && *p != '}') {
        out->items[out->count++] = array_item(a, &p);
        p += *p == ',';
    }
}

static enum err json_value(struct arena *a, const char *text, json_t **out)
{
    json_error_t error;

    *out = json_loads(text, JSON_DECODE_ANY, &error);
    if (*out == NULL) {
        log_ours("a json column does not parse: %s", error.text);
        return ERR_INTERNAL;
    }
    arena_own(a, *out, release_json);
    return OK;
}

static enum err read_value(struct arena *a, const struct field *f, const PGresult *result, int row,
                           int column, void *at)
{
    const char *text = PQgetvalue(result, row, column);

    switch (f->type) {
    case FIELD_INT:
        *(int64_t *)at = strtoll(text, NULL, 10);
        break;
    case FIELD_REAL:
        *(double *)at = strtod(text, NULL);
        break;
    case FIELD_BOOL:
        *(bool *)at = *text == 't';
        break;
    case FIELD_JSON:
    case FIELD_OBJECT:
        return json_value(a, text, at);
    case FIELD_TEXTS:
        texts_value(a, text, at);
        break;
    case FIELD_TEXT:
    case FIELD_NAME:
    case FIELD_TIME:
        *(const char **)at = text_value(a, result, row, column);
        break;
    case FIELD_RECORD:
        return ERR_INTERNAL; /* a row is flat */
    }
    return OK;
}

static size_t value_size(enum field_type type)
{
    switch (type) {
    case FIELD_BOOL:
        return sizeof(bool);
    case FIELD_TEXTS:
        return sizeof(struct texts);
    default:
        return sizeof(int64_t);
    }
}

/* Statements mostly give their columns in the order of the fields. */
static int column_of(const PGresult *result, const char *name, int guess)
{
    const char *there = PQfname(result, guess);

    return there != NULL && strcmp(there, name) == 0 ? guess : PQfnumber(result, name);
}

enum err row_read(struct arena *a, const struct field *fields, const PGresult *result, int row,
                  void *out)
{
    for (const struct field *f = fields; f->name != NULL; f++) {
        int column = column_of(result, f->name, (int)(f - fields));
        void *at = (char *)out + f->offset;

        if (column < 0) {
            log_ours("the statement gives no column %s", f->name);
            return ERR_INTERNAL;
        }
        memset(at, 0, value_size(f->type));
        if (!PQgetisnull(result, row, column))
            TRY(read_value(a, f, result, row, column, at));
    }
    return OK;
}
