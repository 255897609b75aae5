/* SPDX-License-Identifier: Apache-2.0 */
#include "service/worker.h"

#include "core/db_ahead.h"
#include "core/text.h"
#include "service/share.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

/* Reads are short: taking several at a wake-up saves context switches. */
enum {
    LANES = LANE_SLOW + 1,
    THREADS_MAX = 320,
    READS_AT_ONCE = 8,
    RETRY_LEAST_MS = 500,
    RETRY_MOST_MS = 10000,
};

struct lane_queue {
    pthread_mutex_t lock;
    pthread_cond_t ready;
    struct shares shares;
    unsigned idle;
    unsigned threads;
    unsigned at_once;
    bool closed;
    const char *conninfo;
    pthread_t ids[THREADS_MAX];
};

struct workers {
    struct lane_queue lanes[LANES];
};

struct worker {
    struct lane_queue *lane;
    struct db db;
    struct share *flow; /* whose tasks it runs */
    int64_t took_us;    /* for them */
    bool over;          /* the lane is closed and empty */
    int64_t retry_at;
    int64_t retry_ms;
};

static void worker_connect(struct worker *w)
{
    int64_t now = time_steady_ms();

    if (w->lane->conninfo == NULL || w->db.conn != NULL || now < w->retry_at)
        return;
    if (db_open(&w->db, w->lane->conninfo) == OK) {
        w->retry_ms = RETRY_LEAST_MS;
        return;
    }
    w->db.conninfo = w->lane->conninfo;
    w->retry_at = now + w->retry_ms;
    w->retry_ms = w->retry_ms * 2 < RETRY_MOST_MS ? w->retry_ms * 2 : RETRY_MOST_MS;
}

/* Wait for work, or until it is time to try the database again. The lane is locked. */
static void worker_wait(const struct worker *w)
{
    struct lane_queue *q = w->lane;
    struct timespec until;

    q->idle++;
    if (w->db.conn != NULL || q->conninfo == NULL) {
        pthread_cond_wait(&q->ready, &q->lock);
    } else {
        until.tv_sec = (time_t)(w->retry_at / 1000);
        until.tv_nsec = (long)(w->retry_at % 1000) * 1000000L;
        (void)pthread_cond_timedwait(&q->ready, &q->lock, &until);
    }
    q->idle--;
}

static struct task *worker_take(struct worker *w)
{
    struct lane_queue *q = w->lane;
    struct task *t;

    pthread_mutex_lock(&q->lock);
    if (w->flow != NULL)
        shares_done(&q->shares, w->flow, w->took_us);
    if (!shares_ready(&q->shares) && !q->closed)
        worker_wait(w);
    t = shares_take(&q->shares, q->at_once, &w->flow);
    w->over = t == NULL && q->closed;
    /* Another may be free to take what this thread may not, or has made possible. */
    if (t != NULL && q->idle > 0 && shares_ready(&q->shares))
        pthread_cond_signal(&q->ready);
    pthread_mutex_unlock(&q->lock);
    return t;
}

static void ask_ahead(struct worker *w, struct task *first)
{
    for (struct task *t = first; t != NULL; t = t->next)
        if (t->ahead != NULL)
            t->ahead(t, &w->db);
}

static int64_t now_us(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static void *worker_main(void *arg)
{
    struct worker w = {.lane = arg, .retry_ms = RETRY_LEAST_MS};

    while (!w.over) {
        struct task *t;
        int64_t began;

        worker_connect(&w);
        t = worker_take(&w);
        began = now_us();
        if (t != NULL && t->next != NULL)
            ask_ahead(&w, t);
        while (t != NULL) {
            struct task *next = t->next;

            t->run(t, &w.db);
            t = next;
        }
        if (w.db.ahead_count > 0)
            db_ahead_end(&w.db);
        w.took_us = now_us() - began;
    }
    if (w.lane->conninfo != NULL)
        db_close(&w.db);
    return NULL;
}

unsigned workers_threads(unsigned share)
{
    return share + (share < 4 ? 1 : share / 4);
}

static void lane_prepare(struct lane_queue *q, const struct workers_config *config, enum lane lane)
{
    pthread_condattr_t attributes;

    pthread_mutex_init(&q->lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&q->ready, &attributes);
    pthread_condattr_destroy(&attributes);
    shares_prepare(&q->shares, workers_threads(config->threads[lane]), config->threads[lane],
                   config->queue_max);
    q->at_once = lane == LANE_READ ? READS_AT_ONCE : 1;
    q->conninfo = config->conninfo;
}

static bool lane_start(struct lane_queue *q, unsigned threads)
{
    bool started = true;

    pthread_mutex_lock(&q->lock);
    while (q->threads < threads && started) {
        started = pthread_create(&q->ids[q->threads], NULL, worker_main, q) == 0;
        q->threads += started;
    }
    pthread_mutex_unlock(&q->lock);
    return started;
}

struct workers *workers_start(const struct workers_config *config)
{
    struct workers *w = calloc(1, sizeof(*w));
    bool started = true;

    if (w == NULL)
        return NULL;
    for (int lane = 0; lane < LANES; lane++)
        lane_prepare(&w->lanes[lane], config, (enum lane)lane);
    for (int lane = 0; lane < LANES && started; lane++)
        started = lane_start(&w->lanes[lane], workers_threads(config->threads[lane]));
    if (started)
        return w;
    workers_stop(w);
    return NULL;
}

bool workers_put(struct workers *w, enum lane lane, struct task *t, bool forced)
{
    struct lane_queue *q = &w->lanes[lane];
    bool taken;
    bool wake;

    pthread_mutex_lock(&q->lock);
    taken = !q->closed && shares_put(&q->shares, t, t->flow, forced);
    wake = taken && q->idle > 0 && shares_ready(&q->shares);
    pthread_mutex_unlock(&q->lock);
    /* After the unlock: whoever wakes up would only wait for it. */
    if (wake)
        pthread_cond_signal(&q->ready);
    return taken;
}

void workers_load(struct workers *w, enum lane lane, int64_t *queued, int64_t *busy)
{
    struct lane_queue *q = &w->lanes[lane];

    pthread_mutex_lock(&q->lock);
    *queued = q->shares.length;
    *busy = q->shares.busy;
    pthread_mutex_unlock(&q->lock);
}

static void lane_stop(struct lane_queue *q)
{
    pthread_mutex_lock(&q->lock);
    q->closed = true;
    pthread_cond_broadcast(&q->ready);
    pthread_mutex_unlock(&q->lock);
    for (unsigned i = 0; i < q->threads; i++)
        pthread_join(q->ids[i], NULL);
    pthread_cond_destroy(&q->ready);
    pthread_mutex_destroy(&q->lock);
}

void workers_stop(struct workers *w)
{
    for (int lane = 0; lane < LANES; lane++)
        lane_stop(&w->lanes[lane]);
    free(w);
}
