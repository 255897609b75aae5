/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/policy_watch.h"

#include "auth/key.h"
#include "auth/snapshot.h"
#include "core/log.h"
#include "core/text.h"

#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { POLL_MS = 1000, KEYS_MS = 30000, CONNECT_S = 3 };

static struct watch {
    pthread_t thread;
    bool running;
    int stop_fd;
    const char *conninfo;
    PGconn *ear;     /* hears notifications */
    struct db db;    /* reads epochs and policies */
    int64_t keys_ms; /* when the signing keys were read last */
} watch = {.stop_fd = -1};

/* False when it is time to stop. */
static bool pause_for(int timeout_ms)
{
    struct pollfd fds[2] = {{.fd = watch.stop_fd, .events = POLLIN},
                            {.fd = PQsocket(watch.ear), .events = POLLIN}};

    (void)poll(fds, watch.ear == NULL ? 1 : 2, timeout_ms);
    return (fds[0].revents & POLLIN) == 0;
}

static bool listen_to_changes(void)
{
    static const char *const names[] = {"dbname", "connect_timeout", "application_name", NULL};
    char timeout[8];
    const char *values[] = {watch.conninfo, timeout, "chancery policy watch", NULL};
    PGresult *result;
    bool listening;

    (void)snprintf(timeout, sizeof(timeout), "%d", CONNECT_S);
    watch.ear = PQconnectdbParams(names, values, 1);
    result = PQexec(watch.ear, "LISTEN authz");
    listening = PQresultStatus(result) == PGRES_COMMAND_OK;
    PQclear(result);
    return listening;
}

static void disconnect(void)
{
    snapshot_seen(0);
    PQfinish(watch.ear);
    watch.ear = NULL;
    db_close(&watch.db);
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
    return e == OK || e == ERR_NOT_FOUND;
}

static bool hear(void)
{
    PGnotify *notice;
    bool good = PQconsumeInput(watch.ear) == 1;

    while (good && (notice = PQnotifies(watch.ear)) != NULL) {
        snapshot_unsettle();
        good = !snapshot_has(notice->extra) || renew(notice->extra);
        PQfreemem(notice);
    }
    return good;
}

static bool compare_epochs(void)
{
    int64_t start = time_steady_ms();
    struct arena *a = arena_new();
    struct texts tenants = snapshot_tenants(a);
    bool good = true;

    for (size_t i = 0; i < tenants.count && good; i++)
        good = renew(tenants.items[i]);
    if (good && start - watch.keys_ms >= KEYS_MS) {
        watch.db.arena = a;
        good = keys_renew(&watch.db) == OK;
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
        if (listen_to_changes() && db_open(&watch.db, watch.conninfo) == OK) {
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
    watch.conninfo = conninfo;
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
