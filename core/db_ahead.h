/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_DB_AHEAD_H
#define CORE_DB_AHEAD_H

#include "core/db.h"

/* A worker that takes several reads at once asks for their first statements together, each with a
 * Sync of its own, and then serves one request after the other: the database is not idle between
 * them, and neither side goes to sleep for each answer. An answer is taken by the very statement it
 * was asked for and by no other; whatever is not taken, or went wrong, is as if never asked. */

/* Ask for a statement that the owner of db->arena will run in TX_POINT for tenant. Parameters must
 * be texts, which live as long as the arena. */
void db_ahead(struct db *db, const char *tenant, const struct query *q, const struct param *params,
              size_t count);
/* The answer, if this statement was asked for db->arena; the caller owns *out. */
bool db_ahead_take(struct db *db, const struct query *q, const struct param *params, size_t count,
                   PGresult **out);
/* The owner of db->arena asks nothing more. */
void db_ahead_drop(struct db *db);
/* Read what is still to come, so that something else may be sent. */
void db_ahead_settle(struct db *db);
/* The same, and forget it all; after the last of the requests, and before the connection closes. */
void db_ahead_end(struct db *db);

#endif
