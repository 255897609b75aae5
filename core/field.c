/* SPDX-License-Identifier: Apache-2.0 */
#include "core/field.h"

#include "core/text.h"

#include <math.h>
#include <string.h>

/* Why a value is refused, as the end of a sentence that begins with the member's name; NULL if not.
 */
typedef const char *refusal;

static refusal text_refused(struct arena *a, const struct field *f, const json_t *value)
{
    const char *text = json_string_value(value);
    size_t length = json_string_length(value);

    if (strlen(text) != length)
        return "must not contain U+0000";
    if (f->type == FIELD_NAME && !name_valid(text))
        return "must be 1 to 63 of a-z 0-9 . _ - and begin with a letter or digit";
    if (f->type == FIELD_TIME) {
        int64_t ms;

        return time_parse(text, &ms) ? NULL : "must be an RFC 3339 time";
    }
    if ((int64_t)length > f->max)
        return arena_printf(a, "must be at most %lld bytes", (long long)f->max);
    if ((int64_t)length < f->min)
        return arena_printf(a, "must be at least %lld bytes", (long long)f->min);
    return NULL;
}

static refusal choice_refused(struct arena *a, const struct field *f, const char *text)
{
    const char *list = "";

    if (f->choices == NULL)
        return NULL;
    for (const char *const *c = f->choices; *c != NULL; c++) {
        if (strcmp(*c, text) == 0)
            return NULL;
        list = arena_printf(a, "%s%s%s", list, *list == '\0' ? "" : ", ", *c);
    }
    return arena_printf(a, "must be one of: %s", list);
}

static refusal take_text(struct arena *a, const struct field *f, const json_t *value, void *at)
{
    refusal why;

    if (!json_is_string(value))
        return "must be a text";
    why = text_refused(a, f, value);
    if (why == NULL)
        why = choice_refused(a, f, json_string_value(value));
    *(const char **)at = json_string_value(value);
    return why;
}

static refusal take_int(struct arena *a, const struct field *f, const json_t *value, void *at)
{
    json_int_t number = json_integer_value(value);

    if (!json_is_integer(value))
        return "must be an integer";
    if (number < f->min || number > f->max)
        return arena_printf(a, "must be between %lld and %lld", (long long)f->min,
                            (long long)f->max);
    *(int64_t *)at = number;
    return NULL;
}

static refusal take_texts(struct arena *a, const struct field *f, const json_t *value,
                          struct texts *at)
{
    size_t count = json_array_size(value);

    if (!json_is_array(value))
        return "must be a list of texts";
    if ((int64_t)count > f->max || (int64_t)count < f->min)
        return arena_printf(a, "must have %lld to %lld items", (long long)f->min,
                            (long long)f->max);
    at->items = arena_alloc(a, count * sizeof(*at->items));
    at->count = count;
    for (size_t i = 0; i < count; i++) {
        const json_t *item = json_array_get(value, i);

        if (!json_is_string(item) || strlen(json_string_value(item)) != json_string_length(item))
            return arena_printf(a, "[%zu] must be a text", i);
        at->items[i] = json_string_value(item);
    }
    return NULL;
}

static refusal take_record(struct arena *a, const struct field *f, const json_t *value, void *at)
{
    const char *why = NULL;

    return field_from_json(a, f->fields, value, at, &why) == OK ? NULL
                                                                : arena_printf(a, ": %s", why);
}

static refusal take(struct arena *a, const struct field *f, const json_t *value, void *at)
{
    switch (f->type) {
    case FIELD_TEXT:
    case FIELD_NAME:
    case FIELD_TIME:
        return take_text(a, f, value, at);
    case FIELD_INT:
        return take_int(a, f, value, at);
    case FIELD_REAL:
        *(double *)at = json_number_value(value);
        return json_is_number(value) ? NULL : "must be a number";
    case FIELD_BOOL:
        *(bool *)at = json_is_true(value);
        return json_is_boolean(value) ? NULL : "must be true or false";
    case FIELD_JSON:
        *(const json_t **)at = value;
        return NULL;
    case FIELD_OBJECT:
        *(const json_t **)at = value;
        return json_is_object(value) ? NULL : "must be an object";
    case FIELD_TEXTS:
        return take_texts(a, f, value, at);
    case FIELD_RECORD:
        return take_record(a, f, value, at);
    }
    return "is of no type";
}

static bool known(const struct field *fields, const char *name)
{
    for (const struct field *f = fields; f->name != NULL; f++)
        if (strcmp(f->name, name) == 0)
            return true;
    return false;
}

static refusal unknown_member(struct arena *a, const struct field *fields, const json_t *body)
{
    const char *name;
    json_t *value;

    json_object_foreach((json_t *)body, name, value)
    {
        if (!known(fields, name))
            return arena_printf(a, "there is no member \"%.100s\" here", name);
    }
    return NULL;
}

enum err field_from_json(struct arena *a, const struct field *fields, const json_t *body, void *out,
                         const char **why)
{
    refusal refused;

    *why = "the body must be a JSON object";
    if (!json_is_object(body))
        return ERR_INVALID;
    for (const struct field *f = fields; f->name != NULL; f++) {
        const json_t *value = json_object_get(body, f->name);

        if (f->optional && (value == NULL || json_is_null(value)))
            continue;
        refused = value == NULL ? "is missing" : take(a, f, value, (char *)out + f->offset);
        if (refused == NULL)
            continue;
        *why = arena_printf(a, "%s%s%s", f->name, *refused == ':' || *refused == '[' ? "" : " ",
                            refused);
        return ERR_INVALID;
    }
    *why = unknown_member(a, fields, body);
    return *why == NULL ? OK : ERR_INVALID;
}

static json_t *texts_json(const struct texts *texts)
{
    json_t *list = json_array();

    for (size_t i = 0; i < texts->count; i++)
        json_array_append_new(list, json_string(texts->items[i]));
    return list;
}

static json_t *give(const struct field *f, const void *at)
{
    switch (f->type) {
    case FIELD_TEXT:
    case FIELD_NAME:
    case FIELD_TIME:
        return *(const char *const *)at == NULL ? NULL : json_string(*(const char *const *)at);
    case FIELD_INT:
        return json_integer(*(const int64_t *)at);
    case FIELD_REAL:
        return isfinite(*(const double *)at) ? json_real(*(const double *)at) : NULL;
    case FIELD_BOOL:
        return json_boolean(*(const bool *)at);
    case FIELD_JSON:
    case FIELD_OBJECT:
        return json_incref(*(json_t *const *)at);
    case FIELD_TEXTS:
        return texts_json(at);
    case FIELD_RECORD:
        return field_to_json(f->fields, at);
    }
    return NULL;
}

json_t *field_to_json(const struct field *fields, const void *in)
{
    json_t *object = json_object();

    for (const struct field *f = fields; f->name != NULL; f++) {
        json_t *value = give(f, (const char *)in + f->offset);

        if (value != NULL || !f->optional)
            json_object_set_new_nocheck(object, f->name, value == NULL ? json_null() : value);
    }
    return object;
}

static json_t *type_schema(const struct field *f)
{
    switch (f->type) {
    case FIELD_INT:
        return json_pack("{s:s, s:I, s:I}", "type", "integer", "minimum", (json_int_t)f->min,
                         "maximum", (json_int_t)f->max);
    case FIELD_REAL:
        return json_pack("{s:s}", "type", "number");
    case FIELD_BOOL:
        return json_pack("{s:s}", "type", "boolean");
    case FIELD_JSON:
        return json_object();
    case FIELD_OBJECT:
        return json_pack("{s:s}", "type", "object");
    case FIELD_TEXTS:
        return json_pack("{s:s, s:{s:s}, s:I, s:I}", "type", "array", "items", "type", "string",
                         "minItems", (json_int_t)f->min, "maxItems", (json_int_t)f->max);
    case FIELD_RECORD:
        return field_schema(f->fields);
    case FIELD_TIME:
        return json_pack("{s:s, s:s}", "type", "string", "format", "date-time");
    case FIELD_NAME:
        return json_pack("{s:s, s:s}", "type", "string", "pattern", "^[a-z0-9][a-z0-9._-]{0,62}$");
    case FIELD_TEXT:
        break;
    }
    return json_pack("{s:s, s:I, s:I}", "type", "string", "minLength", (json_int_t)f->min,
                     "maxLength", (json_int_t)f->max);
}

json_t *field_schema(const struct field *fields)
{
    json_t *members = json_object();
    json_t *required = json_array();

    for (const struct field *f = fields; f->name != NULL; f++) {
        json_t *schema = type_schema(f);

        for (const char *const *c = f->choices; c != NULL && *c != NULL; c++) {
            if (json_object_get(schema, "enum") == NULL)
                json_object_set_new(schema, "enum", json_array());
            json_array_append_new(json_object_get(schema, "enum"), json_string(*c));
        }
        if (f->help != NULL)
            json_object_set_new(schema, "description", json_string(f->help));
        json_object_set_new(members, f->name, schema);
        if (!f->optional)
            json_array_append_new(required, json_string(f->name));
    }
    return json_pack("{s:s, s:b, s:o, s:o}", "type", "object", "additionalProperties", 0,
                     "properties", members, "required", required);
}
