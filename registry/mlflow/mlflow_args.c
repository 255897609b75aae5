/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/mlflow/mlflow.h"

#include "registry/reply.h"

#include <errno.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum err mlflow_missing(struct request *rq, const char *name)
{
    rq->target = name;
    return fail(rq, ERR_INVALID,
                "Missing value for required parameter '%s'. See the API docs for more information "
                "about request parameters.",
                name);
}

enum err mlflow_invalid(struct request *rq, const char *name, const char *value)
{
    rq->target = name;
    return fail(rq, ERR_INVALID, "Invalid value %s for parameter '%s' supplied.",
                mlflow_cut(rq->arena, value, 200), name);
}

static enum err wrong(struct request *rq, const char *name, const json_t *value)
{
    char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);

    arena_own(rq->arena, text, free);
    return mlflow_invalid(rq, name, text == NULL ? "?" : text);
}

enum err mlflow_text(struct request *rq, const char *name, size_t max, const char **out)
{
    const json_t *member = json_object_get(rq->body, name);

    *out = rq->body == NULL ? request_query(rq, name) : json_string_value(member);
    if (rq->body != NULL && *out == NULL && json_is_integer(member))
        *out = arena_printf(rq->arena, "%lld", (long long)json_integer_value(member));
    if (rq->body != NULL && *out == NULL && member != NULL && !json_is_null(member))
        return wrong(rq, name, member);
    if (*out != NULL && **out == '\0')
        *out = NULL;
    if (*out != NULL && strlen(*out) > max) {
        rq->target = name;
        return fail(rq, ERR_INVALID, "'%s' exceeds the maximum length of %zu characters", name,
                    max);
    }
    return OK;
}

enum err mlflow_need(struct request *rq, const char *name, size_t max, const char **out)
{
    TRY(mlflow_text(rq, name, max, out));
    return *out == NULL ? mlflow_missing(rq, name) : OK;
}

static bool text_number(const char *text, int64_t *out)
{
    char *end;

    errno = 0;
    *out = strtoll(text, &end, 10);
    return errno == 0 && end != text && *end == '\0';
}

bool mlflow_number(const json_t *value, int64_t *out)
{
    if (json_is_integer(value))
        *out = json_integer_value(value);
    else if (json_is_real(value) && json_real_value(value) == floor(json_real_value(value)) &&
             fabs(json_real_value(value)) < 9e18)
        *out = (int64_t)json_real_value(value);
    else
        return json_is_string(value) && text_number(json_string_value(value), out);
    return true;
}

enum err mlflow_int(struct request *rq, const char *name, int64_t least, int64_t most,
                    int64_t *inout)
{
    const json_t *member = json_object_get(rq->body, name);
    const char *text = rq->body == NULL ? request_query(rq, name) : NULL;
    int64_t number = *inout;

    if (text != NULL && *text != '\0' && !text_number(text, &number))
        return mlflow_invalid(rq, name, text);
    if (member != NULL && !json_is_null(member) && !mlflow_number(member, &number))
        return wrong(rq, name, member);
    if (number < least || number > most)
        return mlflow_invalid(rq, name, arena_printf(rq->arena, "%lld", (long long)number));
    *inout = number;
    return OK;
}

enum err mlflow_offset(struct request *rq, int64_t *offset)
{
    const char *token;
    uint64_t number = 0;

    TRY(mlflow_text(rq, "page_token", 32, &token));
    if (token != NULL && (*token != '+' || !uint_parse(token + 1, 1 << 30, &number)))
        return mlflow_invalid(rq, "page_token", token);
    *offset = (int64_t)number;
    return OK;
}

enum err mlflow_list(struct request *rq, const char *name, size_t max, const json_t **out)
{
    const json_t *member = json_object_get(rq->body, name);

    *out = member == NULL || json_is_null(member) ? NULL : member;
    if (*out != NULL && !json_is_array(member))
        return wrong(rq, name, member);
    if (json_array_size(*out) > max) {
        rq->target = name;
        return fail(rq, ERR_INVALID,
                    "A batch logging request can contain at most %zu %s. Got %zu %s. Please split "
                    "up %s across multiple requests and try again.",
                    max, name, json_array_size(*out), name, name);
    }
    return OK;
}

static enum err query_texts(struct request *rq, const char *name, size_t max, struct texts *out)
{
    for (size_t i = 0; i < rq->query_count; i++) {
        if (strcmp(rq->query[i].name, name) != 0)
            continue;
        if (out->count == max)
            return mlflow_invalid(rq, name, "of too many items");
        out->items[out->count++] = rq->query[i].value;
    }
    return OK;
}

enum err mlflow_texts(struct request *rq, const char *name, size_t max, struct texts *out)
{
    const json_t *list;
    const json_t *item;
    size_t i;

    *out = (struct texts){.items = arena_alloc(rq->arena, (max + 1) * sizeof(const char *))};
    if (rq->body == NULL)
        return query_texts(rq, name, max, out);
    TRY(mlflow_list(rq, name, max, &list));
    json_array_foreach(list, i, item)
    {
        if (!json_is_string(item))
            return wrong(rq, name, list);
        out->items[out->count++] = json_string_value(item);
    }
    return OK;
}

const char *mlflow_member(const json_t *object, const char *name)
{
    return json_string_value(json_object_get(object, name));
}

bool mlflow_real(struct arena *a, const json_t *value, const char **out)
{
    double number = json_number_value(value);
    const char *text = json_string_value(value);
    char *end;

    if (text != NULL) {
        number = strtod(text, &end);
        if (end == text || *end != '\0' || strpbrk(text, "xX") != NULL)
            return false;
    } else if (!json_is_number(value)) {
        return false;
    }
    if (isinf(number))
        number = number > 0 ? DBL_MAX : -DBL_MAX;
    *out = isnan(number) ? "NaN" : arena_printf(a, "%.17g", number);
    return true;
}

const char *mlflow_cut(struct arena *a, const char *text, size_t max)
{
    size_t length = strnlen(text, max + 1);

    if (length <= max)
        return text;
    length = max;
    while (length > 0 && ((unsigned char)text[length] & 0xc0) == 0x80)
        length--;
    return arena_copy(a, text, length);
}

/* mlflow/utils/validation.py: [/\w.\- :]*, and a path that normalizes to itself, so that a key can
 * be a file's name. */
static bool key_well_formed(const char *key)
{
    const char *part = key;

    for (const unsigned char *c = (const unsigned char *)key; *c != '\0'; c++)
        if (*c < 0x80 && strchr("/_.- :", *c) == NULL && (*c < '0' || *c > '9') &&
            (*c < 'A' || *c > 'Z') && (*c < 'a' || *c > 'z'))
            return false;
    do {
        size_t length = strcspn(part, "/");

        if (length == 0 || (length == 1 && *part == '.') ||
            (length == 2 && strncmp(part, "..", 2) == 0))
            return false;
        part += length;
    } while (*part++ == '/');
    return true;
}

enum err mlflow_key_check(struct request *rq, const char *what, const char *key)
{
    if (key == NULL || *key == '\0')
        return mlflow_missing(rq, what);
    if (strlen(key) > MLFLOW_KEY_MAX) {
        rq->target = what;
        return fail(rq, ERR_INVALID, "'%s' exceeds the maximum length of %d characters", what,
                    MLFLOW_KEY_MAX);
    }
    if (key_well_formed(key))
        return OK;
    rq->target = what;
    return fail(rq, ERR_INVALID,
                "Invalid value \"%s\" for parameter '%s' supplied: Names may only contain "
                "alphanumerics, underscores (_), dashes (-), periods (.), spaces ( ), colon(:) "
                "and slashes (/).",
                key, what);
}

static enum err hex_id(struct request *rq, const char *what, const char *text, const char **uuid)
{
    uint8_t bytes[16];

    *uuid = NULL;
    if (!hex_decode(text, bytes, sizeof(bytes)))
        return fail(rq, ERR_NOT_FOUND, "%s with id=%s not found", what,
                    mlflow_cut(rq->arena, text, 300));
    *uuid = arena_printf(rq->arena, "%.8s-%.4s-%.4s-%.4s-%s", text, text + 8, text + 12, text + 16,
                         text + 20);
    return OK;
}

enum err mlflow_run_id(struct request *rq, const char *text, const char **uuid)
{
    return hex_id(rq, "Run", text, uuid);
}

enum err mlflow_model_id(struct request *rq, const char *text, const char **uuid)
{
    return hex_id(rq, "Logged model", strncmp(text, "m-", 2) == 0 ? text + 2 : "", uuid);
}

enum err mlflow_experiment_id(struct request *rq, const char *text, int64_t *out)
{
    uint64_t id = 0;

    if (!uint_parse(text, INT64_MAX, &id))
        return fail(rq, ERR_NOT_FOUND, "No Experiment with id=%s exists",
                    mlflow_cut(rq->arena, text, 300));
    *out = (int64_t)id;
    return OK;
}

enum err mlflow_pairs(struct request *rq, const json_t *items, size_t max, json_t **object)
{
    const json_t *item;
    size_t i;

    *object = json_object();
    arena_own(rq->arena, *object, json_release);
    json_array_foreach(items, i, item)
    {
        const char *key = mlflow_member(item, "key");
        const char *value = mlflow_member(item, "value");

        TRY(mlflow_key_check(rq, "key", key));
        json_object_set_new(*object, key,
                            json_string(mlflow_cut(rq->arena, value == NULL ? "" : value, max)));
    }
    return OK;
}

enum err mlflow_json(struct db *db, const struct query *q, const char **out,
                     const struct param *params, size_t count)
{
    PGresult *rows;

    *out = NULL;
    TRY(db_rows(db, q, &rows, params, count));
    if (PQntuples(rows) == 0 || PQgetisnull(rows, 0, 0))
        return ERR_NOT_FOUND;
    *out = PQgetvalue(rows, 0, 0);
    return OK;
}

enum err mlflow_reply(struct request *rq, const char *json)
{
    return request_reply_bytes(rq, "application/json", json, strlen(json));
}

enum err mlflow_reply_empty(struct request *rq)
{
    return mlflow_reply(rq, "{}");
}
