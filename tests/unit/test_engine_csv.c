/* SPDX-License-Identifier: Apache-2.0 */
#include "compute/engine/csv.h"
#include "compute/engine/value.h"
#include "tests/unit/test_engine.h"

#include <math.h>

/* Reads a whole table, and joins its rows as "a|b;c|d;". */
static enum err join_table(struct span table, char *out, size_t room, struct refusal *why)
{
    struct pool pool = pool_new(1 << 26);
    struct csv c;
    bool more = true;
    size_t length = 0;
    enum err e = csv_open_memory(&c, table, &pool, why);

    out[0] = '\0';
    while (e == OK && more) {
        e = csv_next(&c, &more, why);
        for (size_t i = 0; e == OK && more && i < c.columns; i++)
            length +=
                (size_t)snprintf(out + length, room - length, "%.*s%s", (int)c.fields[i].length,
                                 c.fields[i].data, i + 1 < c.columns ? "|" : ";");
    }
    csv_close(&c);
    pool_free(&pool);
    return e;
}

static void csv_reads_what_rfc_4180_allows(void)
{
    static const char *const cases[][2] = {
        {"a,b\n1,2\n", "1|2;"},
        {"a,b\n1,2", "1|2;"},
        {"a,b\r\n1,2\r\n", "1|2;"},
        {"\xEF\xBB\xBF"
         "a,b\n1,2\n",
         "1|2;"},
        {"a,b\n\"x,y\",\"say \"\"hi\"\"\"\n", "x,y|say \"hi\";"},
        {"a,b\n\"line\nbreak\",2\n3,4\n", "line\nbreak|2;3|4;"},
        {"a,b\n,\n", "|;"},
        {"a,b\n\"\",\"\"\"\"\n", "|\";"},
        {"a,b\n\n1,2\n\n\n", "1|2;"},
        {"a\n\nx\n", ";x;"},
        {"a,b\n", ""},
        {"\"a\",\"b\"\n\xC3\xA4,\xF0\x9F\x98\x80\n", "\xC3\xA4|\xF0\x9F\x98\x80;"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct refusal why;
        char out[256];

        CHECK(join_table((struct span){cases[i][0], strlen(cases[i][0])}, out, sizeof(out), &why) ==
              OK);
        CHECK(strcmp(out, cases[i][1]) == 0);
    }
}

static void csv_refuses_the_rest_by_line(void)
{
    static const struct {
        const char *table;
        size_t length;
        const char *words;
    } cases[] = {
        {"", 0, "line 1: a header"},
        {"\n1\n", 3, "line 1: a header"},
        {"a,b\n1,2\n3\n", 0, "line 3: 1 fields where the header has 2"},
        {"a,b\n1,2,3\n", 0, "line 2: 3 fields where the header has 2"},
        {"a,b\n\"x\ny\",2\n3\n", 0, "line 4: 1 fields"},
        {"a,b\n1,x\"y\n,\"\n", 0, "line 2: a quote inside a field"},
        {"a,b\n1,\"x\"y\n", 0, "line 2: after the closing quote"},
        {"a,b\n1,\"x\n", 0, "line 2: a quoted field is never closed"},
        {"a,b\n1,x\ry\n", 0, "line 2: a carriage return"},
        {"a,b\n1,\0\n", 8, "line 2: a NUL byte"},
        {"a,b\n1,\xC3(\n", 0, "line 2: bytes that are not UTF-8"},
        {"a,a\n1,2\n", 0, "columns 1 and 2 are both named \"a\""},
        {"a,\n1,2\n", 0, "line 1: column 2 has no name"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        size_t length = cases[i].length > 0 ? cases[i].length : strlen(cases[i].table);
        struct refusal why = {0};
        char out[256];

        CHECK(join_table((struct span){cases[i].table, length}, out, sizeof(out), &why) ==
              ERR_CONTENT);
        CHECK(strstr(why.text, cases[i].words) != NULL);
    }
}

/* Rows far longer than the buffer, so that fields move while they are read. */
static void csv_reads_long_rows(void)
{
    enum { LONG = 900000, ROWS = 5 };
    char *table = malloc((size_t)ROWS * (LONG + 10) + 10), *at = table;
    struct pool pool = pool_new(1 << 28);
    struct refusal why;
    struct csv c;
    bool more;

    at += snprintf(at, 8, "a,b\n");
    for (int r = 0; r < ROWS; r++) {
        *at++ = '"';
        memset(at, 'a' + r, LONG);
        at[LONG / 2] = '\n';
        at += LONG;
        at += snprintf(at, 10, "\",%d\n", r);
    }
    CHECK(csv_open_memory(&c, (struct span){table, (size_t)(at - table)}, &pool, &why) == OK);
    for (int r = 0; r < ROWS; r++) {
        CHECK(csv_next(&c, &more, &why) == OK && more);
        CHECK(c.fields[0].length == LONG && c.fields[0].data[LONG - 1] == 'a' + r);
        CHECK(c.fields[1].data[0] == '0' + r && c.line == 2 + 2 * (size_t)r);
    }
    CHECK(csv_next(&c, &more, &why) == OK && !more);
    CHECK(csv_offset(&c) == (size_t)(at - table));
    csv_close(&c);
    pool_free(&pool);
    free(table);
}

/* One field over its limit, and a quote that never closes before the row's limit. */
static void csv_bounds_fields_and_rows(void)
{
    size_t length = CSV_MAX_ROW + (1 << 20);
    char *table = malloc(length), out[16];
    struct refusal why;

    memset(table, 'x', length);
    memcpy(table, "a\n", 2);
    table[CSV_MAX_FIELD + 100] = '\n';
    CHECK(join_table((struct span){table, CSV_MAX_FIELD + 101}, out, sizeof(out), &why) ==
          ERR_CONTENT);
    CHECK(strstr(why.text, "line 2: field 1 is longer than") != NULL);
    table[CSV_MAX_FIELD + 100] = 'x';
    table[2] = '"';
    CHECK(join_table((struct span){table, length}, out, sizeof(out), &why) == ERR_CONTENT);
    CHECK(strstr(why.text, "line 2: the row is longer than") != NULL);
    free(table);
}

static void values_have_kinds(void)
{
    static const struct {
        const char *cell;
        enum kind kind;
        double number;
    } cases[] = {
        {"", KIND_MISSING, NAN},
        {"NA", KIND_MISSING, NAN},
        {" nan ", KIND_MISSING, NAN},
        {"NULL", KIND_MISSING, NAN},
        {"0", KIND_INTEGER, 0},
        {"-17", KIND_INTEGER, -17},
        {"+5", KIND_INTEGER, 5},
        {" 12\t", KIND_INTEGER, 12},
        {"1.", KIND_REAL, 1},
        {".5", KIND_REAL, 0.5},
        {"1e3", KIND_REAL, 1000},
        {"-2.5E-3", KIND_REAL, -0.0025},
        {"True", KIND_BOOLEAN, 1},
        {"false", KIND_BOOLEAN, 0},
        {"1e999", KIND_TEXT, NAN},
        {"inf", KIND_TEXT, NAN},
        {"0x10", KIND_TEXT, NAN},
        {"1 2", KIND_TEXT, NAN},
        {".", KIND_TEXT, NAN},

        {"abc", KIND_TEXT, NAN},
        {"9007199254740992", KIND_INTEGER, 0x1p53},
        {"9007199254740993", KIND_REAL, 0x1p53},
        {"123456789012345678901234567890", KIND_REAL, 123456789012345678901234567890.0},
        {"1e-400", KIND_REAL, 0},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct span cell = {cases[i].cell, strlen(cases[i].cell)};
        struct value v = value_read(cell);

        CHECK(v.kind == cases[i].kind && value_kind(cell) == v.kind);
        CHECK(v.number == cases[i].number || (isnan(v.number) && isnan(cases[i].number)));
    }
}

/* The fast paths round as the library does, and what is written reads back. */
static void numbers_round_as_strtod(void)
{
    uint64_t state = 1;

    for (int i = 0; i < 200000; i++) {
        char text[64];
        double want, scale[] = {1, 1e-3, 1e9, 1e-20, 1e60};
        struct value v;
        int n;

        state = state * 6364136223846793005U + 1442695040888963407U;
        n = snprintf(text, sizeof(text), "%.*g", 1 + i % 19,
                     ((double)(state >> 11) - 0x1p52) * scale[i % 5]);
        want = strtod(text, NULL);
        v = value_read((struct span){text, (size_t)n});
        CHECK(v.number == want);
        n = (int)value_write(want, text);
        CHECK(strtod(text, NULL) == want && text[n] == '\0');
    }
}

int main(void)
{
    RUN(csv_reads_what_rfc_4180_allows);
    RUN(csv_refuses_the_rest_by_line);
    RUN(csv_reads_long_rows);
    RUN(csv_bounds_fields_and_rows);
    RUN(values_have_kinds);
    RUN(numbers_round_as_strtod);
    return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
