/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/access/policy_watch.h"

#include "auth/access/lease.h"
#include "auth/access/snapshot.h"
#include "auth/keys/key.h"
#include "core/log.h"
#include "core/text.h"

#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { KEYS_MS = 30000, RECONNECT_MS = 200, STATEMENT_MS = 2000 };
_Static_assert(LEASE_MS == 2000, "replica_renew_sql says so too");

static struct watch {
    pthread_t thread;
    bool running;
    int stop_fd;
    struct db db;
    int backend;      /* the process that listens for us */
    char id[ID_SIZE]; /* of this replica */
    char *seen;       /* the database snapshot whose changes are all known here */
    int64_t keys_ms;  /* when the signing keys were read last */
} watch = {.stop_fd = -1};

/* Sees nothing, so everything has changed since. */
static const char seen_nothing[] = "1:1:";

/* What is written here is not waited for on the disk: losing an acknowledgement only makes somebody
 * wait, and a lease allows for the loss. PostgreSQL writes within three times the delay. */
QUERY(replica_name_sql, "SELECT set_config('application_name', 'chanceryd watch', false),"
                        " set_config('statement_timeout', $1, false),"
                        " set_config('synchronous_commit', CASE WHEN 3 * setting::int <= $2::int"
                        " THEN 'off' ELSE 'on' END, false)"
                        " FROM pg_settings WHERE name = 'wal_writer_delay'");
QUERY(replica_listen_sql, "LISTEN authz");
QUERY(replica_gone_sql, "DELETE FROM replica WHERE id = $1::uuid"
                        " OR lease_until < clock_timestamp() - interval '1 minute'");
QUERY(replica_renew_sql,
      "INSERT INTO replica (id, lease_until, seen)"
      " VALUES ($1::uuid, clock_timestamp() + interval '2000 ms', $2::pg_snapshot)"
      " ON CONFLICT (id) DO UPDATE SET lease_until = EXCLUDED.lease_until, seen = EXCLUDED.seen");
QUERY(replica_seen_sql, "UPDATE replica SET seen = $2::pg_snapshot WHERE id = $1::uuid");
QUERY(replica_moved_sql, "SELECT pg_current_snapshot()::text, m.id, m.epoch"
                         " FROM (VALUES (1)) one LEFT JOIN authz_moved($1::pg_snapshot) m ON true");

/* False when it is time to stop. */
static bool pause_for(int timeout_ms)
{
    struct pollfd fds[2] = {{.fd = watch.stop_fd, .events = POLLIN},
                            {.fd = PQsocket(watch.db.conn), .events = POLLIN}};

    (void)poll(fds, watch.db.conn == NULL ? 1 : 2, timeout_ms);
    return (fds[0].revents & POLLIN) == 0;
}

/* A lost connection is opened anew by the next statement, but that one hears nothing. */
static bool still_listening(void)
{
    return PQbackendPID(watch.db.conn) == watch.backend;
}

/* Each statement of body is a transaction of its own. */
static bool run(enum err (*body)(void *arg), void *arg)
{
    bool good;

    watch.db.arena = arena_new();
    good = db_tx(&watch.db, TX_POINT, NULL, body, arg) == OK;
    arena_free(watch.db.arena);
    watch.db.arena = NULL;
    return good;
}

static enum err begin(void *unused)
{
    PGresult *named;

    (void)unused;
    TRY(db_rows(&watch.db, &replica_name_sql, &named,
                PARAMS(P_INT(STATEMENT_MS), P_INT(WAL_LOSS_MS))));
    TRY(db_run(&watch.db, &replica_listen_sql, NULL, NO_PARAMS));
    return db_run(&watch.db, &replica_gone_sql, NULL, PARAMS(P_TEXT(watch.id)));
}

static void see(const char *snapshot)
{
    char *copy = strdup(snapshot);

    if (copy == NULL)
        abort();
    free(watch.seen);
    watch.seen = copy;
}

static bool connect_and_listen(void)
{
    bool listening = run(begin, NULL);

    watch.backend = PQbackendPID(watch.db.conn);
    see(seen_nothing);
    return listening;
}

static enum err write_lease(void *unused)
{
    (void)unused;
    return db_run(&watch.db, &replica_renew_sql, NULL,
                  PARAMS(P_TEXT(watch.id), P_TEXT(watch.seen)));
}

static enum err write_seen(void *unused)
{
    (void)unused;
    return db_run(&watch.db, &replica_seen_sql, NULL, PARAMS(P_TEXT(watch.id), P_TEXT(watch.seen)));
}

/* What has changed since the last time is used no more; *moved: something has. */
static enum err catch_up(void *moved)
{
    PGresult *rows = NULL;

    TRY(db_rows(&watch.db, &replica_moved_sql, &rows, PARAMS(P_TEXT(watch.seen))));
    for (int i = 0; i < PQntuples(rows); i++) {
        if (PQgetisnull(rows, i, 1))
            continue;
        snapshot_moved(PQgetvalue(rows, i, 1), strtoll(PQgetvalue(rows, i, 2), NULL, 10));
        *(bool *)moved = true;
    }
    if (PQntuples(rows) == 0)
        return ERR_INTERNAL;
    see(PQgetvalue(rows, 0, 0));
    return OK;
}

static bool follow(void)
{
    bool moved = false;

    return run(catch_up, &moved) && still_listening() && (!moved || run(write_seen, NULL));
}

static bool renew_lease(void)
{
    int64_t asked = lease_clock();
    bool moved = false;

    if (!run(write_lease, NULL) || !run(catch_up, &moved) || !still_listening())
        return false;
    lease_hold(asked);
    return !moved || run(write_seen, NULL);
}

static enum err read_keys(void *unused)
{
    (void)unused;
    return keys_renew(&watch.db);
}

static bool renew_keys(void)
{
    int64_t now = lease_clock();

    if (now - watch.keys_ms < KEYS_MS)
        return true;
    watch.keys_ms = now;
    return run(read_keys, NULL) && still_listening();
}

/* Has there been a word? False when the connection is lost. */
static bool hear(bool *word)
{
    PGnotify *notice;

    if (PQconsumeInput(watch.db.conn) != 1)
        return false;
    while ((notice = PQnotifies(watch.db.conn)) != NULL) {
        *word = true;
        PQfreemem(notice);
    }
    return true;
}

/* What there is to do now; *idle: nothing. Words may come with any answer, so one asks again after
 * each. False when the connection is lost. */
static bool attend_once(int64_t *next, bool *idle)
{
    int64_t now = lease_clock();
    bool word = false;

    *idle = false;
    if (!hear(&word))
        return false;
    if (now >= *next) {
        *next = now + LEASE_RENEW_MS;
        return renew_lease() && renew_keys();
    }
    if (word)
        return follow();
    *idle = true;
    return true;
}

/* Until the connection is lost, or it is time to stop: false. */
static bool attend(void)
{
    int64_t next = 0;
    bool idle = false;

    while (attend_once(&next, &idle)) {
        int64_t left = next - lease_clock();

        if (!pause_for(!idle || left < 0 ? 0 : (int)left))
            return false;
    }
    return true;
}

static enum err leave(void *unused)
{
    (void)unused;
    return db_run(&watch.db, &replica_gone_sql, NULL, PARAMS(P_TEXT(watch.id)));
}

static void *run_watch(void *unused)
{
    bool going = true;

    while (going) {
        if (connect_and_listen()) {
            snapshot_forget(NULL);
            going = attend();
            if (going)
                log_world("the policy watch lost its connection; every request asks the database");
        }
        lease_end();
        if (!going)
            (void)run(leave, NULL);
        db_close(&watch.db);
        going = going && pause_for(RECONNECT_MS);
    }
    return unused;
}

enum err watch_start(const char *conninfo)
{
    watch.db = (struct db){.conninfo = conninfo};
    id_new(watch.id);
    watch.stop_fd = eventfd(0, EFD_CLOEXEC);
    if (watch.stop_fd < 0)
        return ERR_UNAVAILABLE;
    watch.running = pthread_create(&watch.thread, NULL, run_watch, NULL) == 0;
    if (watch.running)
        return OK;
    watch_stop();
    return ERR_UNAVAILABLE;
}

void watch_stop(void)
{
    if (watch.running && eventfd_write(watch.stop_fd, 1) == 0)
        (void)pthread_join(watch.thread, NULL);
    if (watch.stop_fd >= 0)
        (void)close(watch.stop_fd);
    free(watch.seen);
    watch.seen = NULL;
    watch.running = false;
    watch.stop_fd = -1;
}
