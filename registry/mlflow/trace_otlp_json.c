/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/mlflow/trace_otlp_json.h"

#include "core/protobuf.h"
#include "registry/mlflow/trace_otlp.h"

#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum shape { TEXT_VALUE, ID, BASE64, FIXED64, INT64, DOUBLE, FLAG, ENUMERATION, MESSAGE, MESSAGES };

/* A member of a message: opentelemetry/proto/{trace,common,collector}. */
struct member {
    const char *name;
    uint32_t field;
    enum shape shape;
    const struct member *of;
};

/* Lists and maps hold values; each is three messages deep. */
enum { LEVELS_MAX = 3 * OTLP_DEPTH_MAX + 16, ID_BYTES = 16, WRITTEN_MAX = 32 << 20 };

static const struct member any_value[8];
static const struct member list_value[] = {{"values", 1, MESSAGES, any_value}, {.name = NULL}};
static const struct member pair[] = {
    {"key", 1, TEXT_VALUE, NULL}, {"value", 2, MESSAGE, any_value}, {.name = NULL}};
static const struct member map_value[] = {{"values", 1, MESSAGES, pair}, {.name = NULL}};
static const struct member any_value[8] = {
    {"stringValue", 1, TEXT_VALUE, NULL},   {"boolValue", 2, FLAG, NULL},
    {"intValue", 3, INT64, NULL},           {"doubleValue", 4, DOUBLE, NULL},
    {"arrayValue", 5, MESSAGE, list_value}, {"kvlistValue", 6, MESSAGE, map_value},
    {"bytesValue", 7, BASE64, NULL},        {.name = NULL}};
static const struct member status[] = {
    {"message", 2, TEXT_VALUE, NULL}, {"code", 3, ENUMERATION, NULL}, {.name = NULL}};
static const struct member event[] = {{"timeUnixNano", 1, FIXED64, NULL},
                                      {"name", 2, TEXT_VALUE, NULL},
                                      {"attributes", 3, MESSAGES, pair},
                                      {.name = NULL}};
static const struct member span_link[] = {{"traceId", 1, ID, NULL},
                                          {"spanId", 2, ID, NULL},
                                          {"attributes", 4, MESSAGES, pair},
                                          {.name = NULL}};
static const struct member span[] = {{"traceId", 1, ID, NULL},
                                     {"spanId", 2, ID, NULL},
                                     {"parentSpanId", 4, ID, NULL},
                                     {"name", 5, TEXT_VALUE, NULL},
                                     {"kind", 6, ENUMERATION, NULL},
                                     {"startTimeUnixNano", 7, FIXED64, NULL},
                                     {"endTimeUnixNano", 8, FIXED64, NULL},
                                     {"attributes", 9, MESSAGES, pair},
                                     {"events", 11, MESSAGES, event},
                                     {"links", 13, MESSAGES, span_link},
                                     {"status", 15, MESSAGE, status},
                                     {.name = NULL}};
static const struct member scope_spans[] = {{"spans", 2, MESSAGES, span}, {.name = NULL}};
static const struct member resource_spans[] = {{"scopeSpans", 2, MESSAGES, scope_spans},
                                               {.name = NULL}};
static const struct member request[] = {{"resourceSpans", 1, MESSAGES, resource_spans},
                                        {.name = NULL}};

struct encoder {
    const char *fault; /* the member that is not what it must be */
    unsigned level;
};

/* A 64-bit integer comes as a number or as text. */
static bool integer(const json_t *value, int64_t *out)
{
    const char *text = json_string_value(value);
    char *end;

    *out = json_integer_value(value);
    if (text == NULL)
        return json_is_integer(value);
    errno = 0;
    *out = strtoll(text, &end, 10);
    return errno == 0 && end != text && *end == '\0' && strchr("-0123456789", *text) != NULL;
}

static bool real(const json_t *value, double *out)
{
    static const struct {
        const char *text;
        double value;
    } odd[] = {
        {"NaN", (double)NAN}, {"Infinity", (double)INFINITY}, {"-Infinity", -(double)INFINITY}};
    const char *text = json_string_value(value);

    *out = json_number_value(value);
    for (size_t i = 0; text != NULL && i < sizeof(odd) / sizeof(odd[0]); i++)
        if (strcmp(text, odd[i].text) == 0) {
            *out = odd[i].value;
            return true;
        }
    return json_is_number(value);
}

static bool put_id(struct text *out, uint32_t field, const json_t *value)
{
    const char *text = json_string_value(value);
    size_t size = json_string_length(value) / 2;
    uint8_t bytes[ID_BYTES];

    if (text == NULL)
        return false;
    /* One that is none is there, and longer than any: of a parent, that is not to be without. */
    if (size > sizeof(bytes) || !hex_decode(text, bytes, size))
        proto_string(out, field, "no hexadecimal id");
    else
        proto_bytes(out, field, bytes, size);
    return true;
}

static bool put_base64(struct text *out, uint32_t field, const json_t *value)
{
    size_t length = json_string_length(value);
    char *bytes = json_is_string(value) ? malloc(length + 1) : NULL;
    long got = bytes == NULL ? -1 : base64_decode(json_string_value(value), length, bytes, length);

    if (got >= 0)
        proto_bytes(out, field, bytes, (size_t)got);
    free(bytes);
    return got >= 0;
}

static bool put_number(struct text *out, const struct member *m, const json_t *value)
{
    double x = 0;
    int64_t number = 0;

    if (m->shape == DOUBLE) {
        if (!real(value, &x))
            return false;
        proto_double(out, m->field, x);
        return true;
    }
    if (!integer(value, &number) || (m->shape != INT64 && number < 0))
        return false;
    if (m->shape == FIXED64)
        proto_fixed64(out, m->field, (uint64_t)number);
    else
        proto_number(out, m->field, (uint64_t)number);
    return true;
}

static bool put_plain(struct text *out, const struct member *m, const json_t *value)
{
    switch (m->shape) {
    case TEXT_VALUE:
        if (json_is_string(value))
            proto_bytes(out, m->field, json_string_value(value), json_string_length(value));
        return json_is_string(value);
    case ID:
        return put_id(out, m->field, value);
    case BASE64:
        return put_base64(out, m->field, value);
    case FLAG:
        if (json_is_boolean(value))
            proto_number(out, m->field, json_is_true(value) ? 1 : 0);
        return json_is_boolean(value);
    default:
        return put_number(out, m, value);
    }
}

static void put_object(struct encoder *e, struct text *out, const struct member *of,
                       const json_t *object);

/* NOLINTNEXTLINE(misc-no-recursion): LEVELS_MAX */
static void put_message(struct encoder *e, struct text *out, const struct member *m,
                        const json_t *value)
{
    struct text inner = text_new(WRITTEN_MAX);

    if (!json_is_object(value))
        e->fault = m->name;
    else if (++e->level > LEVELS_MAX)
        e->fault = "values are nested too deeply";
    else
        put_object(e, &inner, m->of, value);
    e->level--;
    proto_message(out, m->field, &inner);
}

/* NOLINTNEXTLINE(misc-no-recursion): LEVELS_MAX */
static void put_member(struct encoder *e, struct text *out, const struct member *m,
                       const json_t *value)
{
    const json_t *item;
    size_t i;

    if (m->shape == MESSAGE) {
        put_message(e, out, m, value);
    } else if (m->shape != MESSAGES) {
        if (!put_plain(out, m, value))
            e->fault = m->name;
    } else if (!json_is_array(value)) {
        e->fault = m->name;
    } else {
        json_array_foreach(value, i, item) if (e->fault == NULL) put_message(e, out, m, item);
    }
}

/* NOLINTNEXTLINE(misc-no-recursion): LEVELS_MAX */
static void put_object(struct encoder *e, struct text *out, const struct member *of,
                       const json_t *object)
{
    for (const struct member *m = of; m->name != NULL && e->fault == NULL && !out->failed; m++) {
        const json_t *value = json_object_get(object, m->name);

        if (value != NULL && !json_is_null(value))
            put_member(e, out, m, value);
    }
}

enum err otlp_json_read(const struct text *json, struct text *out, const char **why)
{
    struct encoder e = {.fault = NULL};
    json_error_t wrong;
    json_t *root;

    *out = text_new(WRITTEN_MAX);
    *why = "it is no JSON object";
    root = json_loadb(json->data == NULL ? "" : json->data, json->length, JSON_REJECT_DUPLICATES,
                      &wrong);
    if (!json_is_object(root)) {
        json_decref(root);
        return ERR_INVALID;
    }
    put_object(&e, out, request, root);
    json_decref(root);
    *why = e.fault;
    if (e.fault != NULL)
        return ERR_INVALID;
    return out->failed ? ERR_TOO_LARGE : OK;
}
