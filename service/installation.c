/* SPDX-License-Identifier: Apache-2.0 */
#include "service/installation.h"

#include "auth/bootstrap.h"
#include "core/db.h"
#include "core/log.h"
#include "service/lint.h"
#include "service/migrate.h"

#include <string.h>

static enum err open_home(struct installation *i, enum installation_use use)
{
    enum err e = home_open(&i->home, i->arena, i->config);

    if (e != OK)
        return e;
    if (i->home.lock < 0 && use == INSTALLATION_SERVE) {
        log_ours("home %s is served by another process already (pid %lld)", i->home.path,
                 (long long)home_holder(&i->home));
        return ERR_CONFLICT;
    }
    if (home_has(&i->home, "restoring")) {
        log_ours("home %s holds a restore that did not end: empty it and restore again",
                 i->home.path);
        return ERR_CONFLICT;
    }
    return home_key(&i->home, i->config, i->home.lock >= 0);
}

enum err installation_open(struct installation *i, const struct config *c,
                           enum installation_use use)
{
    enum err e;

    memset(i, 0, sizeof(*i));
    i->home.lock = -1;
    i->arena = arena_new();
    i->config = c;
    e = open_home(i, use);
    if (e == OK)
        e = database_open(&i->database, i->arena, c, &i->home);
    if (e != OK) {
        home_close(&i->home);
        arena_free(i->arena);
    }
    return e;
}

void installation_close(struct installation *i)
{
    database_close(&i->database);
    home_close(&i->home);
    arena_free(i->arena);
}

enum err installation_schema(struct installation *i)
{
    const struct database *d = &i->database;
    enum err e =
        d->admin != NULL ? migrate_run(d->admin, i->home.key) : migrate_check(d->app, i->home.key);

    return e == OK ? lint_run(d->app) : e;
}

enum err installation_invite(struct installation *i, const char *path)
{
    struct db db = {0};
    struct arena *a = arena_new();
    enum err e = db_open(&db, i->database.app);

    db.arena = a;
    if (e == OK) {
        e = bootstrap_issue(&db, path);
        db_close(&db);
    }
    arena_free(a);
    return e;
}

enum err installation_withdraw(struct installation *i)
{
    PGconn *conn;
    enum err e;

    if (!i->database.private)
        return OK;
    conn = database_connect(i->database.admin);
    e = conn == NULL ? ERR_DB_LOST
                     : database_run(conn, "bootstrap codes",
                                    "UPDATE chancery.bootstrap_code SET expires_at = now()"
                                    " WHERE used_at IS NULL AND expires_at > now()");
    PQfinish(conn);
    return e;
}

enum err installation_has_tenant(struct installation *i, bool *has)
{
    PGconn *conn = database_connect(i->database.app);
    enum err e = conn == NULL ? ERR_DB_LOST : OK;

    *has =
        e == OK && database_value(conn, i->arena, "SELECT 't' FROM chancery.tenant_all() LIMIT 1",
                                  NULL, &e) != NULL;
    PQfinish(conn);
    return e;
}
