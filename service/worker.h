/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVICE_WORKER_H
#define SERVICE_WORKER_H

#include "core/db.h"
#include "core/request.h"

#include <stdbool.h>
#include <stdint.h>

/* Threads that may wait: a bounded queue per lane, and per thread a database connection of its own.
 * What a task touches belongs to whoever holds it; the queue's lock hands it over. */
struct workers;

struct task {
    struct task *next;
    /* Several tasks are taken at once: what they will ask is asked before the first is run. NULL
     * for none. May be called or not. */
    void (*ahead)(struct task *t, struct db *db);
    void (*run)(struct task *t, struct db *db);
};

struct workers_config {
    const char *conninfo;            /* NULL: no database */
    unsigned threads[LANE_SLOW + 1]; /* at most 256 each */
    unsigned queue_max;              /* per lane */
};

/* NULL when the threads cannot be made. A worker whose database cannot be reached runs its tasks
 * nevertheless, with db->conn NULL, and tries again while it has nothing to do. */
struct workers *workers_start(const struct workers_config *config);
/* False when the lane's queue is full (unless forced) or closed. */
bool workers_put(struct workers *w, enum lane lane, struct task *t, bool forced);
void workers_load(struct workers *w, enum lane lane, int64_t *queued, int64_t *busy);
/* Take nothing more, run what is queued, end. */
void workers_stop(struct workers *w);

#endif
