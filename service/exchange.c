/* SPDX-License-Identifier: Apache-2.0 */
#include "service/exchange.h"

#include "core/log.h"

#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    SMALL_BODY = 64 * 1024, /* read to its end though refused */
    DISCARD_MAX = 64 * 1024 * 1024,
};

void exchange_free(void *exchange)
{
    struct exchange *x = exchange;
    struct listener *l = x->listener;

    if (x->rq.reply.kind == REPLY_FILE && x->rq.reply.fd >= 0)
        (void)close(x->rq.reply.fd);
    exchange_body_free(x);
    arena_free(x->rq.arena);
    atomic_fetch_sub(&l->exchanges, 1);
}

void *exchange_begin(void *cls, const char *target, struct MHD_Connection *connection)
{
    struct listener *l = cls;
    struct arena *arena = arena_new();
    struct exchange *x = arena_alloc(arena, sizeof(*x));

    x->listener = l;
    x->connection = connection;
    x->conn =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
    x->rq.arena = arena;
    x->target = target;
    x->rq.path = arena_text(arena, target == NULL ? "" : target);
    x->rq.remote = x->conn == NULL ? "" : arena_text(arena, x->conn->remote);
    x->rq.host = "";
    id_new(x->id);
    x->rq.id = x->id;
    atomic_fetch_add(&l->exchanges, 1);
    if (x->conn != NULL)
        conn_deadline(x->conn, l->config.header_timeout_s);
    return x;
}

static enum MHD_Result copy_header(void *cls, enum MHD_ValueKind kind, const char *name,
                                   size_t name_length, const char *value, size_t value_length)
{
    struct exchange *x = cls;
    struct request *rq = &x->rq;
    char *lower;

    (void)kind;
    if (rq->headers_count == PAIRS_MAX) {
        x->broken = true;
        return MHD_NO;
    }
    lower = arena_copy(rq->arena, name, name_length);
    for (char *c = lower; *c != '\0'; c++)
        if (*c >= 'A' && *c <= 'Z')
            *c = (char)(*c - 'A' + 'a');
    rq->headers[rq->headers_count].name = lower;
    rq->headers[rq->headers_count++].value = arena_copy(rq->arena, value, value_length);
    if (strcmp(lower, "host") == 0)
        rq->host = rq->headers[rq->headers_count - 1].value;
    return MHD_YES;
}

/* A NUL cuts the target short. libmicrohttpd 0.9.75 leaves the request line where it was read, so
 * the version would begin right after the target; later ones refuse the NUL themselves. */
static bool target_is_cut(const struct exchange *x, const char *version)
{
    return strncmp(MHD_get_version(), "0.9.", 4) == 0 && x->target != NULL &&
           version != x->target + strlen(x->rq.path) + 1;
}

static const char *read_head(struct exchange *x, const char *method, const char *version)
{
    const char *wrong;

    x->head = strcmp(method, "HEAD") == 0;
    x->rq.method = x->head ? "GET" : arena_text(x->rq.arena, method);
    (void)MHD_get_connection_values_n(x->connection, MHD_HEADER_KIND, copy_header, x);
    wrong = framing_check(&x->rq, version, &x->frame);
    if (wrong == NULL && target_is_cut(x, version))
        wrong = "the request line has a NUL or too many blanks";
    if (wrong == NULL && x->broken)
        wrong = "there are more than 64 headers";
    if (wrong != NULL)
        x->broken = x->frame.has_body = true;
    return wrong;
}

/* Everything that can be said once the headers are there. OK, or the reply is ready. */
static enum err judge_head(struct exchange *x, const char *method, const char *version)
{
    const struct listener *l = x->listener;
    struct request *rq = &x->rq;
    const char *wrong = read_head(x, method, version);
    int64_t most;
    enum err e;

    if (wrong != NULL) {
        log_client("%s sent a request that is not well-formed: %s", rq->remote, wrong);
        l->hooks->refuse(rq, ERR_INVALID, wrong);
        return ERR_INVALID;
    }
    if (atomic_load(&l->stopping)) {
        l->hooks->refuse(rq, ERR_BUSY, "the service is stopping");
        return ERR_BUSY;
    }
    e = l->hooks->route(rq);
    if (e != OK)
        return e;
    if (x->frame.has_body && (rq->route->body == no_body || rq->route->body == NULL)) {
        l->hooks->refuse(rq, ERR_INVALID, "this route takes no body");
        return ERR_INVALID;
    }
    most = exchange_body_most(x);
    if (x->frame.length > most) {
        l->hooks->refuse(rq, ERR_TOO_LARGE,
                         arena_printf(rq->arena, "at most %lld bytes are taken", (long long)most));
        return ERR_TOO_LARGE;
    }
    return OK;
}

/* Refused while the body is still to come: read on if that is cheap, else answer now and close. */
static enum MHD_Result refuse_body(struct exchange *x)
{
    bool expects = request_header(&x->rq, "expect") != NULL;

    if (x->broken || expects) {
        x->close = true;
        return exchange_reply(x);
    }
    if (x->frame.chunked || x->frame.length > SMALL_BODY)
        return exchange_reply_early(x);
    x->at = AT_IGNORE;
    conn_deadline(x->conn, x->listener->config.body_timeout_s);
    return MHD_YES;
}

static enum MHD_Result start(struct exchange *x, const char *method, const char *version)
{
    enum err e;

    clock_gettime(CLOCK_MONOTONIC, &x->began);
    log_request(x->id);
    e = judge_head(x, method, version);
    log_request(NULL);
    if (e != OK) {
        x->at = AT_REPLY;
        return x->frame.has_body ? refuse_body(x) : MHD_YES;
    }
    if (body_streamed(x->rq.route->body))
        return exchange_upload_ask(x);
    x->at = AT_BODY;
    if (x->frame.has_body)
        conn_deadline(x->conn, x->listener->config.body_timeout_s);
    return MHD_YES;
}

static enum MHD_Result discard(struct exchange *x, size_t *length)
{
    if (*length == 0)
        return MHD_NO;
    x->received += (int64_t)*length;
    *length = 0;
    return x->received > DISCARD_MAX ? MHD_NO : MHD_YES;
}

static enum MHD_Result step(struct exchange *x, const char *data, size_t *length)
{
    switch (x->at) {
    case AT_BODY:
        return *length > 0 ? exchange_body_take(x, data, length) : exchange_submit(x);
    case AT_ADMITTED:
        x->at = AT_UPLOAD;
        conn_deadline(x->conn, 0);
        conn_rated(x->conn, true);
        return MHD_YES;
    case AT_UPLOAD:
        return *length > 0 ? exchange_upload_take(x, data, length) : exchange_upload_finish(x);
    case AT_IGNORE:
        if (*length == 0)
            return exchange_reply(x);
        *length = 0;
        return MHD_YES;
    case AT_REPLY:
        return x->frame.has_body && x->spooling == NULL && x->rq.route != NULL &&
                       body_streamed(x->rq.route->body)
                   ? refuse_body(x)
                   : exchange_reply(x);
    case AT_DISCARD:
        return discard(x, length);
    default:
        return MHD_YES;
    }
}

/* NOLINTNEXTLINE(readability-function-size): the parameters are libmicrohttpd's. */
enum MHD_Result exchange_step(void *cls, struct MHD_Connection *connection, const char *url,
                              const char *method, const char *version, const char *data,
                              size_t *length, void **state)
{
    struct exchange *x = *state;

    (void)cls;
    (void)connection;
    (void)url;
    if (x == NULL || x->conn == NULL)
        return MHD_NO;
    if (x->at == AT_START)
        return start(x, method, version);
    return step(x, data, length);
}

static void count(struct exchange *x)
{
    struct listener *l = x->listener;
    unsigned class = x->status / 100;

    atomic_fetch_add(&l->requests[class < 6 ? class : 0], 1);
}

void exchange_end(void *cls, struct MHD_Connection *connection, void **state,
                  enum MHD_RequestTerminationCode why)
{
    struct exchange *x = *state;
    struct listener *l = cls;

    (void)connection;
    (void)why;
    *state = NULL;
    if (x == NULL)
        return;
    count(x);
    if (x->conn != NULL) {
        wire_flush(x->conn->wire);
        conn_rated(x->conn, false);
        conn_deadline(x->conn, (long long)l->config.idle_timeout_s + l->config.header_timeout_s);
    }
    x->gone = true;
    if (x->live != NULL)
        live_leave(x->live);
    else if (x->spooling != NULL && !x->spool_ended)
        exchange_upload_abort(x);
    else
        exchange_free(x);
}
