/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/access/barrier.h"

#include "auth/access/lease.h"
#include "core/db.h"
#include "core/log.h"
#include "core/text.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Most are seen everywhere within a few ms; a replica that stands still takes the rest of its
 * lease. */
enum { AT_ONCE = 256, EAGER_MS = 30, EAGER_PAUSE_US = 1000, PATIENT_PAUSE_US = 5000 };

static struct barrier {
    pthread_mutex_t lock;
    pthread_cond_t wake;
    pthread_t thread;
    bool running;
    bool ending;
    struct barrier_wait *joined;
    struct db db;
} barrier = {.lock = PTHREAD_MUTEX_INITIALIZER, .wake = PTHREAD_COND_INITIALIZER};

/* The places in the list of those that everyone has seen. */
QUERY(barrier_seen_sql,
      "SELECT x.at - 1 FROM unnest($1::text[]) WITH ORDINALITY x (moved, at) WHERE NOT EXISTS"
      " (SELECT FROM replica r WHERE r.lease_until > clock_timestamp()"
      "   AND NOT pg_visible_in_snapshot(x.moved::xid8, r.seen))");

struct question {
    const char *moved[AT_ONCE];
    struct barrier_wait *waits[AT_ONCE];
    bool seen[AT_ONCE];
    size_t count;
};

static enum err ask(void *arg)
{
    struct question *q = arg;
    PGresult *rows = NULL;

    TRY(db_rows(&barrier.db, &barrier_seen_sql, &rows, PARAMS(P_TEXTS(q->moved, q->count))));
    for (int i = 0; i < PQntuples(rows); i++) {
        size_t at = (size_t)strtoull(PQgetvalue(rows, i, 0), NULL, 10);

        if (at < q->count)
            q->seen[at] = true;
    }
    return OK;
}

static void put(struct question *q, struct arena *a, struct barrier_wait *first)
{
    q->count = 0;
    for (struct barrier_wait *w = first; w != NULL && q->count < AT_ONCE; w = w->next) {
        q->moved[q->count] = arena_printf(a, "%llu", (unsigned long long)w->moved);
        q->seen[q->count] = false;
        q->waits[q->count++] = w;
    }
}

/* Tell those who are through, and those who have waited long enough; the rest go on waiting, behind
 * those who were not asked about. */
static struct barrier_wait *tell(const struct question *q, struct barrier_wait *rest, bool ending)
{
    struct barrier_wait **last = &rest;

    while (*last != NULL)
        last = &(*last)->next;
    for (size_t i = 0; i < q->count; i++) {
        struct barrier_wait *w = q->waits[i];

        if (q->seen[i] || ending || lease_clock() >= w->deadline_ms) {
            w->done(w->arg, q->seen[i]);
            continue;
        }
        w->next = NULL;
        *last = w;
        last = &w->next;
    }
    return rest;
}

static struct barrier_wait *serve(struct barrier_wait *first, bool ending)
{
    static struct question q; /* this thread's */
    struct arena *a = arena_new();
    struct barrier_wait *rest;

    put(&q, a, first);
    rest = q.waits[q.count - 1]->next; /* beyond AT_ONCE */
    barrier.db.arena = a;
    if (db_tx(&barrier.db, TX_POINT, NULL, ask, &q) != OK)
        memset(q.seen, 0, sizeof(q.seen));
    barrier.db.arena = NULL;
    arena_free(a);
    return tell(&q, rest, ending);
}

/* Behind those who wait already; at once when there are none. The lock is held. */
static struct barrier_wait *take_joined(struct barrier_wait *waiting, bool *fresh)
{
    struct barrier_wait *w;

    while (waiting == NULL && barrier.joined == NULL && !barrier.ending)
        (void)pthread_cond_wait(&barrier.wake, &barrier.lock);
    *fresh = barrier.joined != NULL;
    while ((w = barrier.joined) != NULL) {
        barrier.joined = w->next;
        w->next = waiting;
        waiting = w;
    }
    return waiting;
}

static void *run(void *unused)
{
    struct barrier_wait *waiting = NULL;
    int64_t eager_until = 0;
    bool ending = false;

    while (!ending || waiting != NULL) {
        bool fresh;
        struct timespec pause = {0};

        (void)pthread_mutex_lock(&barrier.lock);
        waiting = take_joined(waiting, &fresh);
        ending = barrier.ending;
        (void)pthread_mutex_unlock(&barrier.lock);
        if (fresh)
            eager_until = lease_clock() + EAGER_MS;
        if (waiting != NULL)
            waiting = serve(waiting, ending);
        pause.tv_nsec = (lease_clock() < eager_until ? EAGER_PAUSE_US : PATIENT_PAUSE_US) * 1000L;
        if (waiting != NULL)
            (void)nanosleep(&pause, NULL);
    }
    db_close(&barrier.db);
    return unused;
}

enum err barrier_start(const char *conninfo)
{
    barrier.db = (struct db){.conninfo = conninfo};
    barrier.ending = false;
    barrier.running = pthread_create(&barrier.thread, NULL, run, NULL) == 0;
    return barrier.running ? OK : ERR_UNAVAILABLE;
}

void barrier_stop(void)
{
    if (!barrier.running)
        return;
    (void)pthread_mutex_lock(&barrier.lock);
    barrier.ending = true;
    barrier.running = false;
    (void)pthread_cond_signal(&barrier.wake);
    (void)pthread_mutex_unlock(&barrier.lock);
    (void)pthread_join(barrier.thread, NULL);
}

void barrier_join(struct barrier_wait *w)
{
    bool taken;

    w->deadline_ms = lease_clock() + BARRIER_MS;
    (void)pthread_mutex_lock(&barrier.lock);
    taken = barrier.running;
    if (taken) {
        w->next = barrier.joined;
        barrier.joined = w;
        (void)pthread_cond_signal(&barrier.wake);
    }
    (void)pthread_mutex_unlock(&barrier.lock);
    if (!taken)
        w->done(w->arg, false);
}
