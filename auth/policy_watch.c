/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/policy_watch.h"

#include "auth/key.h"
#include "auth/snapshot.h"
#include "core/log.h"
#include "core/text.h"

#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { POLL_MS = 1000, KEYS_MS = 30000 };

static struct watch {
    pthread_t thread;
    bool running;
    int stop_fd;
    struct db db;
    int backend;     /* the process that listens for us */
    int64_t keys_ms; /* when the signing keys were read last */
} watch = {.stop_fd = -1};

QUERY(policy_listen_sql, "LISTEN authz");

/* False when it is time to stop. */
static bool pause_for(int timeout_ms)
{
    struct pollfd fds[2] = {{.fd = watch.stop_fd, .events = POLLIN},
                            {.fd = PQsocket(watch.db.conn), .events = POLLIN}};

    (void)poll(fds, watch.db.conn == NULL ? 1 : 2, timeout_ms);
    return (fds[0].revents & POLLIN) == 0;
}

static enum err start_listening(void *unused)
{
    (void)unused;
    return db_run(&watch.db, &policy_listen_sql, NULL, NO_PARAMS);
}

static bool connect_and_listen(void)
{
    bool listening;

    watch.db.arena = arena_new();
    listening = db_tx(&watch.db, TX_POINT, NULL, start_listening, NULL) == OK;
    arena_free(watch.db.arena);
    watch.db.arena = NULL;
    watch.backend = PQbackendPID(watch.db.conn);
    return listening;
}

static void disconnect(void)
{
    snapshot_seen(0);
    db_close(&watch.db);
}

/* A lost connection is opened anew by the next statement, but that one hears nothing. */
static bool still_listening(void)
{
    return PQbackendPID(watch.db.conn) == watch.backend;
}

/* A tenant whose policy cannot be renewed has none here any more: the next request asks anew. */
static bool renew(const char *tenant_id)
{
    struct policy *p = NULL;
    enum err e;

    watch.db.arena = arena_new();
    e = snapshot_renew(&watch.db, tenant_id, &p);
    arena_free(watch.db.arena);
    watch.db.arena = NULL;
    policy_drop(p);
    return (e == OK || e == ERR_NOT_FOUND) && still_listening();
}

static bool hear(void)
{
    PGnotify *notice;
    bool good = PQconsumeInput(watch.db.conn) == 1;

    while (good && (notice = PQnotifies(watch.db.conn)) != NULL) {
        snapshot_unsettle();
        good = !snapshot_has(notice->extra) || renew(notice->extra);
        PQfreemem(notice);
    }
    return good;
}

/* A statement for all tenants, not one each. */
QUERY(policy_epochs_sql, "SELECT id, epoch FROM authz_epochs()");

static enum err read_epochs(void *out)
{
    return db_rows(&watch.db, &policy_epochs_sql, out, NO_PARAMS);
}

static bool renew_those_that_moved(struct arena *a)
{
    PGresult *rows = NULL;

    watch.db.arena = a;
    if (db_tx(&watch.db, TX_POINT, NULL, read_epochs, &rows) != OK || !still_listening())
        return false;
    for (int i = 0; i < PQntuples(rows); i++)
        if (snapshot_older(PQgetvalue(rows, i, 0), strtoll(PQgetvalue(rows, i, 1), NULL, 10)) &&
            !renew(PQgetvalue(rows, i, 0)))
            return false;
    return true;
}

static bool compare_epochs(void)
{
    int64_t start = time_steady_ms();
    struct arena *a = arena_new();
    bool good = renew_those_that_moved(a);

    if (good && start - watch.keys_ms >= KEYS_MS) {
        watch.db.arena = a;
        good = keys_renew(&watch.db) == OK && still_listening();
        watch.keys_ms = start;
    }
    watch.db.arena = NULL;
    arena_free(a);
    if (good)
        snapshot_seen(start);
    return good;
}

/* Until the connection is lost, or it is time to stop: false. */
static bool attend(void)
{
    int64_t next = 0;

    for (;;) {
        int64_t now = time_steady_ms();

        if (!hear())
            return true;
        if (now >= next) {
            if (!compare_epochs())
                return true;
            next = now + POLL_MS;
        }
        now = time_steady_ms();
        if (!pause_for(next > now ? (int)(next - now) : 0))
            return false;
    }
}

static void *run(void *unused)
{
    bool going = true;

    while (going) {
        if (connect_and_listen()) {
            snapshot_forget(NULL);
            going = attend();
            if (going)
                log_world("the policy watch lost its connection; every request asks the database");
        }
        disconnect();
        going = going && pause_for(POLL_MS);
    }
    return unused;
}

enum err watch_start(const char *conninfo)
{
    watch.db = (struct db){.conninfo = conninfo};
    watch.stop_fd = eventfd(0, EFD_CLOEXEC);
    if (watch.stop_fd < 0)
        return ERR_UNAVAILABLE;
    watch.running = pthread_create(&watch.thread, NULL, run, NULL) == 0;
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
    watch.running = false;
    watch.stop_fd = -1;
}
