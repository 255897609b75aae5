/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/mlflow/trace_otlp.h"

#include "registry/mlflow/trace_value.h"

#include <string.h>

/* Field numbers of opentelemetry/proto/trace/v1/trace.proto and its neighbours. */
enum { REQUEST_RESOURCE_SPANS = 1, RESOURCE_SCOPE_SPANS = 2, SCOPE_SPANS = 2 };
enum {
    SPAN_TRACE_ID = 1,
    SPAN_ID = 2,
    SPAN_PARENT = 4,
    SPAN_NAME = 5,
    SPAN_KIND = 6,
    SPAN_START = 7,
    SPAN_END = 8,
    SPAN_ATTRIBUTES = 9,
    SPAN_EVENTS = 11,
    SPAN_LINKS = 13,
    SPAN_STATUS = 15
};
enum { EVENT_TIME = 1, EVENT_NAME = 2, EVENT_ATTRIBUTES = 3 };
enum { LINK_TRACE = 1, LINK_SPAN = 2, LINK_ATTRIBUTES = 4 };
enum { STATUS_MESSAGE = 2, STATUS_CODE = 3 };
enum { TRACE_ID_SIZE = 16, SPAN_ID_SIZE = 8 };

struct heading {
    struct span trace;
    struct span id;
    struct span parent;
    struct span name;
    struct span message;
    uint64_t kind;
    uint64_t status;
    uint64_t start;
    uint64_t end;
};

static void read_status(struct proto *outer, struct heading *h)
{
    struct proto p = proto_open(outer->bytes);

    while (proto_next(&p)) {
        if (proto_is(&p, STATUS_MESSAGE, PROTO_BYTES))
            h->message = p.bytes;
        if (proto_is(&p, STATUS_CODE, PROTO_VARINT))
            h->status = p.number;
    }
    outer->fault = p.fault;
}

static const struct {
    uint32_t field;
    size_t offset;
} texts[] = {{SPAN_TRACE_ID, offsetof(struct heading, trace)},
             {SPAN_ID, offsetof(struct heading, id)},
             {SPAN_PARENT, offsetof(struct heading, parent)},
             {SPAN_NAME, offsetof(struct heading, name)}};

static void read_text(struct proto *p, struct heading *h)
{
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        if (proto_is(p, texts[i].field, PROTO_BYTES))
            memcpy((char *)h + texts[i].offset, &p->bytes, sizeof(p->bytes));
}

static const char *read_heading(struct span message, struct heading *h)
{
    struct proto p = proto_open(message);

    while (proto_next(&p)) {
        read_text(&p, h);
        if (proto_is(&p, SPAN_KIND, PROTO_VARINT))
            h->kind = p.number;
        if (proto_is(&p, SPAN_START, PROTO_FIXED64))
            h->start = p.number;
        if (proto_is(&p, SPAN_END, PROTO_FIXED64))
            h->end = p.number;
        if (proto_is(&p, SPAN_STATUS, PROTO_BYTES))
            read_status(&p, h);
    }
    return p.fault;
}

static bool id_is(struct span id, size_t size)
{
    static const char zeros[TRACE_ID_SIZE];

    return id.length == size && memcmp(id.data, zeros, size) != 0;
}

/* trace.proto: ids of any other length, or all zeros, are invalid. */
static const char *wrong_with(const struct heading *h)
{
    if (!id_is(h->trace, TRACE_ID_SIZE))
        return "trace_id is not 16 bytes";
    if (!id_is(h->id, SPAN_ID_SIZE))
        return "span_id is not 8 bytes";
    if (h->parent.length != 0 && !id_is(h->parent, SPAN_ID_SIZE))
        return "parent_span_id is not 8 bytes";
    if (h->start > INT64_MAX || h->end > INT64_MAX)
        return "a time lies beyond the year 2262";
    return NULL;
}

static void write_id(struct text *out, const char *before, struct span id)
{
    char hex[2 * TRACE_ID_SIZE + 1];

    hex_encode(id.data, id.length, hex);
    text_printf(out, "%s%s\"", before, hex);
}

static const char *write_event(struct text *out, struct span message)
{
    struct proto p = proto_open(message);
    struct span name = {.length = 0};
    uint64_t time = 0;

    while (proto_next(&p)) {
        if (proto_is(&p, EVENT_TIME, PROTO_FIXED64))
            time = p.number;
        if (proto_is(&p, EVENT_NAME, PROTO_BYTES))
            name = p.bytes;
    }
    if (p.fault == NULL && time > INT64_MAX)
        return "an event's time lies beyond the year 2262";
    if (p.fault != NULL)
        return p.fault;
    text_printf(out, "{\"time_unix_nano\":%llu,\"name\":", (unsigned long long)time);
    value_write_text(out, name);
    text_puts(out, ",\"attributes\":");
    value_write_map(out, message, EVENT_ATTRIBUTES, &p.fault);
    text_puts(out, "}");
    return p.fault;
}

static const char *write_link(struct text *out, struct span message)
{
    struct proto p = proto_open(message);
    struct span trace = {.length = 0};
    struct span id = {.length = 0};

    while (proto_next(&p)) {
        if (proto_is(&p, LINK_TRACE, PROTO_BYTES))
            trace = p.bytes;
        if (proto_is(&p, LINK_SPAN, PROTO_BYTES))
            id = p.bytes;
    }
    if (p.fault == NULL && (trace.length > TRACE_ID_SIZE || id.length > SPAN_ID_SIZE))
        return "a link's ids are too long";
    if (p.fault != NULL)
        return p.fault;
    write_id(out, "{\"trace_id\":\"", trace);
    write_id(out, ",\"span_id\":\"", id);
    text_puts(out, ",\"attributes\":");
    value_write_map(out, message, LINK_ATTRIBUTES, &p.fault);
    text_puts(out, "}");
    return p.fault;
}

static void write_list(struct text *out, struct span message, uint32_t field, const char **fault)
{
    struct proto p = proto_open(message);
    const char *before = "[";

    while (*fault == NULL && proto_next(&p))
        if (proto_is(&p, field, PROTO_BYTES)) {
            text_puts(out, before);
            before = ",";
            *fault = (field == SPAN_EVENTS ? write_event : write_link)(out, p.bytes);
        }
    if (*fault == NULL)
        *fault = p.fault;
    text_puts(out, *before == '[' ? "[]" : "]");
}

static void write_record(struct text *out, struct span message, const struct heading *h,
                         const char **fault)
{
    static const char *const statuses[] = {"UNSET", "OK", "ERROR"};

    write_id(out, "{\"trace\":\"tr-", h->trace);
    write_id(out, ",\"id\":\"", h->id);
    if (h->parent.length > 0)
        write_id(out, ",\"parent\":\"", h->parent);
    text_puts(out, ",\"name\":");
    value_write_text(out, h->name);
    text_printf(out, ",\"status\":\"%s\",\"kind\":%d,\"start\":%llu,\"end\":%llu",
                statuses[h->status < 3 ? h->status : 0], h->kind < 6 ? (int)h->kind : 0,
                (unsigned long long)h->start, (unsigned long long)h->end);
    if (h->message.length > 0) {
        text_puts(out, ",\"message\":");
        value_write_text(out, h->message);
    }
    text_puts(out, ",\"attributes\":");
    value_write_map(out, message, SPAN_ATTRIBUTES, fault);
    text_puts(out, ",\"events\":");
    write_list(out, message, SPAN_EVENTS, fault);
    text_puts(out, ",\"links\":");
    write_list(out, message, SPAN_LINKS, fault);
    text_puts(out, "}");
}

static const char *add_span(struct otlp_batch *b, struct span message)
{
    struct heading h = {.kind = 0};
    const char *fault = read_heading(message, &h);
    const char *wrong = fault == NULL ? wrong_with(&h) : NULL;

    if (fault != NULL)
        return fault;
    if (b->taken + b->rejected >= OTLP_SPANS_MAX)
        b->records.failed = true;
    if (b->records.failed)
        return "there are too many spans";
    if (wrong != NULL) {
        b->rejected++;
        b->why = wrong;
        return NULL;
    }
    text_puts(&b->records, b->taken++ == 0 ? "" : ",\n");
    write_record(&b->records, message, &h, &fault);
    return b->records.failed ? "the spans are too large" : fault;
}

static const char *add_scope(struct otlp_batch *b, struct span message)
{
    struct proto p = proto_open(message);

    while (proto_next(&p))
        if (proto_is(&p, SCOPE_SPANS, PROTO_BYTES))
            p.fault = add_span(b, p.bytes);
    return p.fault;
}

static const char *add_resource(struct otlp_batch *b, struct span message)
{
    struct proto p = proto_open(message);

    while (proto_next(&p))
        if (proto_is(&p, RESOURCE_SCOPE_SPANS, PROTO_BYTES))
            p.fault = add_scope(b, p.bytes);
    return p.fault;
}

enum err otlp_read(struct span message, struct otlp_batch *batch, const char **why)
{
    struct proto p = proto_open(message);

    *batch = (struct otlp_batch){.records = text_new(OTLP_RECORDS_MAX)};
    text_puts(&batch->records, "[");
    while (proto_next(&p))
        if (proto_is(&p, REQUEST_RESOURCE_SPANS, PROTO_BYTES))
            p.fault = add_resource(batch, p.bytes);
    text_puts(&batch->records, "]");
    *why = p.fault;
    if (p.fault == NULL && !batch->records.failed)
        return OK;
    return batch->records.failed ? ERR_TOO_LARGE : ERR_INVALID;
}
