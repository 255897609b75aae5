/* SPDX-License-Identifier: Apache-2.0 */
#include "service/migrate.h"

#include "core/crypto.h"
#include "core/log.h"
#include "core/text.h"
#include "service/database.h"

#include <string.h>

struct migration {
    const char *name;
    const char *text;
};

/* Standard C promises no text longer than 4095 bytes; the compilers we build with do. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Woverlength-strings"
static const struct migration migrations[] = {
#include "migrations.inc"
};
#pragma GCC diagnostic pop

enum {
    MIGRATIONS = sizeof(migrations) / sizeof(migrations[0]),
    HEX_SIZE = 2 * SHA256_SIZE + 1,
    DEADLOCKS_MAX = 5 /* of one migration */
};

/* "chancery" as a number, so that nobody else takes the same lock by accident. */
static const char lock[] = "SET statement_timeout = 0; SET lock_timeout = '60s';"
                           " SET client_min_messages = warning;"
                           " SELECT pg_advisory_lock(7163371714471686777)";

static const char begin[] =
    "BEGIN; SET LOCAL ROLE chancery_owner; SET LOCAL search_path = chancery";

static const char books[] =
    "CREATE TABLE IF NOT EXISTS schema_migration ("
    " name text NOT NULL CONSTRAINT schema_migration_key PRIMARY KEY,"
    " sha256 text NOT NULL,"
    " applied_at timestamptz NOT NULL DEFAULT now());"
    "COMMENT ON TABLE schema_migration IS 'global: which migrations made this schema, and their "
    "texts'' hashes.';"
    "CREATE TABLE IF NOT EXISTS installation ("
    " one boolean NOT NULL DEFAULT true CONSTRAINT installation_key PRIMARY KEY,"
    " key_check text NOT NULL,"
    " created_at timestamptz NOT NULL DEFAULT now(),"
    " CONSTRAINT installation_one CHECK (one));"
    "COMMENT ON TABLE installation IS 'global: the key file this database''s secrets are sealed "
    "with, as a MAC.';"
    "GRANT SELECT ON schema_migration, installation TO chancery_app";

static void hash_of(const struct migration *m, char hex[HEX_SIZE])
{
    struct digest d = sha256_of(m->text, strlen(m->text));

    hex_encode(d.bytes, sizeof(d.bytes), hex);
}

static enum err refuse_row(const char *applied, const struct migration *ours)
{
    if (ours == NULL)
        log_ours(
            "the schema is newer than this service: it has migration %s, the newest here is %s; "
            "start a chanceryd at least as new",
            applied, migrate_newest());
    else
        log_ours("the schema has migration %s where this service has %s: they come from different "
                 "releases",
                 applied, ours->name);
    return ERR_CONFLICT;
}

/* What the database says was applied must be the first of ours, text for text. */
static enum err compare(const PGresult *rows, int *applied)
{
    char hex[HEX_SIZE];

    *applied = PQntuples(rows);
    for (int i = 0; i < *applied; i++) {
        const struct migration *ours = i < MIGRATIONS ? &migrations[i] : NULL;
        const char *name = PQgetvalue(rows, i, 0);

        if (ours == NULL || strcmp(name, ours->name) != 0)
            return refuse_row(name, ours);
        hash_of(ours, hex);
        if (strcmp(hex, PQgetvalue(rows, i, 1)) != 0) {
            log_ours(
                "migration %s was edited after it had been applied to this database (%s there, %s "
                "here)",
                name, PQgetvalue(rows, i, 1), hex);
            return ERR_CONFLICT;
        }
    }
    return OK;
}

static enum err read_applied(PGconn *conn, int *applied)
{
    PGresult *rows = PQexec(
        conn, "SELECT name, sha256 FROM chancery.schema_migration ORDER BY name COLLATE \"C\"");
    enum err e;

    if (PQresultStatus(rows) == PGRES_TUPLES_OK) {
        e = compare(rows, applied);
    } else {
        log_ours("the schema's migrations cannot be read: %s", PQerrorMessage(conn));
        e = ERR_INTERNAL;
    }
    PQclear(rows);
    return e;
}

static enum err record(PGconn *conn, const struct migration *m)
{
    char hex[HEX_SIZE];
    const char *const values[] = {m->name, hex};
    PGresult *result;
    enum err e = OK;

    hash_of(m, hex);
    result =
        PQexecParams(conn, "INSERT INTO chancery.schema_migration (name, sha256) VALUES ($1, $2)",
                     2, NULL, values, NULL, NULL, 0);
    if (PQresultStatus(result) != PGRES_COMMAND_OK) {
        log_ours("migration %s: %s", m->name, PQerrorMessage(conn));
        e = ERR_INTERNAL;
    }
    PQclear(result);
    return e;
}

static enum err try_apply(PGconn *conn, const struct migration *m)
{
    enum err e = database_run(conn, m->name, begin);

    if (e == OK)
        e = database_run(conn, m->name, m->text);
    if (e == OK && PQtransactionStatus(conn) != PQTRANS_INTRANS) {
        log_ours("migration %s ends its own transaction, which it must not", m->name);
        return ERR_INTERNAL;
    }
    if (e == OK)
        e = record(conn, m);
    if (e == OK)
        e = database_run(conn, m->name, "COMMIT");
    if (e == OK)
        log_info("migration %s applied", m->name);
    return e;
}

/* A replica that serves meanwhile may hold what the migration changes, and wait for the rest. */
static enum err apply(PGconn *conn, const struct migration *m)
{
    enum err e = try_apply(conn, m);

    for (int again = 0; e == ERR_RETRY && again < DEADLOCKS_MAX; again++) {
        if (database_run(conn, m->name, "ROLLBACK") != OK)
            return ERR_INTERNAL;
        e = try_apply(conn, m);
    }
    return e;
}

static enum err keep_books(PGconn *conn)
{
    enum err e = database_run(conn, "schema_migration", begin);

    if (e == OK)
        e = database_run(conn, "schema_migration", books);
    if (e == OK)
        e = database_run(conn, "schema_migration", "COMMIT");
    return e;
}

void migrate_key_check(const uint8_t *key, char *out)
{
    static const char label[] = "installation";
    struct digest mac = hmac_sha256(key, SEAL_KEY, label, sizeof(label) - 1);

    hex_encode(mac.bytes, sizeof(mac.bytes), out);
}

/* Secrets sealed under another key would be lost one by one, each when it is next needed. */
static enum err check_key(PGconn *conn, const uint8_t *key, bool make)
{
    struct arena *a = arena_new();
    char hex[HEX_SIZE];
    enum err e = OK;
    const char *known;

    migrate_key_check(key, hex);
    if (make)
        (void)database_value(conn, a,
                             "INSERT INTO chancery.installation (key_check) VALUES ($1)"
                             " ON CONFLICT DO NOTHING RETURNING key_check",
                             hex, &e);
    known = e == OK
                ? database_value(conn, a, "SELECT key_check FROM chancery.installation", NULL, &e)
                : NULL;
    if (e == OK && (known == NULL || strcmp(known, hex) != 0)) {
        log_ours("the key file is not the one that this database's secrets are sealed with");
        e = ERR_CONFLICT;
    }
    arena_free(a);
    return e;
}

static enum err migrate_locked(PGconn *conn, const uint8_t *key)
{
    int applied = 0;
    enum err e = keep_books(conn);

    if (e == OK)
        e = read_applied(conn, &applied);
    if (e == OK)
        e = check_key(conn, key, true);
    for (; e == OK && applied < MIGRATIONS; applied++)
        e = apply(conn, &migrations[applied]);
    return e;
}

enum err migrate_run(const char *admin_conninfo, const uint8_t *key)
{
    PGconn *conn = database_connect(admin_conninfo);
    enum err e = conn == NULL ? ERR_DB_LOST : database_run(conn, "the lock of migrations", lock);

    if (e == OK)
        e = migrate_locked(conn, key);
    /* The lock and an open transaction end with the connection. */
    PQfinish(conn);
    return e;
}

enum err migrate_check(const char *app_conninfo, const uint8_t *key)
{
    PGconn *conn = database_connect(app_conninfo);
    int applied = 0;
    enum err e = conn == NULL ? ERR_DB_LOST : read_applied(conn, &applied);

    if (e == OK && applied < MIGRATIONS) {
        log_ours(
            "the schema is older than this service: it lacks migration %s; run chanceryd migrate "
            "with a database URI whose role may create roles",
            migrations[applied].name);
        e = ERR_CONFLICT;
    }
    if (e == OK)
        e = check_key(conn, key, false);
    PQfinish(conn);
    return e;
}

const char *migrate_newest(void)
{
    return migrations[MIGRATIONS - 1].name;
}
