/* SPDX-License-Identifier: Apache-2.0 */
#include "clients/cli/table.h"

#include "clients/cli/print.h"
#include "clients/cli/tree.h"
#include "tests/unit/test.h"

#include <locale.h>
#include <string.h>

static void widths_count_columns_of_the_terminal(void)
{
    CHECK(text_width("") == 0 && text_width("abc") == 3);
    CHECK(text_width("é") == 1 && text_width("e\xCC\x81") == 1);
    CHECK(text_width("模型") == 4);
    CHECK(text_width("\xFF\xFE") == 2);
}

static void nothing_steers_the_terminal(void)
{
    struct arena *a = arena_new();

    CHECK(strcmp(clean_text(a, "a\033[2Jb"), "a?[2Jb") == 0);
    CHECK(strcmp(clean_text(a, "a\nb\tc"), "a b c") == 0);
    CHECK(strcmp(clean_text(a, "\xC2\x9B"), "?") == 0 || strchr(clean_text(a, "\xC2\x9B"), '?'));
    CHECK(strcmp(clean_text(a, "\xFFx"), "?x") == 0);
    CHECK(strcmp(clean_text(a, "模型"), "模型") == 0);
    arena_free(a);
}

static void values_read_as_people_write(void)
{
    static const char text[] =
        "{\"t\": \"2026-01-31T08:00:00.123Z\", \"n\": 12, \"r\": 0.97541,"
        " \"b\": true, \"z\": null, \"l\": [\"a\", 1], \"o\": {\"k\": \"v\"},"
        " \"e\": []}";
    struct arena *a = arena_new();
    json_t *o = json_loads(text, 0, NULL);

    CHECK(strcmp(cell_text(a, json_object_get(o, "t")), "2026-01-31 08:00:00") == 0);
    CHECK(strcmp(cell_text(a, json_object_get(o, "n")), "12") == 0);
    CHECK(strcmp(cell_text(a, json_object_get(o, "r")), "0.97541") == 0);
    CHECK(strcmp(cell_text(a, json_object_get(o, "b")), "yes") == 0);
    CHECK(strcmp(cell_text(a, json_object_get(o, "z")), "-") == 0);
    CHECK(strcmp(cell_text(a, json_object_get(o, "absent")), "-") == 0);
    CHECK(strcmp(cell_text(a, json_object_get(o, "l")), "a, 1") == 0);
    CHECK(strcmp(cell_text(a, json_object_get(o, "o")), "k=v") == 0);
    CHECK(strcmp(cell_text(a, json_object_get(o, "e")), "-") == 0);
    CHECK(member_at(o, "o.k") != NULL && member_at(o, "o.k.x") == NULL && !member_at(o, "n.k"));
    json_decref(o);
    arena_free(a);
}

static void columns_stand_straight(void)
{
    struct arena *a = arena_new();
    struct table *t = table_new(a, "NAME=name,SIZE=size>,BY=who.name");
    json_t *one = json_loads("{\"name\":\"模型\",\"size\":5,\"who\":{\"name\":\"ann\"}}", 0, NULL);
    json_t *two = json_loads("{\"name\":\"credit\",\"size\":1234567}", 0, NULL);
    struct text out = text_new(10000);

    table_add(t, one);
    table_add(t, two);
    table_write(t, &out, false);
    CHECK(strcmp(out.data, "NAME       SIZE  BY\n"
                           "模型          5  ann\n"
                           "credit  1234567  -\n") == 0);
    text_free(&out);
    table_write(t, &out, true);
    CHECK(strncmp(out.data, "\033[1mNAME", 8) == 0 && strstr(out.data, "BY\033[0m\n") != NULL);
    text_free(&out);
    json_decref(one);
    json_decref(two);
    arena_free(a);
}

static void objects_are_lines_and_lists_of_objects_tables(void)
{
    struct arena *a = arena_new();
    json_t *o =
        json_loads("{\"id\":\"x\",\"metrics\":{\"accuracy\":0.5},\"files\":[{\"path\":\"a\","
                   "\"size\":1},{\"path\":\"bb\",\"size\":2}],\"none\":{}}",
                   0, NULL);
    struct text out = text_new(10000);

    object_text(a, o, 0, &out);
    CHECK(strcmp(out.data, "id    x\n"
                           "metrics\n"
                           "  accuracy  0.5\n"
                           "files\n"
                           "  path  size\n"
                           "  a     1\n"
                           "  bb    2\n"
                           "none  -\n") == 0);
    CHECK(strcmp(size_text(a, 1023), "1023 B") == 0 && strcmp(size_text(a, 1536), "1.5 KiB") == 0);
    text_free(&out);
    json_decref(o);
    arena_free(a);
}

static void a_graph_is_drawn_as_a_tree(void)
{
    static const char graph[] = "{\"root\":\"m\",\"nodes\":[{\"name\":\"m\",\"digest\":"
                                "\"0123456789abcdef\"},{\"name\":\"j\"},"
                                "{\"name\":\"d\"},{\"redacted\":true,\"id\":\"r\"}],"
                                "\"edges\":[{\"src\":\"j\",\"dst\":\"m\",\"kind\":\"made\"},"
                                "{\"src\":\"d\",\"dst\":\"j\",\"kind\":\"input\"},{\"src\":\"r\","
                                "\"dst\":\"j\",\"kind\":\"input\"},"
                                "{\"src\":\"d\",\"dst\":\"m\",\"kind\":\"seen\"},{\"src\":\"m\","
                                "\"dst\":\"d\",\"kind\":\"loop\"}]}";
    struct arena *a = arena_new();
    json_t *g = json_loads(graph, 0, NULL);
    struct text out = text_new(10000);

    tree_write(a, g, true, &out);
    CHECK(strcmp(out.data, "m  sha256 0123456789ab\n"
                           "├── j  (made)\n"
                           "│   ├── d  (input)\n"
                           "│   │   └── m  (loop)  sha256 0123456789ab  (see above)\n"
                           "│   └── (something you may not see)  (input)\n"
                           "└── d  (seen)  (see above)\n") == 0);
    text_free(&out);
    json_decref(g);
    arena_free(a);
}

int main(void)
{
    if (setlocale(LC_CTYPE, "C.UTF-8") == NULL)
        return 1;
    RUN(widths_count_columns_of_the_terminal);
    RUN(nothing_steers_the_terminal);
    RUN(values_read_as_people_write);
    RUN(columns_stand_straight);
    RUN(objects_are_lines_and_lists_of_objects_tables);
    RUN(a_graph_is_drawn_as_a_tree);
    return failures != 0;
}
