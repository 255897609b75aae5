/* SPDX-License-Identifier: Apache-2.0 */
#include "service/exchange.h"

#include "core/log.h"

#include <stdlib.h>
#include <string.h>

enum { FIRST_ROOM = 4096 };

/* All bodies in memory together. */
static const long long memory_max = 256LL << 20;

void exchange_body_free(struct exchange *x)
{
    free(x->body);
    x->body = NULL;
    atomic_fetch_sub(&x->listener->body_memory, (long long)x->body_room);
    x->body_room = 0;
}

/* Room for length bytes and a NUL: the announced length at once, else doubling. */
static enum err body_grow(struct exchange *x, size_t length)
{
    struct listener *l = x->listener;
    size_t room = x->body_room == 0 ? FIRST_ROOM : x->body_room;
    long long more;
    char *body;

    if (length < x->body_room)
        return OK;
    if (x->frame.length > 0)
        room = (size_t)x->frame.length + 1;
    while (room <= length)
        room *= 2;
    more = (long long)(room - x->body_room);
    if (atomic_fetch_add(&l->body_memory, more) + more > memory_max) {
        atomic_fetch_sub(&l->body_memory, more);
        return ERR_BUSY;
    }
    body = realloc(x->body, room);
    if (body == NULL) {
        atomic_fetch_sub(&l->body_memory, more);
        return ERR_BUSY;
    }
    x->body = body;
    x->body_room = room;
    return OK;
}

static enum err body_add(struct exchange *x, const char *data, size_t length)
{
    enum err e;

    if (x->body_length + length > (size_t)x->listener->config.body_max)
        return ERR_TOO_LARGE;
    e = body_grow(x, x->body_length + length);
    if (e != OK)
        return e;
    memcpy(x->body + x->body_length, data, length);
    x->body_length += length;
    x->body[x->body_length] = '\0';
    return OK;
}

enum MHD_Result exchange_body_take(struct exchange *x, const char *data, size_t *length)
{
    enum err e = body_add(x, data, *length);

    atomic_fetch_add(&x->listener->bytes_in, (long long)*length);
    *length = 0;
    if (e == OK)
        return MHD_YES;
    x->listener->hooks->refuse(&x->rq, e, e == ERR_TOO_LARGE ? "the body is too large" : NULL);
    return exchange_reply_early(x);
}

static void upload_hold(void *self)
{
    struct exchange *x = self;

    conn_rated(x->conn, false);
    MHD_suspend_connection(x->connection);
}

static void upload_go_on(void *self)
{
    struct exchange *x = self;

    conn_rated(x->conn, true);
    MHD_resume_connection(x->connection);
}

/* On an I/O thread: the bytes are safe, or they are not. */
static void upload_done(void *self)
{
    struct exchange *x = self;
    enum err e = spool_failed(x->spooling);

    if (e == OK && !x->refused) {
        exchange_queue(x, x->listener->hooks->lane(&x->rq), exchange_run);
        return;
    }
    spool_drop(x->spooling);
    if (!x->refused)
        x->listener->hooks->refuse(&x->rq, e, NULL);
    exchange_answer(x);
}

int64_t exchange_body_most(const struct exchange *x)
{
    const struct listener *l = x->listener;
    const struct field *body = x->rq.route->body;

    if (!body_streamed(body))
        return l->config.body_max;
    return body == events_body && EVENTS_BODY_MAX < l->config.upload_max ? EVENTS_BODY_MAX
                                                                         : l->config.upload_max;
}

static enum err upload_begin(struct exchange *x)
{
    struct listener *l = x->listener;
    const struct spool_owner owner = {
        .self = x, .hold = upload_hold, .go_on = upload_go_on, .done = upload_done};
    enum err e =
        l->spool == NULL ? ERR_UNAVAILABLE : spool_begin(l->spool, &x->rq, &owner, &x->spooling);

    if (e != OK)
        l->hooks->refuse(&x->rq, e, e == ERR_BUSY ? "too many uploads at once" : NULL);
    return e;
}

static void upload_admit(struct task *t, struct db *db)
{
    struct exchange *x = exchange_of(t);
    struct request *rq = &x->rq;
    enum err e;

    rq->db = db;
    db->arena = rq->arena;
    log_request(rq->id);
    e = x->listener->hooks->admit(rq);
    if (e == OK)
        e = upload_begin(x);
    log_request(NULL);
    db->arena = NULL;
    rq->db = NULL;
    if (e != OK) {
        exchange_answer(x);
        return;
    }
    x->at = AT_ADMITTED;
    MHD_resume_connection(x->connection);
}

enum MHD_Result exchange_upload_ask(struct exchange *x)
{
    x->at = AT_ADMISSION;
    conn_deadline(x->conn, 0);
    MHD_suspend_connection(x->connection);
    exchange_queue(x, LANE_READ, upload_admit);
    return MHD_YES;
}

/* The body cannot be kept: say so now rather than after gigabytes. */
static enum MHD_Result upload_refuse(struct exchange *x, enum err e, const char *detail)
{
    x->refused = true;
    conn_rated(x->conn, false);
    x->listener->hooks->refuse(&x->rq, e, detail);
    return exchange_reply_early(x);
}

enum MHD_Result exchange_upload_take(struct exchange *x, const char *data, size_t *length)
{
    struct listener *l = x->listener;
    size_t taken;
    enum err e;

    if (x->received + (int64_t)*length > exchange_body_most(x)) {
        *length = 0;
        return upload_refuse(x, ERR_TOO_LARGE, "the body is too large");
    }
    taken = spool_take(x->spooling, data, *length);
    x->received += (int64_t)taken;
    *length -= taken;
    conn_progress(x->conn, (long long)taken);
    atomic_fetch_add(&l->bytes_in, (long long)taken);
    e = *length > 0 ? OK : spool_failed(x->spooling);
    return e == OK ? MHD_YES : upload_refuse(x, e, NULL);
}

enum MHD_Result exchange_upload_finish(struct exchange *x)
{
    x->at = AT_WORK;
    x->spool_ended = true;
    conn_rated(x->conn, false);
    conn_deadline(x->conn, 0);
    MHD_suspend_connection(x->connection);
    spool_end(x->spooling, true);
    return MHD_YES;
}

void exchange_upload_abort(struct exchange *x)
{
    x->spool_ended = true;
    spool_end(x->spooling, false);
}
