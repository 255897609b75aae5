/* SPDX-License-Identifier: Apache-2.0 */
#include "service/audit_console.h"

#include "auth/keys/kek.h"
#include "core/log.h"
#include "lineage/restart.h"

#include <string.h>

static const char *find_tenant(PGconn *conn, struct arena *a, const char *name, enum err *e)
{
    const char *id =
        database_value(conn, a, "SELECT id::text FROM chancery.tenant_find($1)", name, e);

    if (id != NULL || *e != OK)
        return id;
    log_client("there is no tenant %s", name);
    *e = ERR_NOT_FOUND;
    return NULL;
}

/* Only who administers the database can put the permit down. Sets *tenant to the id. */
static enum err permit(struct installation *i, const char *name, const char **tenant)
{
    PGconn *conn;
    enum err e = OK;

    if (i->database.admin == NULL) {
        log_client("this needs the database's administrator; name one in --database");
        return ERR_DENIED;
    }
    conn = database_connect(i->database.admin);
    if (conn == NULL)
        return ERR_DB_LOST;
    e = database_run(conn, "audit restart", "SET ROLE chancery_owner");
    if (e == OK)
        *tenant = find_tenant(conn, i->arena, name, &e);
    if (e == OK)
        (void)database_value(conn, i->arena,
                             "INSERT INTO chancery.audit_restart_permit (tenant_id, until)"
                             " VALUES ($1::uuid, now() + interval '5 minutes')"
                             " ON CONFLICT (tenant_id) DO UPDATE SET until = EXCLUDED.until"
                             " RETURNING tenant_id::text",
                             *tenant, &e);
    PQfinish(conn);
    return e;
}

/* What was not spent must not lie about. */
static void withdraw(struct installation *i)
{
    PGconn *conn = database_connect(i->database.admin);

    if (conn == NULL ||
        database_run(conn, "audit restart",
                     "SET ROLE chancery_owner; DELETE FROM chancery.audit_restart_permit") != OK)
        log_ours("the permit for a restart stays for five minutes");
    PQfinish(conn);
}

static enum err run(struct installation *i, const char *tenant, struct restart *r)
{
    const struct sequencer_place place = {
        .dir = home_file(&i->home, i->arena, "audit"), .host = "", .key = i->home.key};
    const struct service service = {.config = i->config, .key = i->home.key};
    struct db db = {0};
    enum err e = kek_start(&service); /* the restart is an entry, and entries are sealed */

    if (e == OK)
        e = db_open(&db, i->database.app);
    if (e != OK) {
        kek_stop();
        return e;
    }
    db.arena = i->arena;
    *r = (struct restart){.place = &place, .db = &db, .tenant = tenant};
    e = log_restart(r);
    r->place = NULL;
    r->db = NULL;
    db_close(&db);
    kek_stop();
    return e;
}

enum err audit_console_restart(struct installation *i, const char *tenant)
{
    struct restart r = {.why = NULL};
    const char *id = NULL;
    enum err e = permit(i, tenant, &id);

    if (e == OK) {
        e = run(i, id, &r);
        withdraw(i);
    }
    if (e == OK)
        (void)printf("the audit log of %s goes on as %s, with %zu entries of before\n"
                     "the last checkpoint of before, which is in leaf 0:\n%s",
                     tenant, r.origin, r.entries, r.last);
    else
        log_ours("the audit log of %s is not restarted: %s", tenant,
                 r.why == NULL ? err_meaning(e) : r.why);
    return e;
}
