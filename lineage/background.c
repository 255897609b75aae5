/* SPDX-License-Identifier: Apache-2.0 */
#include "lineage/background.h"

#include "core/log.h"
#include "core/text.h"
#include "lineage/log.h"

#include <errno.h>
#include <time.h>

static void rest(struct background *b)
{
    struct timespec until;

    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += b->pause_ms / 1000;
    until.tv_nsec += b->pause_ms % 1000 * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    (void)pthread_mutex_lock(&b->lock);
    while (!b->stop && !b->woken &&
           pthread_cond_timedwait(&b->changed, &b->lock, &until) != ETIMEDOUT)
        ;
    b->woken = false;
    (void)pthread_mutex_unlock(&b->lock);
}

static void *run(void *arg)
{
    struct background *b = arg;

    while (!background_stopping(b)) {
        struct arena *a = arena_new();

        b->db.arena = a;
        b->round(b);
        log_arena_back(&b->db, NULL);
        arena_free(a);
        rest(b);
    }
    db_close(&b->db);
    return NULL;
}

enum err background_start(struct background *b, const char *conninfo)
{
    pthread_condattr_t attributes;

    b->db = (struct db){.conninfo = conninfo};
    b->stop = b->woken = false;
    (void)pthread_mutex_init(&b->lock, NULL);
    (void)pthread_condattr_init(&attributes);
    (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&b->changed, &attributes);
    (void)pthread_condattr_destroy(&attributes);
    b->running = pthread_create(&b->thread, NULL, run, b) == 0;
    return b->running ? OK : ERR_INTERNAL;
}

void background_stop(struct background *b)
{
    if (!b->running)
        return;
    (void)pthread_mutex_lock(&b->lock);
    b->stop = true;
    (void)pthread_cond_signal(&b->changed);
    (void)pthread_mutex_unlock(&b->lock);
    (void)pthread_join(b->thread, NULL);
    b->running = false;
}

void background_wake(struct background *b)
{
    if (!b->running)
        return;
    (void)pthread_mutex_lock(&b->lock);
    b->woken = true;
    (void)pthread_cond_signal(&b->changed);
    (void)pthread_mutex_unlock(&b->lock);
}

bool background_stopping(struct background *b)
{
    bool stop;

    (void)pthread_mutex_lock(&b->lock);
    stop = b->stop;
    (void)pthread_mutex_unlock(&b->lock);
    return stop;
}

struct asked {
    struct background *b;
    const struct query *query;
    PGresult *rows;
};

static enum err ask(void *arg)
{
    struct asked *a = arg;

    return db_rows(&a->b->db, a->query, &a->rows, NO_PARAMS);
}

void background_tenants(struct background *b, const struct query *q,
                        void (*visit)(struct background *b, const char *tenant))
{
    struct asked a = {.b = b, .query = q};

    if (db_tx(&b->db, TX_POINT, NULL, ask, &a) != OK)
        return; /* logged; the next round asks again */
    for (int i = 0; i < PQntuples(a.rows) && !background_stopping(b); i++)
        visit(b, PQgetvalue(a.rows, i, 0));
}
