/* SPDX-License-Identifier: Apache-2.0 */
#include "core/field.h"

#include "tests/unit/test.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* field_write against field_to_json, which is its oracle. */

struct inner {
    const char *word;
    int64_t number;
};

struct outer {
    const char *name;
    const char *words;
    const char *maybe;
    int64_t number;
    double real;
    double maybe_real;
    bool yes;
    json_t *any;
    json_t *object;
    json_t *maybe_any;
    struct texts list;
    struct inner inner;
};

static const struct field inner_fields[] = {
    OPT_TEXT(struct inner, word, 10),
    INT(struct inner, number, INT64_MIN, INT64_MAX),
    FIELDS_END,
};

static const struct field outer_fields[] = {
    NAME(struct outer, name),
    TEXT(struct outer, words, 100),
    OPT_TEXT(struct outer, maybe, 100),
    INT(struct outer, number, INT64_MIN, INT64_MAX),
    REAL(struct outer, real),
    OPT_REAL(struct outer, maybe_real),
    BOOL(struct outer, yes),
    JSON(struct outer, any),
    OBJECT(struct outer, object),
    OPT_JSON(struct outer, maybe_any),
    TEXTS(struct outer, list, 10),
    RECORD(struct outer, inner, inner_fields),
    FIELDS_END,
};

static const struct field optional_fields[] = {
    OPT_TEXT(struct outer, maybe, 100),
    OPT_REAL(struct outer, maybe_real),
    OPT_JSON(struct outer, maybe_any),
    FIELDS_END,
};

static bool same(const struct field *fields, const struct outer *in)
{
    struct text t = text_new(1 << 20);
    json_t *json = field_to_json(fields, in);
    char *wanted = json_dumps(json, JSON_COMPACT | JSON_ENCODE_ANY);
    bool fine;

    field_write(fields, in, &t);
    fine = !t.failed && wanted != NULL && strcmp(t.data, wanted) == 0;
    if (!fine)
        (void)printf("written %s\nwanted  %s\n", t.data, wanted == NULL ? "(none)" : wanted);
    free(wanted);
    json_decref(json);
    text_free(&t);
    return fine;
}

static void every_type_is_written_as_the_object_would_be(void)
{
    const char *items[] = {"a", "", "b\"c", "bad\xff", "d"};
    struct outer o = {.name = "n",
                      .words = "ä €\U0001F600 / \x7f",
                      .number = -5,
                      .real = 0.1,
                      .maybe_real = 3.0,
                      .yes = true,
                      .any = json_pack("[i,f,s,n,{s:{}}]", 1, 2.5, "x\ny", "k"),
                      .object = json_object(),
                      .list = {.items = items, .count = 5},
                      .inner = {.word = "w", .number = 7}};

    CHECK(same(outer_fields, &o));
    json_object_set_new(o.object, "b", json_string("\\"));
    json_object_set_new(o.object, "a", json_integer(INT64_MIN));
    o.maybe = "";
    CHECK(same(outer_fields, &o));
    json_decref(o.any);
    json_decref(o.object);
}

static void what_is_absent_is_null_or_left_out(void)
{
    struct outer o = {.name = NULL, .real = NAN, .maybe_real = INFINITY};

    CHECK(same(outer_fields, &o));
    CHECK(same(optional_fields, &o));
    o.words = o.maybe = "not \xc3\x28 UTF-8";
    CHECK(same(outer_fields, &o));
    CHECK(same(optional_fields, &o));
}

static void numbers_are_written_alike(void)
{
    static const int64_t ints[] = {0,   1,     -1,        9,         10,
                                   -10, 99999, INT64_MAX, INT64_MIN, INT64_MIN + 1};
    static const double reals[] = {0,
                                   -0.0,
                                   1,
                                   -1.5,
                                   1e21,
                                   1e-7,
                                   123456789.125,
                                   1e300,
                                   1e-300,
                                   0.30000000000000004,
                                   5e-324,
                                   4503599627370497.5};

    for (size_t i = 0; i < sizeof(ints) / sizeof(ints[0]); i++)
        CHECK(same(outer_fields,
                   &(struct outer){.number = ints[i], .inner = {.number = -ints[i / 2]}}));
    for (size_t i = 0; i < sizeof(reals) / sizeof(reals[0]); i++)
        CHECK(same(outer_fields, &(struct outer){.real = reals[i]}));
}

/* Every byte alone, and many random texts of few kinds of bytes. */
static void texts_are_escaped_alike(void)
{
    static const unsigned char kinds[] = {'a',  '"',  '\\', '\n', 1,    0x1f, 0x7f,
                                          0xc3, 0xa4, 0xe2, 0x82, 0xac, 0xf0, 0xff};
    char text[16];
    unsigned seed = 1;

    for (int c = 1; c < 256; c++) {
        (void)snprintf(text, sizeof(text), "x%cy", c);
        CHECK(same(outer_fields, &(struct outer){.words = text, .maybe = text}));
    }
    for (int i = 0; i < 100000; i++) {
        size_t length = (size_t)i % sizeof(text);

        for (size_t j = 0; j < length; j++) {
            seed = seed * 1664525 + 1013904223;
            text[j] = (char)kinds[(seed >> 16) % sizeof(kinds)];
        }
        text[length] = '\0';
        CHECK(same(optional_fields, &(struct outer){.maybe = text}));
    }
}

static void what_does_not_fit_is_said(void)
{
    struct text t = text_new(20);

    field_write(outer_fields, &(struct outer){.name = "n"}, &t);
    CHECK(t.failed && t.length <= 20);
    text_free(&t);
}

int main(void)
{
    RUN(every_type_is_written_as_the_object_would_be);
    RUN(what_is_absent_is_null_or_left_out);
    RUN(numbers_are_written_alike);
    RUN(texts_are_escaped_alike);
    RUN(what_does_not_fit_is_said);
    return failures > 0;
}
