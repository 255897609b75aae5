/* SPDX-License-Identifier: Apache-2.0 */
#include "core/db.h"

#include "core/db_ahead.h"
#include "core/db_wire.h"
#include "core/log.h"
#include "core/row.h"
#include "core/text.h"

#include <stdlib.h>
#include <string.h>

enum { ATTEMPTS = 5 };

QUERY(db_begin_read, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");
QUERY(db_rollback, "ROLLBACK");

static void release_result(void *result)
{
    PQclear(result);
}

static enum err meaning(struct db *db, const PGresult *result)
{
    const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    enum err e;

    if (db->arena != NULL) {
        db->constraint = arena_text(db->arena, PQresultErrorField(result, PG_DIAG_CONSTRAINT_NAME));
        db->message = arena_text(db->arena, PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY));
    }
    if (db_meaning(sqlstate, &e))
        return e;
    if (PQstatus(db->conn) == CONNECTION_BAD)
        return ERR_DB_LOST;
    log_ours("database: %s", PQresultErrorMessage(result));
    return ERR_INTERNAL;
}

/* Remember the first failure of the transaction; what follows it is only its echo. */
static enum err note(struct db *db, enum err e)
{
    if (db->failed == OK)
        db->failed = e;
    return e;
}

static enum err lost(struct db *db)
{
    if (db->failed == OK || db->failed == ERR_DB_LOST)
        log_world("database: %s", PQerrorMessage(db->conn));
    return note(db, ERR_DB_LOST);
}

static enum err ensure_open(struct db *db)
{
    struct db old = *db;

    if (db->conn != NULL && PQstatus(db->conn) == CONNECTION_OK)
        return OK;
    db_close(db);
    TRY(db_open(db, old.conninfo));
    db->arena = old.arena;
    return OK;
}

static enum err send(struct db *db, const struct query *q, int rows, const struct param *params,
                     size_t count)
{
    if (count > DB_PARAMS_MAX || db->pendings == DB_PENDING_MAX)
        return note(db, ERR_INTERNAL);
    db_ahead_settle(db);
    if (!db_send(db, q, params, count))
        return lost(db);
    db->pending[db->pendings++] = (struct db_pending){.query = q, .rows = rows};
    return OK;
}

static enum err check_rows(struct db *db, const struct db_pending *p, PGresult *result)
{
    if (p->rows < 0 || PQresultStatus(result) == PGRES_TUPLES_OK)
        return OK;
    return strcmp(PQcmdTuples(result), "1") == 0 ? OK : note(db, ERR_NOT_FOUND);
}

/* The answer to the oldest pending statement. *out is NULL when the transaction had failed already.
 */
static enum err take(struct db *db, const struct db_pending *p, PGresult **out)
{
    PGresult *result = PQgetResult(db->conn);
    PGresult *rest;
    enum err e = OK;

    *out = NULL;
    if (result == NULL)
        return lost(db);
    arena_own(db->arena, result, release_result);
    while ((rest = PQgetResult(db->conn)) != NULL)
        PQclear(rest);
    switch (PQresultStatus(result)) {
    case PGRES_TUPLES_OK:
    case PGRES_COMMAND_OK:
        e = check_rows(db, p, result);
        *out = result;
        break;
    case PGRES_PIPELINE_ABORTED:
        e = note(db, ERR_INTERNAL);
        break;
    default:
        e = note(db, meaning(db, result));
    }
    return PQstatus(db->conn) == CONNECTION_BAD ? lost(db) : e;
}

/* The answers to all pending statements; *last is the newest one's. */
static enum err settle(struct db *db, PGresult **last)
{
    enum err e = OK;

    *last = NULL;
    for (unsigned i = 0; i < db->pendings && PQstatus(db->conn) == CONNECTION_OK; i++) {
        enum err one = take(db, &db->pending[i], last);

        if (e == OK)
            e = one;
    }
    db->pendings = 0;
    return db->failed != OK ? db->failed : e;
}

/* The end of an implicit transaction: everything since the last one is committed, unless it failed.
 */
static enum err synchronize(struct db *db, PGresult **last)
{
    PGresult *mark;

    if (PQpipelineSync(db->conn) != 1)
        return lost(db);
    (void)settle(db, last);
    if (PQstatus(db->conn) == CONNECTION_BAD)
        return lost(db);
    while ((mark = PQgetResult(db->conn)) != NULL) {
        bool end = PQresultStatus(mark) == PGRES_PIPELINE_SYNC;

        if (PQresultStatus(mark) == PGRES_FATAL_ERROR) /* a deferred constraint, at the commit */
            (void)note(db, meaning(db, mark));
        PQclear(mark);
        if (end)
            return db->failed;
    }
    return PQstatus(db->conn) == CONNECTION_BAD ? lost(db) : db->failed;
}

static enum err set_tenant(struct db *db)
{
    const char *tenant = db->tenant == NULL ? "" : db->tenant;

    if (db->tx == TX_WRITE && db->guard.set && db->guard.hold == HOLD_NOTHING)
        return send(db, &db_enter_tenant, -1, PARAMS(P_TEXT(tenant), P_INT(db->guard.epoch)));
    if (db->tx == TX_WRITE && db->guard.set)
        return send(
            db, &db_hold_tenant, -1,
            PARAMS(P_TEXT(tenant), P_INT(db->guard.epoch), P_BOOL(db->guard.hold == HOLD_OWN)));
    return send(db, &db_set_tenant, -1, PARAMS(P_TEXT(tenant)));
}

/* A transaction that changed a policy is committed. */
static void keep_moved(struct db *db)
{
    if (db->moving != 0)
        db->moved = db->moving;
    db->moving = 0;
}

/* Every statement is a transaction of its own. */
static bool alone(const struct db *db)
{
    return db->tx == TX_POINT || db->tx == TX_MANUAL;
}

static enum err start(struct db *db)
{
    if (db->tx == TX_NONE || db->conn == NULL)
        return note(db, db->conn == NULL ? ERR_DB_LOST : ERR_INTERNAL);
    if (alone(db)) {
        db->failed = OK;
        db->moving = 0;
        return set_tenant(db);
    }
    if (db->started)
        return OK;
    db->started = true;
    if (db->tx == TX_READ)
        TRY(send(db, &db_begin_read, -1, NO_PARAMS));
    return set_tenant(db);
}

enum err db_act_for(struct db *db, const char *tenant)
{
    db->tenant = tenant;
    db->guard.set = false; /* it was for another tenant */
    return db->started ? set_tenant(db) : OK;
}

static enum err run(struct db *db, const struct query *q, PGresult **out,
                    const struct param *params, size_t count)
{
    *out = NULL;
    if (!alone(db) && db->failed != OK)
        return db->failed;
    db->constraint = NULL;
    if (db->tx == TX_POINT && db_ahead_take(db, q, params, count, out)) {
        db->failed = OK;
        arena_own(db->arena, *out, release_result);
        return OK;
    }
    TRY(start(db));
    TRY(send(db, q, -1, params, count));
    if (alone(db)) {
        TRY(synchronize(db, out));
        keep_moved(db);
        return OK;
    }
    if (PQsendFlushRequest(db->conn) != 1 || PQflush(db->conn) != 0)
        return lost(db);
    return settle(db, out);
}

enum err db_rows(struct db *db, const struct query *q, PGresult **out, const struct param *params,
                 size_t count)
{
    return run(db, q, out, params, count);
}

enum err db_one(struct db *db, const struct query *q, const struct field *fields, void *out,
                const struct param *params, size_t count)
{
    PGresult *result;

    TRY(run(db, q, &result, params, count));
    if (PQntuples(result) == 0)
        return ERR_NOT_FOUND;
    if (PQntuples(result) != 1) {
        log_ours("statement %s gave %d rows instead of one", q->name == NULL ? "" : q->name,
                 PQntuples(result));
        return ERR_INTERNAL;
    }
    return row_read(db->arena, fields, result, 0, out);
}

/* PARAMS makes two arguments of one. NOLINTNEXTLINE(readability-function-size) */
enum err db_list(struct db *db, const struct query *q, const struct field *fields, size_t size,
                 struct rows *out, const struct param *params, size_t count)
{
    PGresult *result;

    *out = (struct rows){.items = NULL};
    TRY(run(db, q, &result, params, count));
    out->count = (size_t)PQntuples(result);
    out->items = arena_alloc(db->arena, out->count * size);
    for (size_t i = 0; i < out->count; i++)
        TRY(row_read(db->arena, fields, result, (int)i, (char *)out->items + i * size));
    return OK;
}

enum err db_run(struct db *db, const struct query *q, int64_t *rows, const struct param *params,
                size_t count)
{
    PGresult *result;
    uint64_t touched = 0;

    TRY(run(db, q, &result, params, count));
    if (!uint_parse(PQcmdTuples(result), INT64_MAX, &touched))
        touched = 0;
    if (rows != NULL)
        *rows = (int64_t)touched;
    return OK;
}

enum err db_change(struct db *db, const struct query *q, const struct param *params, size_t count)
{
    int64_t rows;

    TRY(db_run(db, q, &rows, params, count));
    return rows == 1 ? OK : ERR_NOT_FOUND;
}

static enum err defer(struct db *db, const struct query *q, int rows, const struct param *params,
                      size_t count)
{
    PGresult *ignored;

    if (db->tx != TX_WRITE)
        return note(db, ERR_INTERNAL);
    if (db->failed != OK)
        return db->failed;
    TRY(start(db));
    if (db->pendings == DB_PENDING_MAX - 4) { /* make room: one more round trip */
        if (PQsendFlushRequest(db->conn) != 1)
            return lost(db);
        TRY(settle(db, &ignored));
    }
    return send(db, q, rows, params, count);
}

enum err db_defer(struct db *db, const struct query *q, const struct param *params, size_t count)
{
    return defer(db, q, 1, params, count);
}

enum err db_defer_any(struct db *db, const struct query *q, const struct param *params,
                      size_t count)
{
    return defer(db, q, -1, params, count);
}

/* Leave the transaction, keeping its changes or not, with the connection ready for the next. */
static enum err end(struct db *db, enum err e)
{
    PGresult *ignored;

    if (!db->started)
        return e;
    if (PQstatus(db->conn) == CONNECTION_BAD)
        return lost(db);
    /* A transaction whose deferred changes have not been answered may yet prove to have failed. */
    if (db->tx == TX_READ || e != OK)
        (void)send(db, &db_rollback, -1, NO_PARAMS);
    else
        db->committing = true;
    (void)synchronize(db, &ignored);
    /* After an error the pipeline skipped that ROLLBACK, and an explicit BEGIN still stands. */
    if (PQtransactionStatus(db->conn) != PQTRANS_IDLE) {
        (void)send(db, &db_rollback, -1, NO_PARAMS);
        (void)synchronize(db, &ignored);
    }
    if (e == OK && db->failed == OK)
        keep_moved(db);
    return e != OK ? e : db->failed;
}

static bool again(const struct db *db, enum err e)
{
    return e == ERR_RETRY || (e == ERR_DB_LOST && !db->committing);
}

static void reset(struct db *db, enum tx kind, const char *tenant, unsigned attempt)
{
    db->tx = kind;
    db->attempt = attempt;
    db->tenant = tenant;
    db->started = false;
    db->committing = false;
    db->failed = OK;
    db->pendings = 0;
    db->moving = 0;
}

enum err db_tx(struct db *db, enum tx kind, const char *tenant, enum err (*body)(void *arg),
               void *arg)
{
    const struct db outer = *db;
    enum err e = ERR_RETRY;

    for (unsigned attempt = 0; attempt < ATTEMPTS && again(db, e); attempt++) {
        if (kind != TX_NONE && ensure_open(db) != OK)
            e = ERR_DB_LOST;
        reset(db, kind, tenant, attempt);
        db->constraint = db->message = NULL;
        if (db->conn == NULL && kind != TX_NONE)
            break;
        e = body(arg);
        if (db->failed == ERR_RETRY || (db->failed == ERR_DB_LOST && e == OK))
            e = db->failed;
        e = end(db, e);
        if (kind == TX_MANUAL)
            break; /* what ran before may have had effects; only whole transactions run again */
    }
    reset(db, outer.tx, outer.tenant, outer.attempt);
    return e;
}
