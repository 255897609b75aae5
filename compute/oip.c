/* SPDX-License-Identifier: Apache-2.0 */
#include "compute/oip.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static void release_json(void *json)
{
    json_decref(json);
}

/* Values of a tensor, nested or flat, in row-major order. */
struct flat {
    const json_t **items;
    size_t count;
    size_t room;
};

static bool flatten(const json_t *data, struct flat *out, int depth)
{
    size_t i;
    json_t *item;

    if (depth > 4)
        return false;
    json_array_foreach(data, i, item)
    {
        if (json_is_array(item)) {
            if (!flatten(item, out, depth + 1))
                return false;
        } else {
            if (out->count == out->room)
                return false;
            out->items[out->count++] = item;
        }
    }
    return true;
}

static enum err refuse(struct request *rq, const char *input, const char *why)
{
    rq->target = input;
    return fail(rq, ERR_INVALID, "input %s %s", input, why);
}

static const json_t *input_named(const json_t *inputs, const char *name)
{
    size_t i;
    json_t *input;

    json_array_foreach(inputs, i, input)
    {
        const char *have = json_string_value(json_object_get(input, "name"));

        if (have != NULL && strcmp(have, name) == 0)
            return input;
    }
    return NULL;
}

/* shape must be [rows, columns], or [columns] for one row. */
static enum err read_shape(struct request *rq, const char *name, const json_t *input,
                           int64_t columns, int64_t *rows)
{
    const json_t *shape = json_object_get(input, "shape");
    size_t rank = json_array_size(shape);
    int64_t first = json_integer_value(json_array_get(shape, 0));
    int64_t last = json_integer_value(json_array_get(shape, rank == 0 ? 0 : rank - 1));
    int64_t have = rank == 2 ? first : columns == 1 ? last : 1;

    if (rank < 1 || rank > 2 || (rank == 2 || columns > 1 ? last != columns : false))
        return refuse(
            rq, name,
            arena_printf(rq->arena, "must have the shape [rows, %lld]", (long long)columns));
    if (have < 1 || have > OIP_ROWS_MAX)
        return refuse(rq, name, arena_printf(rq->arena, "must have 1 to %d rows", OIP_ROWS_MAX));
    if (*rows != 0 && have != *rows)
        return refuse(rq, name, "has another number of rows than the inputs before it");
    *rows = have;
    return OK;
}

static enum err read_data(struct request *rq, const char *name, const json_t *input, size_t count,
                          struct flat *flat)
{
    const json_t *data = json_object_get(input, "data");

    if (!json_is_array(data))
        return refuse(rq, name, "must have its data as a list");
    flat->room = count;
    flat->items = arena_alloc(rq->arena, count * sizeof(const json_t *));
    if (!flatten(data, flat, 0) || flat->count != count)
        return refuse(rq, name, arena_printf(rq->arena, "must have %zu values", count));
    return OK;
}

/* Where the request's frame is put together. */
struct builder {
    struct request *rq;
    json_t *inputs;
    double *numbers; /* of the numeric inputs, in order */
    size_t count;
    size_t room;
    int64_t rows;
};

static enum err add_numbers(struct builder *b, const char *name, const struct flat *flat)
{
    for (size_t i = 0; i < flat->count; i++) {
        const json_t *value = flat->items[i];

        if (!json_is_number(value) && !json_is_boolean(value) && !json_is_null(value))
            return refuse(b->rq, name, "must hold numbers, or null where a value is missing");
        b->numbers[b->count++] = json_is_null(value)      ? NAN
                                 : json_is_boolean(value) ? (double)json_is_true(value)
                                                          : json_number_value(value);
    }
    return OK;
}

static enum err add_texts(struct builder *b, const char *name, const struct flat *flat,
                          json_t *values)
{
    for (size_t i = 0; i < flat->count; i++) {
        const json_t *value = flat->items[i];

        if (!json_is_string(value) && !json_is_null(value))
            return refuse(b->rq, name, "must hold texts, or null where a value is missing");
        json_array_append_new(values,
                              json_string(json_is_null(value) ? "" : json_string_value(value)));
    }
    return OK;
}

/* How wide the question itself says it is; at least 1. */
static int64_t offered_columns(const json_t *input)
{
    const json_t *shape = json_object_get(input, "shape");
    int64_t last = json_integer_value(json_array_get(shape, json_array_size(shape) - 1));

    return json_array_size(shape) == 2 && last > 0 ? last : 1;
}

static enum err add_input(struct builder *b, const json_t *wanted, const json_t *inputs)
{
    const char *name = json_string_value(json_object_get(wanted, "name"));
    const char *type = json_string_value(json_object_get(wanted, "datatype"));
    int64_t columns = json_integer_value(json_array_get(json_object_get(wanted, "shape"), 1));
    const json_t *input = name == NULL ? NULL : input_named(inputs, name);
    bool texts = type != NULL && strcmp(type, "BYTES") == 0;
    struct flat flat = {.count = 0};
    json_t *described;

    if (name == NULL || type == NULL)
        return ERR_ENGINE;
    if (input == NULL)
        return refuse(b->rq, name, "is missing");
    if (columns < 1) /* the model takes any width */
        columns = offered_columns(input);
    TRY(read_shape(b->rq, name, input, columns, &b->rows));
    if ((size_t)b->rows > FRAME_PAYLOAD_MAX / sizeof(double) / (size_t)columns)
        return refuse(b->rq, name, "is too large");
    TRY(read_data(b->rq, name, input, (size_t)(b->rows * columns), &flat));
    described = json_pack("{s:s, s:s, s:[I, I]}", "name", name, "datatype", type, "shape",
                          (json_int_t)b->rows, (json_int_t)columns);
    json_array_append_new(b->inputs, described);
    if (texts) {
        json_object_set_new(described, "values", json_array());
        return add_texts(b, name, &flat, json_object_get(described, "values"));
    }
    if (b->count + flat.count > b->room) {
        double *more = arena_alloc(b->rq->arena, (b->count + flat.count) * sizeof(double));

        if (b->count > 0)
            memcpy(more, b->numbers, b->count * sizeof(double));
        b->numbers = more;
        b->room = b->count + flat.count;
    }
    return add_numbers(b, name, &flat);
}

static enum err check_inputs(struct request *rq, const json_t *inputs, const json_t *wanted)
{
    size_t i;
    json_t *input;

    if (!json_is_array(inputs) || json_array_size(inputs) > OIP_INPUTS_MAX)
        return fail(rq, ERR_INVALID, "inputs must be a list of at most %d", OIP_INPUTS_MAX);
    json_array_foreach(inputs, i, input)
    {
        const char *name = json_string_value(json_object_get(input, "name"));

        if (name == NULL)
            return fail(rq, ERR_INVALID, "inputs[%zu] has no name", i);
        if (input_named(wanted, name) == NULL)
            return refuse(rq, name, "is not one of this model");
    }
    return OK;
}

static enum err parse(struct request *rq, json_t **out)
{
    json_error_t error;

    *out =
        json_loadb(rq->raw == NULL ? "" : rq->raw, rq->raw_length, JSON_REJECT_DUPLICATES, &error);
    if (*out == NULL || !json_is_object(*out))
        return fail(rq, ERR_INVALID, "the body is not a JSON object: %s",
                    *out == NULL ? error.text : "it is of another type");
    arena_own(rq->arena, *out, release_json);
    return OK;
}

static enum err build_frame(struct builder *b, struct oip_request *out)
{
    json_t *head =
        json_pack("{s:i, s:I, s:O}", "id", 1, "rows", (json_int_t)b->rows, "inputs", b->inputs);
    char *text = json_dumps(head, JSON_COMPACT);

    json_decref(head);
    arena_own(b->rq->arena, text, free);
    if (text == NULL || strlen(text) > FRAME_JSON_MAX)
        return fail(b->rq, ERR_TOO_LARGE, "the text inputs are over %d bytes", FRAME_JSON_MAX);
    out->frame = (struct frame){.json = text,
                                .json_length = strlen(text),
                                .payload = (unsigned char *)b->numbers,
                                .payload_length = b->count * sizeof(double)};
    out->rows = b->rows;
    return OK;
}

enum err oip_read(struct request *rq, const json_t *ready, struct oip_request *out)
{
    const json_t *wanted = json_object_get(ready, "inputs");
    struct builder b = {.rq = rq, .inputs = json_array()};
    json_t *body;
    size_t i;
    json_t *input;

    *out = (struct oip_request){.id = NULL};
    arena_own(rq->arena, b.inputs, release_json);
    TRY(parse(rq, &body));
    out->id = json_string_value(json_object_get(body, "id"));
    TRY(check_inputs(rq, json_object_get(body, "inputs"), wanted));
    json_array_foreach(wanted, i, input)
    {
        TRY(add_input(&b, input, json_object_get(body, "inputs")));
    }
    return build_frame(&b, out);
}

/* The next count numbers of the payload, as a list; NULL when there are not so many. */
static json_t *take_numbers(const struct frame *f, size_t *at, size_t count, bool integers)
{
    json_t *list;

    if (count > (f->payload_length - *at) / sizeof(double))
        return NULL;
    list = json_array();
    for (size_t i = 0; i < count; i++, *at += sizeof(double)) {
        double real;
        int64_t whole;

        memcpy(&real, f->payload + *at, sizeof(real));
        memcpy(&whole, f->payload + *at, sizeof(whole));
        json_array_append_new(list, integers         ? json_integer(whole)
                                    : isfinite(real) ? json_real(real)
                                                     : json_null());
    }
    return list;
}

static size_t elements(const json_t *shape)
{
    size_t count = 1;
    size_t i;
    json_t *n;

    json_array_foreach(shape, i, n)
    {
        json_int_t size = json_integer_value(n);

        if (size < 0 || size > FRAME_PAYLOAD_MAX ||
            (size > 0 && count > FRAME_PAYLOAD_MAX / (size_t)size))
            return SIZE_MAX;
        count *= (size_t)size;
    }
    return count;
}

static json_t *output_of(const struct frame *f, const json_t *output, size_t *at)
{
    const json_t *shape = json_object_get(output, "shape");
    const char *type = json_string_value(json_object_get(output, "datatype"));
    json_t *values = json_object_get(output, "values");
    json_t *data;

    if (type == NULL)
        return NULL;
    data = values != NULL ? json_incref(values)
                          : take_numbers(f, at, elements(shape), strcmp(type, "INT64") == 0);
    if (data == NULL)
        return NULL;
    return json_pack("{s:O, s:s, s:O, s:o}", "name", json_object_get(output, "name"), "datatype",
                     type, "shape", shape, "data", data);
}

json_t *oip_answer(const struct frame *answer, const char *model, const char *version,
                   const char *id)
{
    json_t *head = json_loadb(answer->json, answer->json_length, 0, NULL);
    json_t *outputs = json_array();
    size_t at = 0;
    size_t i;
    json_t *output;

    json_array_foreach(json_object_get(head, "outputs"), i, output)
    {
        json_t *one = output_of(answer, output, &at);

        if (one == NULL) {
            json_decref(outputs);
            outputs = NULL;
            break;
        }
        json_array_append_new(outputs, one);
    }
    json_decref(head);
    if (outputs == NULL)
        return NULL;
    return json_pack("{s:s, s:s, s:s*, s:o}", "model_name", model, "model_version", version, "id",
                     id, "outputs", outputs);
}

json_t *oip_metadata(const json_t *ready, const char *model, const char *version)
{
    return json_pack("{s:s, s:[s], s:s, s:O*, s:O*, s:O*}", "name", model, "versions", version,
                     "platform", "onnx", "inputs", json_object_get(ready, "inputs"), "outputs",
                     json_object_get(ready, "outputs"), "features",
                     json_object_get(ready, "features"));
}
