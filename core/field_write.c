/* SPDX-License-Identifier: Apache-2.0 */
#include "core/field.h"

#include <math.h>
#include <string.h>

static int add_part(const char *part, size_t length, void *out)
{
    text_add(out, part, length);
    return 0;
}

static void write_json(const json_t *value, struct text *out)
{
    if (json_is_object(value) && json_object_size(value) == 0)
        text_add(out, "{}", 2);
    else if (json_dump_callback(value, add_part, out, JSON_COMPACT | JSON_ENCODE_ANY) != 0)
        out->failed = true;
}

/* RFC 8259 §7. */
static void write_escape(unsigned char c, struct text *out)
{
    static const char letters[] = "btn\0fr"; /* of U+0008 to U+000D */
    static const char digits[] = "0123456789ABCDEF";
    char escape[] = {'\\', 'u', '0', '0', digits[c >> 4], digits[c & 15]};

    if (c >= ' ')
        escape[1] = (char)c;
    else if (c >= '\b' && c <= '\r' && letters[c - '\b'] != '\0')
        escape[1] = letters[c - '\b'];
    text_add(out, escape, escape[1] == 'u' ? sizeof(escape) : 2);
}

void field_write_text(const char *s, struct text *out)
{
    size_t length = s == NULL ? 0 : strlen(s);
    size_t plain = 0;

    if (s == NULL || !utf8_valid(s, length)) {
        text_add(out, "null", 4);
        return;
    }
    text_add(out, "\"", 1);
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)s[i];

        if (c >= ' ' && c != '"' && c != '\\')
            continue;
        text_add(out, s + plain, i - plain);
        write_escape(c, out);
        plain = i + 1;
    }
    text_add(out, s + plain, length - plain);
    text_add(out, "\"", 1);
}

static void write_int(int64_t number, struct text *out)
{
    char digits[21];
    char *at = digits + sizeof(digits);
    uint64_t left = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;

    do {
        *--at = (char)('0' + left % 10);
        left /= 10;
    } while (left > 0);
    if (number < 0)
        *--at = '-';
    text_add(out, at, (size_t)(digits + sizeof(digits) - at));
}

static void write_real(double number, struct text *out)
{
    json_t *value = json_real(number);

    write_json(value, out);
    json_decref(value);
}

static void write_texts(const struct texts *texts, struct text *out)
{
    bool first = true;

    text_add(out, "[", 1);
    for (size_t i = 0; i < texts->count; i++) {
        if (texts->items[i] == NULL || !utf8_valid(texts->items[i], strlen(texts->items[i])))
            continue;
        text_add(out, ",", first ? 0 : 1);
        field_write_text(texts->items[i], out);
        first = false;
    }
    text_add(out, "]", 1);
}

/* Whether there is anything to say. */
static bool has_value(const struct field *f, const void *at)
{
    switch (f->type) {
    case FIELD_TEXT:
    case FIELD_NAME:
    case FIELD_TIME: {
        const char *text = *(const char *const *)at;

        return text != NULL && (!f->optional || utf8_valid(text, strlen(text)));
    }
    case FIELD_REAL:
        return isfinite(*(const double *)at);
    case FIELD_JSON:
    case FIELD_OBJECT:
        return *(const json_t *const *)at != NULL;
    default:
        return true;
    }
}

static void write_value(const struct field *f, const void *at, struct text *out)
{
    switch (f->type) {
    case FIELD_TEXT:
    case FIELD_NAME:
    case FIELD_TIME:
        field_write_text(*(const char *const *)at, out);
        break;
    case FIELD_INT:
        write_int(*(const int64_t *)at, out);
        break;
    case FIELD_REAL:
        write_real(*(const double *)at, out);
        break;
    case FIELD_BOOL:
        text_puts(out, *(const bool *)at ? "true" : "false");
        break;
    case FIELD_JSON:
    case FIELD_OBJECT:
        write_json(*(const json_t *const *)at, out);
        break;
    case FIELD_TEXTS:
        write_texts(at, out);
        break;
    case FIELD_RECORD:
        field_write(f->fields, at, out);
        break;
    }
}

void field_write(const struct field *fields, const void *in, struct text *out)
{
    bool first = true;

    text_add(out, "{", 1);
    for (const struct field *f = fields; f->name != NULL; f++) {
        const void *at = (const char *)in + f->offset;
        bool there = has_value(f, at);

        if (!there && f->optional)
            continue;
        text_add(out, ",", first ? 0 : 1);
        text_add(out, "\"", 1);
        text_puts(out, f->name);
        text_add(out, "\":", 2);
        if (there)
            write_value(f, at, out);
        else
            text_add(out, "null", 4);
        first = false;
    }
    text_add(out, "}", 1);
}
