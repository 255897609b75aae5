/* SPDX-License-Identifier: Apache-2.0 */
#include "service/exchange.h"

#include "core/log.h"

#include <string.h>
#include <strings.h>

enum { HEADERS_MAX = 32, SEND_LEAST = 1024, EARLY_MAX = 15000, EARLY_S = 5 };

const double listener_latency_bounds[LISTENER_LATENCIES] = {
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10};

struct headers {
    struct pair items[HEADERS_MAX];
    size_t count;
};

static void add(struct headers *h, const char *name, const char *value)
{
    if (h->count == HEADERS_MAX)
        return;
    h->items[h->count].name = name;
    h->items[h->count++].value = value;
}

/* Unless the handler said it. */
static void add_default(struct headers *h, const char *name, const char *value)
{
    for (size_t i = 0; i < h->count; i++)
        if (strcasecmp(h->items[i].name, name) == 0)
            return;
    add(h, name, value);
}

static void list_headers(const struct exchange *x, unsigned status, struct headers *h)
{
    const struct reply *reply = &x->rq.reply;

    for (size_t i = 0; i < reply->headers_count; i++)
        add(h, reply->headers[i].name, reply->headers[i].value);
    if (reply->kind != REPLY_NONE && reply->type != NULL)
        add_default(h, "Content-Type", reply->type);
    if (reply->kind == REPLY_FILE)
        add_default(h, "Accept-Ranges", "bytes");
    if (x->download != NULL && x->download->content_range != NULL)
        add(h, "Content-Range", x->download->content_range);
    if (status == 503 || status == 429)
        add_default(h, "Retry-After", "1");
    if (x->close || atomic_load(&x->listener->stopping))
        add_default(h, "Connection", "close");
    add_default(h, "Cache-Control", "no-store");
    add_default(h, "Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'");
    add(h, "X-Content-Type-Options", "nosniff");
    add(h, "Strict-Transport-Security", "max-age=31536000");
    add(h, "X-Request-Id", x->rq.id);
}

static void measure(const struct exchange *x)
{
    struct listener *l = x->listener;
    struct timespec t;
    int64_t us;
    size_t at = 0;

    clock_gettime(CLOCK_MONOTONIC, &t);
    us = (t.tv_sec - x->began.tv_sec) * 1000000L + (t.tv_nsec - x->began.tv_nsec) / 1000;
    while (at < LISTENER_LATENCIES && (double)us > listener_latency_bounds[at] * 1e6)
        at++;
    atomic_fetch_add(&l->latency[at], 1);
    atomic_fetch_add(&l->latency_us, us);
}

static unsigned status_of(const struct exchange *x)
{
    return x->rq.reply.status != 0 ? x->rq.reply.status : err_status(x->rq.outcome);
}

/* The bytes are in the arena, which outlives the response; libmicrohttpd only forgot the const. */
static struct MHD_Response *bytes_response(struct exchange *x)
{
    const struct reply *reply = &x->rq.reply;
    const union {
        const char *given;
        void *wanted;
    } bytes = {.given = reply->bytes};
    size_t length = reply->kind == REPLY_BYTES ? reply->length : 0;

    if (!x->head)
        atomic_fetch_add(&x->listener->bytes_out, (long long)length);
    return MHD_create_response_from_buffer(length, bytes.wanted, MHD_RESPMEM_PERSISTENT);
}

static struct MHD_Response *stream_response(struct exchange *x, unsigned *status)
{
    struct listener *l = x->listener;

    if (x->head) {
        x->rq.reply.kind = REPLY_NONE;
        return bytes_response(x);
    }
    x->live = live_begin(l->streams, &x->rq, x->connection, x->conn->fd, exchange_free, x);
    if (x->live != NULL)
        return MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, SEND_LEAST, live_read, x->live,
                                                 NULL);
    l->hooks->refuse(&x->rq, ERR_BUSY, "too many streams are open");
    *status = status_of(x);
    return bytes_response(x);
}

static struct MHD_Response *make_response(struct exchange *x, unsigned *status)
{
    switch (x->rq.reply.kind) {
    case REPLY_FILE:
        x->download = download_plan(&x->rq, *status, x->head, &x->listener->bytes_out);
        *status = x->download->status;
        return download_response(x->download);
    case REPLY_STREAM:
        return stream_response(x, status);
    default:
        return bytes_response(x);
    }
}

/* Slower than 1 KiB/s on the whole is no reading. */
static void set_deadline(const struct exchange *x)
{
    const struct listener_config *c = &x->listener->config;
    int64_t size = x->rq.reply.kind == REPLY_BYTES ? (int64_t)x->rq.reply.length : 0;

    if (x->download != NULL)
        size = x->download->size;
    conn_deadline(x->conn, x->live != NULL ? 0 : c->body_timeout_s + size / SEND_LEAST);
}

/* The head of the reply is followed at once by a body in memory. */
static bool has_body(const struct exchange *x)
{
    const struct reply *reply = &x->rq.reply;

    return reply->kind == REPLY_BYTES && reply->length > 0 && !x->head && x->status >= 200 &&
           x->status != 204 && x->status != 304;
}

enum MHD_Result exchange_reply(struct exchange *x)
{
    struct headers headers = {.count = 0};
    struct MHD_Response *response;
    enum MHD_Result sent;
    unsigned status;

    if (x->listener->hooks->leave != NULL)
        x->listener->hooks->leave(&x->rq);
    status = status_of(x);
    response = make_response(x, &status);
    if (response == NULL)
        return MHD_NO;
    x->at = AT_SENDING;
    x->status = status;
    list_headers(x, status, &headers);
    for (size_t i = 0; i < headers.count; i++)
        if (MHD_add_response_header(response, headers.items[i].name, headers.items[i].value) !=
            MHD_YES)
            log_ours("the header %s cannot be sent", headers.items[i].name);
    set_deadline(x);
    measure(x);
    if (has_body(x))
        wire_hold(x->conn->wire);
    sent = MHD_queue_response(x->connection, status, response);
    MHD_destroy_response(response);
    return sent;
}

static void write_head(struct exchange *x, struct text *out)
{
    const struct reply *reply = &x->rq.reply;
    struct headers headers = {.count = 0};

    x->close = true;
    list_headers(x, x->status, &headers);
    text_printf(out, "HTTP/1.1 %u %s\r\n", x->status, MHD_get_reason_phrase_for(x->status));
    for (size_t i = 0; i < headers.count; i++)
        text_printf(out, "%s: %s\r\n", headers.items[i].name, headers.items[i].value);
    text_printf(out, "Content-Length: %zu\r\n\r\n", reply->kind == REPLY_BYTES ? reply->length : 0);
    if (reply->kind == REPLY_BYTES && !x->head)
        text_add(out, reply->bytes, reply->length);
}

enum MHD_Result exchange_reply_early(struct exchange *x)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(x->connection, MHD_CONNECTION_INFO_GNUTLS_SESSION);
    struct text out = text_new(EARLY_MAX);
    bool sent;

    x->status = status_of(x);
    write_head(x, &out);
    measure(x);
    /* One record, into a socket that has nothing to send: it is taken whole or the peer is gone. */
    sent = !out.failed && info != NULL &&
           gnutls_record_send(info->tls_session, out.data, out.length) == (ssize_t)out.length;
    text_free(&out);
    if (sent)
        (void)gnutls_bye(info->tls_session, GNUTLS_SHUT_WR);
    x->at = AT_DISCARD;
    x->received = 0;
    conn_deadline(x->conn, EARLY_S);
    return sent ? MHD_YES : MHD_NO;
}
