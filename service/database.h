/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVICE_DATABASE_H
#define SERVICE_DATABASE_H

#include "core/arena.h"
#include "core/config.h"
#include "core/err.h"
#include "service/cluster.h"
#include "service/home.h"
#include "service/postgres.h"

#include <libpq-fe.h>

/* The database of an installation and the roles in it. chancery_owner owns the schema "chancery"
 * and cannot log in. chancery_app is who the service is: it owns nothing and cannot become anyone
 * else. A third, the administrator, makes both and runs migrations: the superuser of the private
 * cluster, or whoever the database URI names. */
struct database {
    const char
        *admin; /* conninfo; NULL when the URI names chancery_app, who may not change the schema */
    const char *app; /* conninfo for db_open */
    bool private;
    struct cluster cluster;
    struct postgres *postgres; /* NULL when another process runs it, or it is not private */
};

/* Start the private cluster (or find the one that the holder of the home's lock runs), or reach the
 * server of the URI, and make database and roles. The home's key must have been read. Logs why not.
 * Texts are in the arena; database_close is needed only after OK. */
MUST_CHECK enum err database_open(struct database *d, struct arena *a, const struct config *c,
                                  const struct home *home);
void database_close(struct database *d);

/* A connection, or NULL with the reason logged; for work that is not a request. */
PGconn *database_connect(const char *conninfo);

/* The same conninfo without its password, for a program's arguments, which everybody can read.
 * *password gets it, "" for none; both are arena texts. */
const char *database_split(struct arena *a, const char *conninfo, const char **password);

/* Run statements. When one fails it is logged, what naming the work: ERR_RETRY when the transaction
 * lost against another (SQLSTATE 40…), else ERR_INTERNAL.
 */
MUST_CHECK enum err database_run(PGconn *conn, const char *what, const char *sql);

/* The first column of the first row as an arena text; NULL when there is no row, or on failure,
 * which is logged and sets *e. parameter may be NULL. */
const char *database_value(PGconn *conn, struct arena *a, const char *sql, const char *parameter,
                           enum err *e);

#endif
