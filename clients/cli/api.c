/* SPDX-License-Identifier: Apache-2.0 */
#include "clients/cli/http.h"

#include <stdarg.h>
#include <string.h>

enum { LIST_MAX = 10000, PAGE = 500, PATH_MAX_BYTES = 16384 };

static void escape(struct text *out, const char *s, const char *kept)
{
    for (; *s != '\0'; s++) {
        char c = *s;
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');

        if (plain || strchr(kept, c) != NULL)
            text_add(out, &c, 1);
        else
            text_printf(out, "%%%02X", (unsigned char)c);
    }
}

/* What the placeholder name (without braces) stands for; next gives the texts of the call. */
static const char *filling(const struct cli *c, const char *name, size_t length, va_list next)
{
    size_t number = length == 1 && name[0] >= '1' && name[0] <= '9' ? (size_t)(name[0] - '1') : 0;

    if (length == 0 || name[0] == '+')
        return va_arg(next, const char *);
    if (name[0] == 'p')
        return project_name(c);
    return number < c->args.count ? c->args.values[number] : "";
}

static char *path_end(const struct cli *c, struct text *path)
{
    char *kept;

    if (path->failed)
        die(USAGE, "the arguments are too long");
    kept = arena_text(c->arena, path->data);
    text_free(path);
    return kept;
}

char *path_of(const struct cli *c, const char *template, ...)
{
    struct text path = text_new(PATH_MAX_BYTES);
    va_list next;

    va_start(next, template);
    while (*template != '\0') {
        size_t plain = strcspn(template, "{");
        size_t length;

        text_add(&path, template, plain);
        template += plain;
        if (*template == '\0')
            break;
        length = strcspn(++template, "}");
        escape(&path, filling(c, template, length, next), *template == '+' ? "-._~/" : "-._~@");
        template += length + 1;
    }
    va_end(next);
    return path_end(c, &path);
}

char *path_query(const struct cli *c, const char *path, const char *name, const char *value)
{
    struct text out = text_new(PATH_MAX_BYTES);

    if (value == NULL)
        return arena_text(c->arena, path);
    text_printf(&out, "%s%c%s=", path, strchr(path, '?') == NULL ? '?' : '&', name);
    escape(&out, value, "-._~/:@");
    return path_end(c, &out);
}

json_t *keep(const struct cli *c, json_t *json)
{
    if (json == NULL)
        die(USAGE, "an argument is not UTF-8");
    arena_own(c->arena, json, (void (*)(void *))json_decref);
    return json;
}

/* The three dialects of the service: ours, OAuth's, and the inference protocol's. */
static _Noreturn void refuse(const struct cli *c, const struct reply *r)
{
    json_t *body = json_loadb(r->body, r->length, 0, NULL);
    const json_t *error = json_object_get(body, "error");
    const char *code = json_string_value(json_object_get(error, "code"));
    const char *message = json_string_value(json_object_get(error, "message"));
    const char *id = reply_header(r, "x-request-id");

    if (json_is_string(error) && json_object_get(body, "error_description") != NULL) {
        code = json_string_value(error);
        message = json_string_value(json_object_get(body, "error_description"));
    } else if (json_is_string(error)) {
        message = json_string_value(error);
    }
    if (code == NULL)
        code = arena_printf(c->arena, "http-%ld", r->status);
    die(r->status >= 500 ? FAILED : REFUSED, "%s: %s%s (request %s)", code,
        message == NULL ? "the service gave no reason" : message,
        strcmp(code, "token") == 0 ? "; sign in with chancery login" : "",
        id == NULL ? "unknown" : id);
}

void reply_expect(const struct cli *c, const struct reply *r)
{
    if (r->problem != NULL)
        die(FAILED, "unreachable: %s", r->problem);
    if (r->status < 200 || r->status > 299)
        refuse(c, r);
}

json_t *reply_json(const struct cli *c, const struct reply *r)
{
    json_error_t wrong;
    json_t *json;

    if (r->length == 0)
        return NULL;
    json = json_loadb(r->body, r->length, JSON_REJECT_DUPLICATES, &wrong);
    if (json == NULL)
        die(FAILED, "the service answered something that is not JSON: %s", wrong.text);
    return keep(c, json);
}

json_t *api(const struct cli *c, const char *method, const char *path, const json_t *body)
{
    struct reply *r = http_call(c, &(struct call){.method = method, .path = path, .json = body});

    reply_expect(c, r);
    return reply_json(c, r);
}

size_t list_limit(const struct cli *c)
{
    uint64_t limit = LIST_MAX;
    const char *text = option(c, "--limit");

    if (text != NULL && (!uint_parse(text, LIST_MAX, &limit) || limit == 0))
        die(USAGE, "usage: --limit takes a number from 1 to %d", LIST_MAX);
    return (size_t)limit;
}

json_t *api_list(const struct cli *c, const char *path, size_t max)
{
    json_t *all = json_array();
    json_t *list = keep(c, json_pack("{s:o}", "value", all));
    const char *next =
        path_query(c, path, "limit", arena_printf(c->arena, "%zu", max < PAGE ? max : PAGE));

    while (next != NULL && json_array_size(all) < max) {
        const json_t *page = api(c, "GET", next, NULL);
        const json_t *item;
        size_t i;

        if (!json_is_array(json_object_get(page, "value")))
            die(FAILED, "the service answered something that is not a list");
        json_array_foreach(json_object_get(page, "value"), i, item) if (json_array_size(all) < max)(
            void) json_array_append(all, (json_t *)item);
        next = json_string_value(json_object_get(page, "nextLink"));
    }
    return list;
}
