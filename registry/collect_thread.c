/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/collect.h"

#include "core/log.h"
#include "registry/blob.h"
#include "registry/mlflow/multipart.h"

#include <pthread.h>
#include <stdbool.h>
#include <time.h>

/* Looking for files without rows is for what crashes leave, so it is done at the start and rarely.
 */
enum { INTERVAL_SECONDS = 600, PASSES_PER_SEARCH = 36 };

static struct {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t stop;
    const char *conninfo;
    bool started;
    bool stopping;
} collector = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void pass(struct db *db, unsigned number)
{
    struct collected c;
    enum err e = OK;

    if (db->conn == NULL)
        e = db_open(db, collector.conninfo);
    if (e == OK)
        e = collect_pass(db, COLLECT_GRACE_SECONDS, number % PASSES_PER_SEARCH == 0, &c);
    if (e != OK)
        log_world("collection: %s; it will be tried again", err_meaning(e));
    else if (c.rows + c.files + c.uploads > 0)
        log_info("collected %lld contents, %lld files, %lld uploads", (long long)c.rows,
                 (long long)c.files, (long long)c.uploads);
}

/* True when it is time for the next pass, false when the thread must end. */
static bool wait_for_next(void)
{
    struct timespec until;
    bool on;

    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += INTERVAL_SECONDS;
    pthread_mutex_lock(&collector.lock);
    while (!collector.stopping &&
           pthread_cond_timedwait(&collector.stop, &collector.lock, &until) == 0)
        continue;
    on = !collector.stopping;
    pthread_mutex_unlock(&collector.lock);
    return on;
}

static void *collector_main(void *arg)
{
    struct db db = {.conninfo = collector.conninfo};
    unsigned number = 0;

    do
        pass(&db, number++);
    while (wait_for_next());
    db_close(&db);
    return arg;
}

enum err collect_start(const struct service *service)
{
    pthread_condattr_t attributes;
    enum err e = blob_start(service->home);

    multipart_start(service->key);
    if (e != OK)
        return e;
    (void)pthread_condattr_init(&attributes);
    (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&collector.stop, &attributes);
    (void)pthread_condattr_destroy(&attributes);
    collector.conninfo = service->conninfo;
    collector.stopping = false;
    collector.started = pthread_create(&collector.thread, NULL, collector_main, NULL) == 0;
    return collector.started ? OK : ERR_INTERNAL;
}

void collect_stop(void)
{
    if (!collector.started)
        return;
    pthread_mutex_lock(&collector.lock);
    collector.stopping = true;
    pthread_cond_signal(&collector.stop);
    pthread_mutex_unlock(&collector.lock);
    (void)pthread_join(collector.thread, NULL);
    (void)pthread_cond_destroy(&collector.stop);
    collector.started = false;
}
