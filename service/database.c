/* SPDX-License-Identifier: Apache-2.0 */
#include "service/database.h"

#include "core/crypto.h"
#include "core/log.h"
#include "core/text.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { OLDEST_SERVER = 150000, CONNINFO_MAX = 8192, REACH_MS = 30000, REACH_PAUSE_MS = 300 };

/* What every connection of the service has, whatever the server's own defaults. */
static const char app_options[] =
    "-c statement_timeout=30000 -c idle_in_transaction_session_timeout=60000 -c lock_timeout=10000 "
    "-c timezone=UTC -c search_path=chancery -c client_min_messages=error";

static const char roles[] =
    "DO $$ BEGIN"
    " IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'chancery_owner') THEN"
    "  CREATE ROLE chancery_owner NOLOGIN; END IF;"
    " IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'chancery_app') THEN"
    "  CREATE ROLE chancery_app LOGIN; END IF;"
    " IF NOT pg_has_role('chancery_owner', 'MEMBER') THEN"
    "  GRANT chancery_owner TO CURRENT_USER; END IF;"
    " END $$";

static const char schema[] =
    "DO $$ BEGIN"
    " IF NOT EXISTS (SELECT FROM pg_namespace WHERE nspname = 'chancery') THEN"
    "  CREATE SCHEMA chancery AUTHORIZATION chancery_owner;"
    "  GRANT USAGE ON SCHEMA chancery TO chancery_app; END IF;"
    " END $$";

/* The private cluster has one database and no other tenants of its own. */
static const char seclude[] = "REVOKE ALL ON DATABASE chancery FROM PUBLIC;"
                              "GRANT CONNECT ON DATABASE chancery TO chancery_app;"
                              "REVOKE ALL ON SCHEMA public FROM PUBLIC";

PGconn *database_connect(const char *conninfo)
{
    PGconn *conn = PQconnectdb(conninfo);

    if (PQstatus(conn) == CONNECTION_OK)
        return conn;
    log_world("database: %s", PQerrorMessage(conn));
    PQfinish(conn);
    return NULL;
}

enum err database_run(PGconn *conn, const char *what, const char *sql)
{
    PGresult *result = PQexec(conn, sql);
    ExecStatusType status = PQresultStatus(result);
    bool fine = status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK;
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    bool lost = state != NULL && strncmp(state, "40", 2) == 0;

    if (!fine)
        log_ours("%s: %s", what, PQerrorMessage(conn));
    PQclear(result);
    if (lost)
        return ERR_RETRY;
    return fine ? OK : ERR_INTERNAL;
}

const char *database_value(PGconn *conn, struct arena *a, const char *sql, const char *parameter,
                           enum err *e)
{
    const char *const values[] = {parameter};
    PGresult *result =
        PQexecParams(conn, sql, parameter == NULL ? 0 : 1, NULL, values, NULL, NULL, 0);
    const char *value = NULL;

    if (PQresultStatus(result) != PGRES_TUPLES_OK) {
        log_ours("database: %s", PQerrorMessage(conn));
        *e = ERR_INTERNAL;
    } else if (PQntuples(result) > 0 && !PQgetisnull(result, 0, 0)) {
        value = arena_text(a, PQgetvalue(result, 0, 0));
    }
    PQclear(result);
    return value;
}

static void add_pair(struct text *t, const char *keyword, const char *value)
{
    text_printf(t, "%s='", keyword);
    for (; *value != '\0'; value++) {
        if (*value == '\'' || *value == '\\')
            text_puts(t, "\\");
        text_add(t, value, 1);
    }
    text_puts(t, "' ");
}

/* What we set ourselves instead of what the administrator's connection says. */
static bool is_replaced(const char *keyword)
{
    static const char *const ours[] = {"user",
                                       "password",
                                       "options",
                                       "application_name",
                                       "connect_timeout",
                                       "keepalives",
                                       "keepalives_idle",
                                       "keepalives_interval",
                                       "keepalives_count",
                                       "passfile",
                                       "client_encoding"};

    for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
        if (strcmp(keyword, ours[i]) == 0)
            return true;
    return false;
}

/* The administrator's conninfo with chancery_app in his place. password NULL: the one it has. */
static const char *app_conninfo(struct arena *a, const char *admin, const char *password)
{
    PQconninfoOption *options = PQconninfoParse(admin, NULL);
    struct text t = text_new(CONNINFO_MAX);
    const char *result;

    for (const PQconninfoOption *o = options; o != NULL && o->keyword != NULL; o++) {
        bool kept = password == NULL && strcmp(o->keyword, "password") == 0;

        if (o->val != NULL && (kept || !is_replaced(o->keyword)))
            add_pair(&t, o->keyword, o->val);
    }
    PQconninfoFree(options);
    add_pair(&t, "user", "chancery_app");
    if (password != NULL && password[0] != '\0')
        add_pair(&t, "password", password);
    add_pair(&t, "application_name", "chancery");
    add_pair(&t, "client_encoding", "UTF8");
    add_pair(&t, "options", app_options);
    text_puts(&t, "connect_timeout=5 keepalives=1 keepalives_idle=30 keepalives_interval=10 "
                  "keepalives_count=3");
    result = t.failed ? NULL : arena_text(a, t.data);
    text_free(&t);
    return result;
}

const char *database_split(struct arena *a, const char *conninfo, const char **password)
{
    PQconninfoOption *options = PQconninfoParse(conninfo, NULL);
    struct text t = text_new(CONNINFO_MAX);
    const char *rest;

    *password = "";
    for (const PQconninfoOption *o = options; o != NULL && o->keyword != NULL; o++) {
        if (o->val == NULL)
            continue;
        if (strcmp(o->keyword, "password") == 0)
            *password = arena_text(a, o->val);
        else
            add_pair(&t, o->keyword, o->val);
    }
    PQconninfoFree(options);
    rest = t.failed || t.data == NULL ? "" : arena_text(a, t.data);
    text_free(&t);
    return rest;
}

static enum err check_version(PGconn *conn)
{
    if (PQserverVersion(conn) >= OLDEST_SERVER)
        return OK;
    log_ours("database: PostgreSQL %d is too old; 15 or newer is needed", PQserverVersion(conn));
    return ERR_UNAVAILABLE;
}

/* Only the holder of the key file can derive it; the server gets its SCRAM verifier, not the text.
 */
static enum err set_password(PGconn *conn, const char *password)
{
    char *verifier = PQencryptPasswordConn(conn, password, "chancery_app", "scram-sha-256");
    char *literal = verifier == NULL ? NULL : PQescapeLiteral(conn, verifier, strlen(verifier));
    struct arena *a = arena_new();
    enum err e = ERR_INTERNAL;

    if (literal != NULL)
        e = database_run(conn, "the password of chancery_app",
                         arena_printf(a, "ALTER ROLE chancery_app PASSWORD %s", literal));
    PQfreemem(literal);
    PQfreemem(verifier);
    arena_free(a);
    return e;
}

static const char *derive_password(struct arena *a, const struct home *home, const char *database)
{
    const char *label = arena_printf(a, "database:%s", database);
    struct digest d = hmac_sha256(home->key, sizeof(home->key), label, strlen(label));
    char hex[2 * SHA256_SIZE + 1];

    hex_encode(d.bytes, sizeof(d.bytes), hex);
    return arena_text(a, hex);
}

static bool works(const char *conninfo)
{
    PGconn *conn = PQconnectdb(conninfo);
    bool fine = PQstatus(conn) == CONNECTION_OK;

    PQfinish(conn);
    return fine;
}

/* Roles belong to the whole server, so another replica's password is left as it is while ours
 * works. */
static enum err prepare_external(struct database *d, struct arena *a, PGconn *conn,
                                 const struct home *home)
{
    const char *password = derive_password(a, home, PQdb(conn));
    enum err e = OK;
    const char *can = database_value(
        conn, a,
        "SELECT 't' FROM pg_roles WHERE rolname = current_user AND (rolsuper OR rolcreaterole)",
        NULL, &e);

    if (e == OK && can == NULL) {
        log_ours("database: the role %s of the URI may neither create roles nor is it chancery_app",
                 PQuser(conn));
        e = ERR_UNAVAILABLE;
    }
    if (e == OK)
        e = database_run(conn, "roles", roles);
    if (e == OK)
        e = database_run(conn, "schema", schema);
    d->app = app_conninfo(a, d->admin, password);
    if (e == OK && (d->app == NULL || !works(d->app)))
        e = set_password(conn, password);
    return e;
}

/* A server that starts at the same time as we do may need a moment. */
static PGconn *reach(const char *conninfo)
{
    const struct timespec pause = {.tv_nsec = REACH_PAUSE_MS * 1000000L};
    int64_t start = time_steady_ms();
    PGPing state;
    sigset_t pending;

    while ((state = PQping(conninfo)) != PQPING_OK && time_steady_ms() - start < REACH_MS) {
        if (state == PQPING_NO_ATTEMPT ||
            (sigpending(&pending) == 0 && sigismember(&pending, SIGTERM) == 1))
            break;
        (void)nanosleep(&pause, NULL);
    }
    return database_connect(conninfo);
}

static enum err open_external(struct database *d, struct arena *a, const struct config *c,
                              const struct home *home)
{
    PGconn *conn = reach(c->database);
    enum err e;

    if (conn == NULL)
        return ERR_DB_LOST;
    e = check_version(conn);
    if (strcmp(PQuser(conn), "chancery_app") == 0) {
        d->app = app_conninfo(a, c->database, NULL);
    } else if (e == OK) {
        d->admin = c->database;
        e = prepare_external(d, a, conn, home);
    }
    PQfinish(conn);
    return e == OK && d->app == NULL ? ERR_INVALID : e;
}

static enum err prepare_private(struct database *d, struct arena *a)
{
    PGconn *conn = database_connect(cluster_conninfo(&d->cluster, a, "postgres"));
    enum err e = conn == NULL ? ERR_DB_LOST : check_version(conn);
    const char *there = NULL;

    if (e == OK)
        e = database_run(conn, "roles", roles);
    if (e == OK)
        there = database_value(conn, a, "SELECT 't' FROM pg_database WHERE datname = 'chancery'",
                               NULL, &e);
    if (e == OK && there == NULL)
        e = database_run(conn, "database", "CREATE DATABASE chancery OWNER chancery_owner");
    PQfinish(conn);
    if (e != OK)
        return e;

    conn = database_connect(d->admin);
    e = conn == NULL ? ERR_DB_LOST : database_run(conn, "schema", schema);
    if (e == OK)
        e = database_run(conn, "privileges", seclude);
    PQfinish(conn);
    return e;
}

static enum err open_private(struct database *d, struct arena *a, const struct config *c,
                             const struct home *home)
{
    enum err e = cluster_find(&d->cluster, a, c, home);

    d->private = true;
    if (e != OK)
        return e;
    d->admin = cluster_conninfo(&d->cluster, a, "chancery");
    d->app = app_conninfo(a, d->admin, NULL);
    if (home->lock < 0)
        return OK;
    e = cluster_make(&d->cluster, c);
    if (e == OK)
        e = postgres_start(&d->postgres, &d->cluster);
    if (e != OK)
        return e;
    e = prepare_private(d, a);
    if (e != OK)
        database_close(d);
    return e;
}

enum err database_open(struct database *d, struct arena *a, const struct config *c,
                       const struct home *home)
{
    memset(d, 0, sizeof(*d));
    return c->database[0] == '\0' ? open_private(d, a, c, home) : open_external(d, a, c, home);
}

void database_close(struct database *d)
{
    postgres_stop(d->postgres);
    d->postgres = NULL;
}
