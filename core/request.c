/* SPDX-License-Identifier: Apache-2.0 */
#include "core/request.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { REPLY_MAX = 1 << 30 };

const struct field no_body[] = {FIELDS_END};
const struct field file_body[] = {FIELDS_END};
const struct field events_body[] = {FIELDS_END};
const struct field raw_body[] = {FIELDS_END};
const struct field object_body[] = {FIELDS_END};

bool body_streamed(const struct field *body)
{
    return body == file_body || body == events_body;
}

static void release_json(void *json)
{
    json_decref(json);
}

void fail_because(struct request *rq, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    rq->detail = arena_vprintf(rq->arena, format, args);
    va_end(args);
}

/* 'name is too long', 'list[3] …', 'there is no member "nmae" here' */
static const char *member_at_fault(struct arena *a, const char *why)
{
    static const char unknown[] = "there is no member \"";

    if (strncmp(why, unknown, sizeof(unknown) - 1) == 0) {
        why += sizeof(unknown) - 1;
        return arena_copy(a, why, strcspn(why, "\""));
    }
    return arena_copy(a, why, strcspn(why, " :["));
}

enum err request_read(struct request *rq, void *out)
{
    const char *why = NULL;

    if (field_from_json(rq->arena, rq->route->body, rq->body, out, &why) == OK)
        return OK;
    rq->target = member_at_fault(rq->arena, why);
    return fail(rq, ERR_INVALID, "%s", why);
}

const char *request_query(const struct request *rq, const char *name)
{
    for (size_t i = 0; i < rq->query_count; i++)
        if (strcmp(rq->query[i].name, name) == 0)
            return rq->query[i].value;
    return NULL;
}

const char *request_header(const struct request *rq, const char *name)
{
    for (size_t i = 0; i < rq->headers_count; i++)
        if (strcmp(rq->headers[i].name, name) == 0)
            return rq->headers[i].value;
    return NULL;
}

enum err request_query_int(struct request *rq, const char *name, int64_t least, int64_t most,
                           int64_t fallback, int64_t *out)
{
    const char *text = request_query(rq, name);
    uint64_t number = 0;

    *out = fallback;
    if (text == NULL)
        return OK;
    rq->target = name;
    if (!uint_parse(text, (uint64_t)most, &number) || (int64_t)number < least)
        return fail(rq, ERR_INVALID, "%s must be between %lld and %lld", name, (long long)least,
                    (long long)most);
    rq->target = NULL;
    *out = (int64_t)number;
    return OK;
}

void request_unreply(struct request *rq)
{
    if (rq->reply.kind == REPLY_FILE && rq->reply.fd >= 0)
        (void)close(rq->reply.fd);
    rq->reply = (struct reply){.fd = -1};
}

void request_status(struct request *rq, unsigned status)
{
    rq->reply.status = status;
}

void request_add_header(struct request *rq, const char *name, const char *value)
{
    struct reply *r = &rq->reply;

    if (r->headers_count < sizeof(r->headers) / sizeof(r->headers[0]))
        r->headers[r->headers_count++] = (struct pair){.name = name, .value = value};
}

/* RFC 6265 §3: each cookie has a header of its own. */
static bool is_other_cookie(const char *name, const char *one, const char *other)
{
    size_t length = strcspn(one, "=");

    return strcasecmp(name, "set-cookie") == 0 &&
           (strncmp(one, other, length) != 0 || other[length] != '=');
}

void request_set_header(struct request *rq, const char *name, const char *value)
{
    struct reply *r = &rq->reply;

    for (size_t i = 0; i < r->headers_count; i++)
        if (strcasecmp(r->headers[i].name, name) == 0 &&
            !is_other_cookie(name, r->headers[i].value, value)) {
            r->headers[i].value = value;
            return;
        }
    request_add_header(rq, name, value);
}

enum err request_reply_bytes(struct request *rq, const char *type, const void *bytes, size_t length)
{
    rq->reply.kind = REPLY_BYTES;
    rq->reply.type = type;
    rq->reply.bytes = bytes;
    rq->reply.length = length;
    return OK;
}

enum err request_reply_json(struct request *rq, json_t *json)
{
    char *text = json_dumps(json, JSON_COMPACT | JSON_ENCODE_ANY);

    json_decref(json);
    if (text == NULL)
        return fail(rq, ERR_INTERNAL, "the answer is not valid UTF-8");
    arena_own(rq->arena, text, free);
    return request_reply_bytes(rq, "application/json", text, strlen(text));
}

/* Takes t. */
static enum err reply_text(struct request *rq, struct text *t)
{
    arena_own(rq->arena, t->data, free);
    if (t->failed)
        return fail(rq, ERR_INTERNAL, "the answer is too large");
    return request_reply_bytes(rq, "application/json", t->data, t->length);
}

enum err request_reply(struct request *rq, const struct field *fields, const void *in)
{
    struct text t = text_new(REPLY_MAX);

    field_write(fields, in, &t);
    return reply_text(rq, &t);
}

static const char *next_link(struct request *rq, const char *next)
{
    const char *link =
        arena_printf(rq->arena, "%s?after=%s", rq->path, percent_encode(rq->arena, next));

    for (size_t i = 0; i < rq->query_count; i++)
        if (strcmp(rq->query[i].name, "after") != 0)
            link = arena_printf(rq->arena, "%s&%s=%s", link,
                                percent_encode(rq->arena, rq->query[i].name),
                                percent_encode(rq->arena, rq->query[i].value));
    return link;
}

enum err request_reply_list(struct request *rq, const struct field *fields, size_t size,
                            const struct rows *rows, const char *next)
{
    struct text t = text_new(REPLY_MAX);

    text_puts(&t, "{\"value\":[");
    for (size_t i = 0; i < rows->count; i++) {
        text_puts(&t, i == 0 ? "" : ",");
        field_write(fields, (const char *)rows->items + i * size, &t);
    }
    text_puts(&t, "]");
    if (next != NULL) {
        text_puts(&t, ",\"nextLink\":");
        field_write_text(next_link(rq, next), &t);
    }
    text_puts(&t, "}");
    return reply_text(rq, &t);
}

enum err request_reply_empty(struct request *rq)
{
    rq->reply.status = 204;
    return request_reply_bytes(rq, NULL, "", 0);
}

enum err request_reply_file(struct request *rq, const char *type, int fd, int64_t size)
{
    rq->reply.kind = REPLY_FILE;
    rq->reply.type = type;
    rq->reply.fd = fd;
    rq->reply.offset = 0;
    rq->reply.size = size;
    return OK;
}

enum err request_reply_stream(struct request *rq, const char *type, struct stream stream)
{
    rq->reply.kind = REPLY_STREAM;
    rq->reply.type = type;
    rq->reply.stream = stream;
    return OK;
}

void request_object(struct request *rq, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    rq->object = arena_vprintf(rq->arena, format, args);
    va_end(args);
}

void request_audit(struct request *rq, const char *name, json_t *value)
{
    if (rq->audit == NULL) {
        rq->audit = json_object();
        arena_own(rq->arena, rq->audit, release_json);
    }
    json_object_set_new(rq->audit, name, value);
}
