/* SPDX-License-Identifier: Apache-2.0 */
#include "clients/cli/tensor.h"

#include "tests/unit/test.h"

#include <string.h>

static struct arena *arena;

static const char *parse(const char *text, struct csv *out)
{
    const char *wrong = csv_parse(arena, text, out);

    return wrong == NULL ? "" : wrong;
}

static void csv_is_read_as_rfc_4180_says(void)
{
    struct csv t;

    CHECK(strcmp(parse("\xEF\xBB\xBF"
                       "a,b\r\n\"x, \"\"y\"\"\",\n,\"\"",
                       &t),
                 "") == 0);
    CHECK(t.rows == 3 && t.columns == 2 && strcmp(t.fields[0], "a") == 0);
    CHECK(strcmp(t.fields[2], "x, \"y\"") == 0 && strcmp(t.fields[3], "") == 0);
    CHECK(strcmp(t.fields[4], "") == 0 && strcmp(t.fields[5], "") == 0);
    CHECK(strcmp(parse("", &t), "it is empty") == 0);
    CHECK(strcmp(parse("a,b\n1\n", &t), "row 2 has 1 fields, the header 2") == 0);
    CHECK(strcmp(parse("a\n\"x", &t), "row 2: a quoted field does not end") == 0);
    CHECK(strcmp(parse("a\n\"x\"y\n", &t), "row 2: there is something after a quoted field") == 0);
    CHECK(strcmp(parse("a\n\"\"\"\"\n", &t), "") == 0 && strcmp(t.fields[1], "\"") == 0);
}

static json_t *request(const char *metadata, const char *table, size_t count, const char **wrong)
{
    json_t *m = json_loads(metadata, 0, NULL);
    json_t *made;
    struct csv t;

    *wrong = csv_parse(arena, table, &t);
    made = *wrong != NULL ? NULL : tensor_request(arena, m, &t, count, wrong);
    json_decref(m);
    return made;
}

static bool same(json_t *made, const char *wanted)
{
    json_t *w = json_loads(wanted, 0, NULL);
    bool equal = made != NULL && json_equal(made, w);

    json_decref(made);
    json_decref(w);
    return equal;
}

static const char trained[] =
    "{\"inputs\":[{\"name\":\"features\",\"datatype\":\"FP64\",\"shape\":[-1,2]},"
    "{\"name\":\"colour\",\"datatype\":\"BYTES\",\"shape\":[-1,1]}],\"features\":["
    "{\"name\":\"b\",\"type\":\"real\",\"input\":\"features\",\"index\":0},"
    "{\"name\":\"a\",\"type\":\"real\",\"input\":\"features\",\"index\":1},"
    "{\"name\":\"hue\",\"type\":\"text\",\"input\":\"colour\"}]}";

static void columns_go_where_the_model_wants_them(void)
{
    const char *wrong;

    CHECK(same(request(trained, "a,hue,b,x\n1,red,2,9\n3,blue,,9\n5,x,6,9\n", 2, &wrong),
               "{\"inputs\":[{\"name\":\"features\",\"datatype\":\"FP64\",\"shape\":[2,2],"
               "\"data\":[2,1,null,3]},{\"name\":\"colour\",\"datatype\":\"BYTES\",\"shape\":[2,1],"
               "\"data\":[\"red\",\"blue\"]}]}"));
    CHECK(same(request("{\"inputs\":[{\"name\":\"x\",\"datatype\":\"FP32\",\"shape\":[-1,2]}]}",
                       "p,q\n1,2.5\n", 1, &wrong),
               "{\"inputs\":[{\"name\":\"x\",\"datatype\":\"FP32\",\"shape\":[1,2],"
               "\"data\":[1,2.5]}]}"));
}

static void what_the_table_lacks_is_named(void)
{
    const char *wrong;

    CHECK(request(trained, "a,b\n1,2\n", 1, &wrong) == NULL);
    CHECK(strcmp(wrong, "the model needs a column hue") == 0);
    CHECK(request(trained, "a,b,hue\n1,2,x\none,2,x\n", 2, &wrong) == NULL);
    CHECK(strcmp(wrong, "row 2: a is not a number") == 0);
}

static void answers_become_rows(void)
{
    json_t *answer = json_loads(
        "{\"outputs\":[{\"name\":\"label\",\"datatype\":\"BYTES\",\"shape\":[2],\"data\":[\"m\","
        "\"b\"]},"
        "{\"name\":\"p,q\",\"datatype\":\"FP64\",\"shape\":[2,2],\"data\":[0.1,0.9,0.8,0.2]}]}",
        0, NULL);
    json_t *bad =
        json_loads("{\"outputs\":[{\"name\":\"x\",\"shape\":[3],\"data\":[1]}]}", 0, NULL);
    const char *columns;

    CHECK(same(
        tensor_rows(arena, answer, &columns),
        "[{\"row\":1,\"o0\":\"m\",\"o1\":[0.1,0.9]},{\"row\":2,\"o0\":\"b\",\"o1\":[0.8,0.2]}]"));
    CHECK(strcmp(columns, "ROW=row>,label=o0,p_q=o1") == 0);
    CHECK(tensor_rows(arena, bad, &columns) == NULL);
    json_decref(answer);
    json_decref(bad);
}

int main(void)
{
    arena = arena_new();
    RUN(csv_is_read_as_rfc_4180_says);
    RUN(columns_go_where_the_model_wants_them);
    RUN(what_the_table_lacks_is_named);
    RUN(answers_become_rows);
    arena_free(arena);
    return failures != 0;
}
