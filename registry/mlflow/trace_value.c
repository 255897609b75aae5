/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/mlflow/trace_value.h"

#include "core/field.h"
#include "registry/mlflow/trace_otlp.h"

#include <math.h>
#include <string.h>

/* Field numbers of common.proto. */
enum {
    ANY_STRING = 1,
    ANY_BOOL = 2,
    ANY_INT = 3,
    ANY_DOUBLE = 4,
    ANY_ARRAY = 5,
    ANY_MAP = 6,
    ANY_BYTES = 7
};
enum { LIST_VALUES = 1, PAIR_KEY = 1, PAIR_VALUE = 2 };

struct writer {
    struct text *out;
    const char *fault;
    unsigned depth;
};

/* Bytes of the character at s, 0 when it is none. */
static size_t character(const unsigned char *s, size_t left)
{
    size_t length = *s < 0x80 ? 1 : *s < 0xe0 ? 2 : *s < 0xf0 ? 3 : 4;

    return *s != 0 && length <= left && utf8_valid((const char *)s, length) ? length : 0;
}

static void write_character(struct text *out, const char *s, size_t length)
{
    if (length == 0)
        text_puts(out, "\xef\xbf\xbd");
    else if (length == 1 && (*s == '"' || *s == '\\'))
        text_printf(out, "\\%c", *s);
    else if (length == 1 && (unsigned char)*s < 0x20)
        text_printf(out, "\\u%04x", (unsigned)(unsigned char)*s);
    else
        text_add(out, s, length);
}

static bool plain(unsigned char c)
{
    return c >= 0x20 && c < 0x80 && c != '"' && c != '\\';
}

void value_write_text(struct text *out, struct span bytes)
{
    const char *s = bytes.data;
    size_t left = bytes.length;
    size_t run;

    text_puts(out, "\"");
    while (left > 0) {
        for (run = 0; run < left && plain((unsigned char)s[run]); run++)
            ;
        if (run > 0) {
            text_add(out, s, run);
        } else {
            run = character((const unsigned char *)s, left);
            write_character(out, s, run);
            run = run == 0 ? 1 : run;
        }
        s += run;
        left -= run;
    }
    text_puts(out, "\"");
}

static void write_double(struct text *out, uint64_t bits)
{
    char text[40];
    double x;

    memcpy(&x, &bits, sizeof(x));
    if (!isfinite(x)) {
        text_puts(out, isnan(x) ? "\"NaN\"" : x > 0 ? "\"Infinity\"" : "\"-Infinity\"");
        return;
    }
    (void)snprintf(text, sizeof(text), "%.17g", x);
    text_puts(out, text);
    if (strpbrk(text, ".e") == NULL)
        text_puts(out, ".0");
}

static void write_base64(struct text *out, struct span bytes)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const unsigned char *s = (const unsigned char *)bytes.data;

    text_puts(out, "\"");
    for (size_t i = 0; i < bytes.length; i += 3) {
        size_t left = bytes.length - i;
        unsigned group = (unsigned)s[i] << 16;

        if (left > 1)
            group |= (unsigned)s[i + 1] << 8;
        if (left > 2)
            group |= s[i + 2];
        text_add(out, &digits[group >> 18], 1);
        text_add(out, &digits[group >> 12 & 63], 1);
        text_add(out, left > 1 ? &digits[group >> 6 & 63] : "=", 1);
        text_add(out, left > 2 ? &digits[group & 63] : "=", 1);
    }
    text_puts(out, "\"");
}

static void write_any(struct writer *w, struct span message);
static void write_map(struct writer *w, struct span message, uint32_t field);

static void write_array(struct writer *w, struct span message)
{
    struct proto p = proto_open(message);
    const char *before = "[";

    while (w->fault == NULL && !w->out->failed && proto_next(&p))
        if (proto_is(&p, LIST_VALUES, PROTO_BYTES)) {
            text_puts(w->out, before);
            before = ",";
            write_any(w, p.bytes);
        }
    text_puts(w->out, *before == '[' ? "[]" : "]");
    if (w->fault == NULL)
        w->fault = p.fault;
}

/* A value that holds others. */
static void write_nested(struct writer *w, struct span message, uint32_t field)
{
    if (w->depth >= OTLP_DEPTH_MAX) {
        w->fault = "values are nested too deeply";
        return;
    }
    w->depth++;
    if (field == ANY_ARRAY)
        write_array(w, message);
    else
        write_map(w, message, LIST_VALUES);
    w->depth--;
}

/* The wire form is what the field's number asks for, checked before. */
static void write_known(struct writer *w, const struct proto *p)
{
    switch (p->field) {
    case ANY_STRING:
        value_write_text(w->out, p->bytes);
        break;
    case ANY_BOOL:
        text_puts(w->out, p->number != 0 ? "true" : "false");
        break;
    case ANY_INT:
        text_printf(w->out, "%lld", (long long)p->number);
        break;
    case ANY_DOUBLE:
        write_double(w->out, p->number);
        break;
    case ANY_BYTES:
        write_base64(w->out, p->bytes);
        break;
    default:
        write_nested(w, p->bytes, p->field);
    }
}

/* The first of the fields that an AnyValue has one of: senders write one. */
static void write_any(struct writer *w, struct span message)
{
    static const enum proto_wire forms[] = {
        0,           PROTO_BYTES, PROTO_VARINT, PROTO_VARINT, PROTO_FIXED64,
        PROTO_BYTES, PROTO_BYTES, PROTO_BYTES};
    struct proto p = proto_open(message);
    bool written = false;

    while (w->fault == NULL && proto_next(&p))
        if (!written && p.field <= ANY_BYTES && proto_is(&p, p.field, forms[p.field])) {
            write_known(w, &p);
            written = true;
        }
    if (!written)
        text_puts(w->out, "null");
    if (w->fault == NULL)
        w->fault = p.fault;
}

static void write_pair(struct writer *w, struct span message)
{
    struct proto p = proto_open(message);
    struct span value = {.length = 0};
    struct span key = {.length = 0};

    while (proto_next(&p)) {
        if (proto_is(&p, PAIR_KEY, PROTO_BYTES))
            key = p.bytes;
        if (proto_is(&p, PAIR_VALUE, PROTO_BYTES))
            value = p.bytes;
    }
    w->fault = p.fault;
    value_write_text(w->out, key);
    text_puts(w->out, ":");
    write_any(w, value);
}

static void write_map(struct writer *w, struct span message, uint32_t field)
{
    struct proto p = proto_open(message);
    const char *before = "{";

    while (w->fault == NULL && !w->out->failed && proto_next(&p))
        if (proto_is(&p, field, PROTO_BYTES)) {
            text_puts(w->out, before);
            before = ",";
            write_pair(w, p.bytes);
        }
    text_puts(w->out, *before == '{' ? "{}" : "}");
    if (w->fault == NULL)
        w->fault = p.fault;
}

void value_write_map(struct text *out, struct span message, uint32_t field, const char **fault)
{
    struct writer w = {.out = out, .fault = *fault};

    write_map(&w, message, field);
    *fault = w.fault;
}

static void write_values(struct text *out, const json_t *array)
{
    const json_t *item;
    size_t i;

    text_puts(out, "{\"array_value\":{\"values\":[");
    json_array_foreach(array, i, item)
    {
        text_puts(out, i == 0 ? "" : ",");
        value_write_any(out, item);
    }
    text_puts(out, "]}}");
}

static void write_number(struct text *out, const json_t *number)
{
    char text[40];

    if (json_is_integer(number)) {
        text_printf(out, "{\"int_value\":%lld}", (long long)json_integer_value(number));
        return;
    }
    (void)snprintf(text, sizeof(text), "%.17g", json_real_value(number));
    text_printf(out, "{\"double_value\":%s}", text);
}

void value_write_any(struct text *out, const json_t *value)
{
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        text_puts(out, "{\"kvlist_value\":{\"values\":");
        value_write_pairs(out, value);
        text_puts(out, "}}");
        break;
    case JSON_ARRAY:
        write_values(out, value);
        break;
    case JSON_STRING:
        text_puts(out, "{\"string_value\":");
        field_write_text(json_string_value(value), out);
        text_puts(out, "}");
        break;
    case JSON_INTEGER:
    case JSON_REAL:
        write_number(out, value);
        break;
    case JSON_NULL:
        text_puts(out, "{}");
        break;
    default:
        text_puts(out, json_is_true(value) ? "{\"bool_value\":true}" : "{\"bool_value\":false}");
    }
}

void value_write_pairs(struct text *out, const json_t *object)
{
    const char *before = "[";
    const json_t *value;
    const char *key;

    json_object_foreach((json_t *)object, key, value)
    {
        text_puts(out, before);
        before = ",";
        text_puts(out, "{\"key\":");
        field_write_text(key, out);
        text_puts(out, ",\"value\":");
        value_write_any(out, value);
        text_puts(out, "}");
    }
    text_puts(out, *before == '[' ? "[]" : "]");
}
