/* SPDX-License-Identifier: Apache-2.0 */
#include "core/db_ahead.h"

#include "core/db_wire.h"

#include <string.h>
#include <sys/socket.h>

/* One after each statement. */
enum { SILENCES_MAX = 4 };

static bool is_open(const struct db *db)
{
    return db->conn != NULL && PQstatus(db->conn) == CONNECTION_OK;
}

static bool all_texts(const struct param *params, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (params[i].type != PARAM_TEXT)
            return false;
    return count <= DB_AHEAD_PARAMS;
}

void db_ahead(struct db *db, const char *tenant, const struct query *q, const struct param *params,
              size_t count)
{
    struct db_ahead *a = &db->ahead[db->ahead_count];

    if (db->ahead_count == DB_AHEAD_MAX || !all_texts(params, count) || !is_open(db))
        return;
    /* Half sent is nothing that could be read: begin anew. */
    if (!db_send(db, &db_set_tenant, PARAMS(P_TEXT(tenant))) || !db_send(db, q, params, count) ||
        PQpipelineSync(db->conn) != 1) {
        db_close(db);
        return;
    }
    *a = (struct db_ahead){.owner = db->arena, .tenant = tenant, .query = q, .count = count};
    for (size_t i = 0; i < count; i++)
        a->params[i] = params[i];
    db->ahead_count++;
}

/* To the Sync of the oldest that is not read. The last rows are the statement's; the first are
 * those of set_config. */
static void read_next(struct db *db)
{
    struct db_ahead *a = &db->ahead[db->ahead_read++];
    unsigned answers = 0, silences = 0;
    bool end = false;

    while (!end && is_open(db)) {
        PGresult *r = PQgetResult(db->conn);

        end = r != NULL && PQresultStatus(r) == PGRES_PIPELINE_SYNC;
        if (r == NULL && ++silences > SILENCES_MAX)
            (void)shutdown(PQsocket(db->conn), SHUT_RDWR); /* out of step: not to be trusted */
        if (PQresultStatus(r) != PGRES_TUPLES_OK || ++answers < 2)
            PQclear(r);
        else
            a->result = r;
    }
}

void db_ahead_settle(struct db *db)
{
    while (db->ahead_read < db->ahead_count)
        read_next(db);
}

static bool same(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static bool is_for(const struct db_ahead *a, const struct db *db, const struct query *q,
                   const struct param *params, size_t count)
{
    if (a->owner != db->arena || a->query != q || a->count != count || !same(a->tenant, db->tenant))
        return false;
    for (size_t i = 0; i < count; i++)
        if (params[i].type != PARAM_TEXT || !same(a->params[i].data, params[i].data))
            return false;
    return true;
}

bool db_ahead_take(struct db *db, const struct query *q, const struct param *params, size_t count,
                   PGresult **out)
{
    unsigned i = 0;

    while (i < db->ahead_count && !is_for(&db->ahead[i], db, q, params, count))
        i++;
    if (i == db->ahead_count)
        return false;
    while (db->ahead_read <= i)
        read_next(db);
    *out = db->ahead[i].result;
    db->ahead[i].result = NULL;
    db->ahead[i].owner = NULL;
    return *out != NULL;
}

void db_ahead_drop(struct db *db)
{
    for (unsigned i = 0; i < db->ahead_count; i++)
        if (db->ahead[i].owner == db->arena)
            db->ahead[i].owner = NULL;
}

void db_ahead_end(struct db *db)
{
    db_ahead_settle(db);
    for (unsigned i = 0; i < db->ahead_count; i++)
        PQclear(db->ahead[i].result);
    db->ahead_count = db->ahead_read = 0;
}
