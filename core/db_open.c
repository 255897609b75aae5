/* SPDX-License-Identifier: Apache-2.0 */
#include "core/db.h"

#include "core/db_ahead.h"
#include "core/log.h"

#include <stdlib.h>
#include <string.h>

extern const struct query *const __start_queries[];
extern const struct query *const __stop_queries[];

void queries_print(FILE *out)
{
    for (const struct query *const *q = __start_queries; q < __stop_queries; q++)
        (void)fprintf(out, "%s\t%s\n", (*q)->name, (*q)->text);
}

void db_close(struct db *db)
{
    db_ahead_end(db);
    PQfinish(db->conn);
    db->conn = NULL;
}

/* What became of one statement that was sent to be prepared. */
static enum err prepared(struct db *db, const struct query *q)
{
    enum err e = OK;
    PGresult *result;

    while ((result = PQgetResult(db->conn)) != NULL) {
        if (PQresultStatus(result) == PGRES_FATAL_ERROR) {
            log_ours("statement %s: %s", q->name, PQresultErrorMessage(result));
            e = PQstatus(db->conn) == CONNECTION_BAD ? ERR_DB_LOST : ERR_INTERNAL;
        }
        PQclear(result);
    }
    return e;
}

/* All statements in one round trip. */
static enum err prepare_all(struct db *db)
{
    enum err e = OK;

    for (const struct query *const *q = __start_queries; q < __stop_queries; q++)
        if (PQsendPrepare(db->conn, (*q)->name, (*q)->text, 0, NULL) != 1)
            return ERR_DB_LOST;
    if (PQpipelineSync(db->conn) != 1)
        return ERR_DB_LOST;
    for (const struct query *const *q = __start_queries; q < __stop_queries; q++) {
        enum err one = prepared(db, *q);

        if (e == OK)
            e = one;
    }
    PQclear(PQgetResult(db->conn));
    return e;
}

/* authz_move() says in which transaction it was called. */
static void hear(void *arg, const PGresult *notice)
{
    struct db *db = arg;
    const char *sqlstate = PQresultErrorField(notice, PG_DIAG_SQLSTATE);
    const char *message = PQresultErrorField(notice, PG_DIAG_MESSAGE_PRIMARY);

    if (sqlstate != NULL && message != NULL && strcmp(sqlstate, "CH100") == 0)
        db->moving = strtoull(message, NULL, 10);
}

enum err db_open(struct db *db, const char *conninfo)
{
    enum err e = ERR_DB_LOST;

    *db = (struct db){
        .conninfo = conninfo, .arena = db->arena, .guard = db->guard, .moved = db->moved};
    db->conn = PQconnectdb(conninfo);
    (void)PQsetNoticeReceiver(db->conn, hear, db);
    if (PQstatus(db->conn) == CONNECTION_OK && PQenterPipelineMode(db->conn) == 1)
        e = prepare_all(db);
    else
        log_world("database: %s", PQerrorMessage(db->conn));
    if (e != OK)
        db_close(db);
    return e;
}
