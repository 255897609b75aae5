/* SPDX-License-Identifier: Apache-2.0 */
#include "service/dispatch.h"

#include "auth/auth.h"
#include "auth/limit.h"
#include "core/log.h"
#include "core/route.h"
#include "lineage/audit.h"
#include "lineage/sequencer.h"
#include "registry/asset.h"
#include "registry/handlers.h"
#include "registry/mlflow/multipart.h"
#include "service/idempotency.h"
#include "service/refusal.h"

#include <stdlib.h>
#include <string.h>

enum { WAIT_MS = 10000, DECISIONS = 8 };

static void release_json(void *json)
{
    json_decref(json);
}

enum err dispatch_route(struct request *rq)
{
    enum err e = route_find(rq, rq->method, rq->path);

    if (e == OK)
        e = limit_address(rq);
    if (e == OK)
        e = auth_glance(rq);
    if (e != OK)
        refusal_reply(rq, e);
    return e;
}

enum err dispatch_body(struct request *rq)
{
    enum err e = auth_glance_body(rq);

    if (e != OK)
        refusal_reply(rq, e);
    return e;
}

enum lane dispatch_lane(const struct request *rq)
{
    switch (rq->route->tx) {
    case TX_WRITE:
        return LANE_WRITE;
    case TX_MANUAL: /* nobody's sign-in waits behind somebody's upload */
        return rq->route->scope == SCOPE_NONE ? LANE_WRITE : LANE_SLOW;
    default:
        return LANE_READ;
    }
}

static bool is_json(const char *type)
{
    static const char json[] = "application/json";

    return strncasecmp(type, json, sizeof(json) - 1) == 0 &&
           strchr("; \t", type[sizeof(json) - 1]) != NULL; /* or the end */
}

/* So that no form of another site can send it; PATCH and DELETE no form can. */
static enum err mlflow_type(struct request *rq, const char *type)
{
    bool guarded = strcmp(rq->method, "POST") == 0 || strcmp(rq->method, "PUT") == 0;

    if (!guarded || (type != NULL && is_json(type)))
        return OK;
    return fail(rq, ERR_INVALID, "Bad Request. Content-Type must be one of ['application/json'].");
}

static enum err parse_body(struct request *rq)
{
    const struct field *expected = rq->route->body;
    const char *type = request_header(rq, "content-type");
    char nothing = 0;
    json_error_t error;
    json_t *json;

    if (expected == no_body || body_streamed(expected) || expected == raw_body)
        return OK;
    if (rq->route->dialect == DIALECT_MLFLOW)
        TRY(mlflow_type(rq, type));
    else if (type != NULL && !is_json(type))
        return fail(rq, ERR_MEDIA_TYPE, "the body must be application/json");
    json = json_loadb(rq->raw_length == 0 ? "{}" : rq->raw,
                      rq->raw_length == 0 ? 2 : rq->raw_length, JSON_REJECT_DUPLICATES, &error);
    if (json == NULL)
        return fail(rq, ERR_INVALID, "the body is not JSON: %s (byte %d)", error.text,
                    error.position);
    arena_own(rq->arena, json, release_json);
    rq->body = json;
    if (expected == object_body)
        return json_is_object(json) ? OK : fail(rq, ERR_INVALID, "the body must be a JSON object");
    /* Where no member is known there is nothing to read, but something to refuse. */
    return expected->name == NULL ? request_read(rq, &nothing) : OK;
}

static enum err identify_and_allow(void *arg)
{
    struct request *rq = arg;

    TRY(auth_identify(rq));
    return auth_allow(rq);
}

/* Only the database knows some tokens; most requests pass here without a round trip. */
static enum err enter(struct request *rq)
{
    if (rq->route->handler == put_mlflow_part) /* its address says who sends it */
        return multipart_admit(rq);
    if (rq->route->action == PUBLIC)
        return OK;
    return db_tx(rq->db, TX_POINT, NULL, identify_and_allow, rq);
}

/* Whatever an earlier attempt at the transaction left behind is forgotten first. */
static void forget(struct request *rq)
{
    request_unreply(rq);
    rq->detail = NULL;
    rq->target = NULL;
    rq->object = NULL;
    rq->audit = NULL;
    rq->audit_id = NULL;
}

static enum err run_handler(void *arg)
{
    struct request *rq = arg;
    bool replayed = false;

    forget(rq);
    if (rq->route->tx != TX_WRITE)
        return rq->route->handler(rq);
    TRY(idempotency_begin(rq, &replayed));
    if (replayed)
        return auth_settled_before(rq);
    TRY(rq->route->handler(rq));
    TRY(idempotency_end(rq));
    return rq->route->audit == AUDIT_NONE ? OK : audit_append(rq, OK);
}

static enum err append_only(void *arg)
{
    struct request *rq = arg;

    return audit_append(rq, rq->outcome);
}

/* An audit entry in a transaction of its own: of reads that are recorded, and of refusals. */
static enum err record(struct request *rq, enum err outcome)
{
    enum err e;

    rq->outcome = outcome;
    e = db_tx(rq->db, TX_WRITE, rq->caller.tenant_id, append_only, rq);
    if (e == OK) {
        rq->audited = true;
        return OK;
    }
    rq->audit_id = NULL;
    return fail(rq, ERR_UNAVAILABLE,
                "the audit log cannot be extended, so nothing may change; an auditor finds why at "
                "/v1/audit/log/state");
}

struct governed {
    struct request *rq;
    enum err (*body)(struct request *rq);
};

static enum err run_governed(void *arg)
{
    const struct governed *g = arg;

    forget(g->rq);
    TRY(g->body(g->rq));
    return g->rq->route->audit == AUDIT_NONE ? OK : audit_append(g->rq, OK);
}

/* A write under the policy by which the request was allowed; when that is not the newest, it is
 * asked again whether it may. */
static enum err guarded_write(struct request *rq, enum err (*body)(void *arg), void *arg)
{
    for (int i = 0; i < DECISIONS; i++) {
        enum err e;

        rq->db->guard = auth_guard(rq);
        e = db_tx(rq->db, TX_WRITE, rq->caller.tenant_id, body, arg);
        rq->db->guard.set = false;
        if (e != ERR_STALE)
            return e;
        TRY(auth_again(rq));
    }
    return ERR_STALE;
}

enum err request_tx(struct request *rq, enum err (*body)(struct request *rq))
{
    struct governed g = {.rq = rq, .body = body};
    enum err e = guarded_write(rq, run_governed, &g);

    rq->audited = e == OK && rq->route->audit != AUDIT_NONE;
    return e;
}

static bool changes(const struct route *r)
{
    return r->tx == TX_WRITE || r->tx == TX_MANUAL;
}

/* Of nobody: the logs of no tenant, but logs must be extended at all. */
static const char *tenant_of(const struct request *rq)
{
    return rq->caller.tenant_id == NULL ? "" : rq->caller.tenant_id;
}

static enum err serve(struct request *rq)
{
    TRY(parse_body(rq));
    if (changes(rq->route) && !audit_available(tenant_of(rq)))
        return fail(rq, ERR_UNAVAILABLE, "the audit log cannot be extended, so nothing may change");
    if (rq->route->tx == TX_WRITE) {
        TRY(guarded_write(rq, run_handler, rq));
        rq->audited = rq->route->audit != AUDIT_NONE;
    } else {
        TRY(db_tx(rq->db, rq->route->tx, rq->caller.tenant_id, run_handler, rq));
        if (!rq->audited)
            TRY(auth_still(rq));
    }
    if (rq->route->audit != AUDIT_NONE && !rq->audited)
        TRY(record(rq, OK));
    if (changes(rq->route))
        sequencer_wake();
    return OK;
}

/* What was refused is part of the record too, and outlives the rollback. Refused entry always;
 * otherwise what the route's line asks to record, and every refusal on the grounds of approval. */
static bool on_record(const struct request *rq, enum err e, bool entered)
{
    if (rq->caller.tenant_id == NULL || *rq->caller.tenant_id == '\0' || e == ERR_DB_LOST)
        return false;
    if (!entered && (e == ERR_RATE || e == ERR_BUSY)) /* a flood must not fill the log */
        return false;
    return !entered || rq->route->audit != AUDIT_NONE || e == ERR_DENIED || e == ERR_FOUR_EYES ||
           e == ERR_UNAPPROVED;
}

static enum err wait_for_place(void *arg)
{
    struct request *rq = arg;
    int64_t index;

    TRY(audit_wait_sequenced(rq->db, rq->audit_id, WAIT_MS, &index));
    request_set_header(rq, "Chancery-Audit-Index",
                       arena_printf(rq->arena, "%lld", (long long)index));
    return OK;
}

/* ?wait=sequenced: the answer comes when a signed checkpoint covers the request's entry, and names
 * its leaf. What is committed stays so when that takes too long; then the header says "pending". */
static void await_place(struct request *rq)
{
    const char *wait = request_query(rq, "wait");

    if (wait == NULL || strcmp(wait, "sequenced") != 0 || !rq->audited || rq->audit_id == NULL)
        return;
    sequencer_wake();
    if (db_tx(rq->db, TX_POINT, rq->caller.tenant_id, wait_for_place, rq) != OK)
        request_set_header(rq, "Chancery-Audit-Index", "pending");
}

static void refuse(struct request *rq, enum err e, bool entered)
{
    if (rq->reply.kind == REPLY_FILE)
        request_unreply(rq);
    refusal_explain(rq, e);
    if (on_record(rq, e, entered) && !rq->audited && record(rq, e) != OK)
        e = ERR_UNAVAILABLE;
    refusal_reply(rq, e);
    await_place(rq);
}

enum err dispatch_admit(struct request *rq)
{
    enum err e = enter(rq);

    if (e != OK)
        refuse(rq, e, false);
    return e;
}

static bool admitted(const struct request *rq)
{
    return body_streamed(rq->route->body);
}

/* Reads whose first statement is known from the path. */
static const struct {
    enum err (*handler)(struct request *rq);
    void (*ahead)(struct request *rq);
} foreseen[] = {
    {get_asset, asset_ahead},
};

void dispatch_ahead(struct request *rq)
{
    for (size_t i = 0; i < sizeof(foreseen) / sizeof(foreseen[0]); i++)
        if (foreseen[i].handler == rq->route->handler && rq->route->tx == TX_POINT) {
            rq->entered = enter(rq) == OK;
            if (rq->entered)
                foreseen[i].ahead(rq);
        }
}

/* A reply that goes on ends when the right to it does. */
struct lasting {
    struct request *rq;
    struct stream stream;
};

static enum err go_on(struct db *db, void *state, struct text *out)
{
    struct lasting *l = state;
    enum err e;

    l->rq->db = db;
    e = auth_still(l->rq);
    l->rq->db = NULL;
    return e == OK ? l->stream.next(db, l->stream.state, out) : e;
}

static void watch_stream(struct request *rq)
{
    struct lasting *l = arena_alloc(rq->arena, sizeof(*l));

    *l = (struct lasting){.rq = rq, .stream = rq->reply.stream};
    rq->reply.stream = (struct stream){.next = go_on, .state = l};
}

static void answer(struct request *rq)
{
    rq->outcome = OK;
    auth_settled(rq);
    if (rq->reply.kind == REPLY_NONE)
        (void)request_reply_empty(rq);
    if (rq->reply.kind == REPLY_STREAM)
        watch_stream(rq);
    if (rq->reply.status == 0)
        rq->reply.status = err_status(OK);
    await_place(rq);
}

void dispatch_run(struct request *rq)
{
    enum err e = rq->entered || admitted(rq) ? OK : enter(rq);
    bool entered = e == OK;

    rq->db->moved = 0;
    if (entered)
        e = serve(rq);
    if (e == OK) {
        answer(rq);
        return;
    }
    refuse(rq, e, entered);
    if (rq->db->moved != 0) /* as when a stolen token has ended its session */
        auth_settled(rq);
}

void dispatch_leave(struct request *rq)
{
    if (!auth_good(rq))
        dispatch_refuse(rq, ERR_UNAVAILABLE, "the service stood still; ask again");
}

/* What waits for the replicas. */
struct held {
    struct request *rq;
    void (*done)(void *arg);
    void *arg;
};

static void release(void *arg, bool confirmed)
{
    const struct held *h = arg;

    if (!confirmed && h->rq->outcome == OK)
        dispatch_refuse(h->rq, ERR_UNAVAILABLE,
                        "the change is stored, but not every replica has confirmed it yet");
    h->done(h->arg);
}

bool dispatch_hold(struct request *rq, void (*done)(void *arg), void *arg)
{
    struct held *h;

    if (rq->moved == 0)
        return false;
    h = arena_alloc(rq->arena, sizeof(*h));
    *h = (struct held){.rq = rq, .done = done, .arg = arg};
    auth_await_replicas(rq, release, h);
    return true;
}

void dispatch_refuse(struct request *rq, enum err e, const char *detail)
{
    request_unreply(rq);
    rq->detail = detail;
    refusal_reply(rq, e);
}
