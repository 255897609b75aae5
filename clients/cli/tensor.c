/* SPDX-License-Identifier: Apache-2.0 */
#include "clients/cli/tensor.h"

#include "clients/cli/table.h"

#include <stdlib.h>
#include <string.h>

enum { OUTPUTS_MAX = 8, WIDTH_MAX = 100000 };

static size_t column_named(const struct csv *table, const char *name)
{
    size_t i = 0;

    while (i < table->columns && strcmp(table->fields[i], name) != 0)
        i++;
    return i;
}

static const char *text_at(const json_t *object, const char *member)
{
    const char *text = json_string_value(json_object_get(object, member));

    return text == NULL ? "" : text;
}

/* Elements in a row of the tensor: the product of all dimensions but the first. */
static size_t width_of(const json_t *shape)
{
    size_t width = 1;

    for (size_t i = 1; i < json_array_size(shape); i++) {
        json_int_t n = json_integer_value(json_array_get(shape, i));

        width *= n < 1 ? 1 : (size_t)n;
        if (width > WIDTH_MAX)
            return 0;
    }
    return width;
}

/* Which column of the table is element k of the input's rows; columns when there is none. */
static size_t column_of(const json_t *metadata, const json_t *input, const struct csv *table,
                        size_t k, const char **name)
{
    const char *input_name = text_at(input, "name");
    const json_t *feature;
    size_t i;

    json_array_foreach(json_object_get(metadata, "features"), i, feature)
    {
        if (strcmp(text_at(feature, "input"), input_name) != 0 ||
            (size_t)json_integer_value(json_object_get(feature, "index")) != k)
            continue;
        *name = text_at(feature, "name");
        return column_named(table, *name);
    }
    *name = input_name;
    return width_of(json_object_get(input, "shape")) == 1 ? column_named(table, input_name) : k;
}

/* An empty cell is null: a value that is missing. */
static json_t *element(const char *cell, const char *type)
{
    json_t *number;

    if (strcmp(type, "BYTES") == 0)
        return json_string(cell);
    if (*cell == '\0')
        return json_null();
    if (strcmp(type, "BOOL") == 0)
        return json_boolean(strcmp(cell, "true") == 0 || strcmp(cell, "1") == 0);
    number = json_loads(cell, JSON_DECODE_ANY, NULL);
    if (!json_is_number(number)) {
        json_decref(number);
        return NULL;
    }
    return number;
}

static json_t *input_data(struct arena *a, const json_t *metadata, const json_t *input,
                          const struct csv *table, size_t count, const char **wrong)
{
    size_t width = width_of(json_object_get(input, "shape"));
    json_t *data = json_array();

    for (size_t at = 0; at < count * width; at++) {
        size_t row = at / width + 1;
        const char *name;
        size_t column = column_of(metadata, input, table, at % width, &name);
        json_t *one =
            column >= table->columns
                ? NULL
                : element(table->fields[row * table->columns + column], text_at(input, "datatype"));

        if (one == NULL) {
            *wrong = column >= table->columns
                         ? arena_printf(a, "the model needs a column %s", name)
                         : arena_printf(a, "row %zu: %s is not a number", row, name);
            json_decref(data);
            return NULL;
        }
        (void)json_array_append_new(data, one);
    }
    return data;
}

static json_t *shape_of(const json_t *shape, size_t count)
{
    json_t *out = json_deep_copy(shape);

    (void)json_array_set_new(out, 0, json_integer((json_int_t)count));
    return out;
}

json_t *tensor_request(struct arena *a, const json_t *metadata, const struct csv *table,
                       size_t count, const char **wrong)
{
    json_t *inputs = json_array();
    const json_t *input;
    size_t i;

    json_array_foreach(json_object_get(metadata, "inputs"), i, input)
    {
        json_t *data = input_data(a, metadata, input, table, count, wrong);

        if (data == NULL) {
            json_decref(inputs);
            return NULL;
        }
        (void)json_array_append_new(
            inputs, json_pack("{s:s, s:s, s:o, s:o}", "name", text_at(input, "name"), "datatype",
                              text_at(input, "datatype"), "shape",
                              shape_of(json_object_get(input, "shape"), count), "data", data));
    }
    return json_pack("{s:o}", "inputs", inputs);
}

/* A heading that does not upset the notation of columns. */
static const char *heading(struct arena *a, const json_t *output)
{
    char *name = arena_text(a, text_at(output, "name"));

    for (char *at = name; *at != '\0'; at++)
        if (*at == ',' || *at == '=')
            *at = '_';
    return name;
}

/* Row number row of an output: one value, or as many as its rows are wide. */
static json_t *value_at(const json_t *output, size_t row)
{
    const json_t *data = json_object_get(output, "data");
    size_t width = width_of(json_object_get(output, "shape"));
    json_t *list;

    if (width == 1)
        return json_incref(json_array_get(data, row));
    list = json_array();
    for (size_t i = 0; i < width; i++)
        (void)json_array_append(list, json_array_get(data, row * width + i));
    return list;
}

json_t *tensor_rows(struct arena *a, const json_t *answer, const char **columns)
{
    const json_t *outputs = json_object_get(answer, "outputs");
    const json_t *shape = json_object_get(json_array_get(outputs, 0), "shape");
    json_int_t count = json_integer_value(json_array_get(shape, 0));
    size_t used = json_array_size(outputs) < OUTPUTS_MAX ? json_array_size(outputs) : OUTPUTS_MAX;
    json_t *rows = json_array();
    char member[32];

    *columns = "ROW=row>";
    for (size_t i = 0; i < used; i++) {
        const json_t *output = json_array_get(outputs, i);
        size_t width = width_of(json_object_get(output, "shape"));

        if (json_array_size(json_object_get(output, "data")) != (size_t)count * width) {
            json_decref(rows);
            return NULL;
        }
        *columns = arena_printf(a, "%s,%s=o%zu", *columns, heading(a, output), i);
    }
    for (json_int_t row = 0; row < count; row++) {
        json_t *one = json_pack("{s:I}", "row", row + 1);

        for (size_t i = 0; i < used; i++) {
            (void)snprintf(member, sizeof(member), "o%zu", i);
            (void)json_object_set_new(one, member,
                                      value_at(json_array_get(outputs, i), (size_t)row));
        }
        (void)json_array_append_new(rows, one);
    }
    return rows;
}
