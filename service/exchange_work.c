/* SPDX-License-Identifier: Apache-2.0 */
#include "service/exchange.h"

#include "core/db_ahead.h"
#include "core/log.h"

struct exchange *exchange_of(struct task *t)
{
    return (struct exchange *)(void *)((char *)t - offsetof(struct exchange, task));
}

void exchange_answer(struct exchange *x)
{
    if (x->gone) {
        exchange_free(x);
        return;
    }
    x->at = AT_REPLY;
    MHD_resume_connection(x->connection);
}

void exchange_ahead(struct task *t, struct db *db)
{
    struct exchange *x = exchange_of(t);
    struct request *rq = &x->rq;

    rq->db = db;
    db->arena = rq->arena;
    log_request(rq->id);
    x->listener->hooks->ahead(rq);
    log_request(NULL);
    db->arena = NULL;
    rq->db = NULL;
}

static void settled(void *exchange)
{
    exchange_answer(exchange);
}

void exchange_run(struct task *t, struct db *db)
{
    struct exchange *x = exchange_of(t);
    struct request *rq = &x->rq;

    if (atomic_load(&x->listener->abandon) && !x->gone) {
        x->listener->hooks->refuse(rq, ERR_BUSY, "the service is stopping");
    } else {
        rq->db = db;
        db->arena = rq->arena;
        log_request(rq->id);
        x->listener->hooks->run(rq);
        db_ahead_drop(db);
        log_request(NULL);
        db->arena = NULL;
        rq->db = NULL;
    }
    if (x->spooling != NULL)
        spool_drop(x->spooling);
    if (x->listener->hooks->hold == NULL || !x->listener->hooks->hold(rq, settled, x))
        exchange_answer(x);
}

void exchange_queue(struct exchange *x, enum lane lane, void (*run)(struct task *t, struct db *db))
{
    x->task.run = run;
    x->task.flow = x->rq.flow;
    if (workers_put(x->listener->workers, lane, &x->task, x->gone))
        return;
    if (x->gone)
        log_ours("the service stopped before it could keep an unfinished body");
    x->listener->hooks->refuse(&x->rq, ERR_BUSY, "too many requests are waiting");
    if (x->spooling != NULL)
        spool_drop(x->spooling);
    exchange_answer(x);
}

enum MHD_Result exchange_submit(struct exchange *x)
{
    const struct listener_hooks *hooks = x->listener->hooks;

    x->rq.raw = x->body == NULL ? "" : x->body;
    x->rq.raw_length = x->body_length;
    if (hooks->body != NULL && hooks->body(&x->rq) != OK)
        return exchange_reply(x);
    x->at = AT_WORK;
    x->task.ahead = hooks->ahead == NULL ? NULL : exchange_ahead;
    conn_deadline(x->conn, 0);
    MHD_suspend_connection(x->connection);
    exchange_queue(x, hooks->lane(&x->rq), exchange_run);
    return MHD_YES;
}
