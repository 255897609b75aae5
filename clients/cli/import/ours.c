/* SPDX-License-Identifier: Apache-2.0 */
#include "clients/cli/import/ours.h"

#include "clients/cli/table.h"
#include "core/crypto.h"

#include <string.h>

enum { TRIES = 5, ID_DIGITS = 32, NAME_LONGEST = 63 };

static bool worth_another(const struct reply *r)
{
    return r->problem != NULL || r->status == 429 || r->status == 503;
}

static struct said said_of(struct import *im, const struct reply *r)
{
    struct said s = {.code = NULL};

    if (r->problem != NULL || r->status >= 500 || r->status == 401)
        reply_expect(&im->work, r);
    s.json = reply_json(&im->work, r);
    if (r->status / 100 == 2)
        return s;
    s.code = text_at(s.json, "error_code");
    s.why = text_at(s.json, "message");
    if (s.code == NULL)
        s.code = arena_printf(im->work.arena, "HTTP %ld", r->status);
    if (s.why == NULL)
        s.why = s.code;
    return s;
}

static struct reply *send_call(struct import *im, struct call *call)
{
    struct reply *r = NULL;

    call->headers[0] =
        arena_printf(im->work.arena, "X-MLFLOW-WORKSPACE: %s", project_name(&im->work));
    for (unsigned tries = 0; tries < TRIES; tries++) {
        if (tries > 0)
            pause_seconds(1U << (tries - 1));
        if (call->file != NULL && fseeko(call->file, 0, SEEK_SET) != 0)
            die(USAGE, "a temporary file cannot be read");
        r = http_call(&im->work, call);
        if (!worth_another(r))
            break;
    }
    return r;
}

struct said ours_ask(struct import *im, const char *method, const char *path, const json_t *body)
{
    struct call call = {.method = method, .path = path, .json = body};

    return said_of(im, send_call(im, &call));
}

struct said ours_put(struct import *im, const char *path, FILE *file, int64_t size,
                     const char *digest)
{
    struct call call = {.method = "PUT",
                        .path = path,
                        .file = file,
                        .size = size,
                        .headers = {NULL, digest},
                        .patient = true};

    return said_of(im, send_call(im, &call));
}

bool ours_absent(const struct said *s)
{
    return s->code != NULL && strcmp(s->code, "RESOURCE_DOES_NOT_EXIST") == 0;
}

bool ours_tell(struct import *im, const char *method, const char *path, json_t *body,
               const char *what)
{
    struct said s = ours_ask(im, method, path, keep(&im->work, body));

    if (s.code != NULL)
        report_differs(im->report, what, "%s: %s", s.code, s.why);
    return s.code == NULL;
}

const char *text_at(const json_t *object, const char *path)
{
    return json_string_value(member_at(object, path));
}

/* Integers may come as texts. */
int64_t number_at(const json_t *object, const char *path)
{
    const json_t *value = member_at(object, path);
    uint64_t number = 0;

    if (json_is_string(value) && uint_parse(json_string_value(value), INT64_MAX, &number))
        return (int64_t)number;
    return json_integer_value(value);
}

const char *pair_value(const json_t *pairs, const char *key)
{
    const json_t *item;
    size_t i;

    json_array_foreach(pairs, i, item)
    {
        const char *name = text_at(item, "key");

        if (name != NULL && strcmp(name, key) == 0)
            return text_at(item, "value");
    }
    return NULL;
}

const char *text_cut(const struct import *im, const char *text, size_t max)
{
    size_t length = strlen(text);

    if (length <= max)
        return text;
    while (max > 0 && ((unsigned char)text[max] & 0xC0) == 0x80)
        max--;
    return arena_copy(im->work.arena, text, max);
}

json_t *pair_new(const char *key, const char *value)
{
    return json_pack("{s:s, s:s}", "key", key, "value", value);
}

static bool id_usual(const char *id)
{
    return strlen(id) == ID_DIGITS && strspn(id, "0123456789abcdef") == ID_DIGITS;
}

const char *id_here(const struct import *im, const char *source_id, bool model)
{
    bool marked = strncmp(source_id, "m-", 2) == 0;
    char hex[2 * SHA256_SIZE + 1];
    struct digest d;
    const char *salted;

    if (!im->new_ids && marked == model && id_usual(source_id + (model ? 2 : 0)))
        return arena_text(im->work.arena, source_id);
    salted = arena_printf(im->work.arena, "%s/%s", project_name(&im->work), source_id);
    d = sha256_of(salted, strlen(salted));
    hex_encode(d.bytes, sizeof(d.bytes), hex);
    return arena_printf(im->work.arena, "%s%.32s", model ? "m-" : "", hex);
}

/* --rename OLD=NEW, which may be given more than once. */
static const char *renamed(const struct import *im, const char *name)
{
    size_t length = strlen(name);

    for (size_t i = 0; i < im->work.args.options_count; i++) {
        const struct given *o = &im->work.args.options[i];

        if (strcmp(o->name, "--rename") == 0 && strncmp(o->value, name, length) == 0 &&
            o->value[length] == '=')
            return o->value + length + 1;
    }
    return NULL;
}

static char lower(char c)
{
    static const char small[] = "abcdefghijklmnopqrstuvwxyz";

    if (c >= 'A' && c <= 'Z')
        return small[c - 'A'];
    return c;
}

const char *name_here(const struct import *im, const char *name)
{
    static const char kept[] = "abcdefghijklmnopqrstuvwxyz0123456789._-";
    const char *given = renamed(im, name);
    char out[NAME_LONGEST + 1];
    size_t length = 0;

    if (given != NULL)
        return given;
    for (const char *c = name; *c != '\0' && length < NAME_LONGEST; c++) {
        bool plain = strchr(kept, lower(*c)) != NULL;
        bool first = length == 0;

        if (first && (!plain || strchr("._-", *c) != NULL))
            continue;
        if (plain)
            out[length++] = lower(*c);
        else if (out[length - 1] != '-')
            out[length++] = '-';
    }
    while (length > 1 && out[length - 1] == '-' && name[strlen(name) - 1] != '-')
        length--;
    out[length] = '\0';
    return length > 0 ? arena_text(im->work.arena, out) : "model";
}
