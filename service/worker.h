/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVICE_WORKER_H
#define SERVICE_WORKER_H

#include "core/db.h"
#include "core/request.h"

#include <stdbool.h>
#include <stdint.h>

/* Threads that may wait: a bounded queue per lane, shared out by flow (service/share.h), and per
 * thread a database connection of its own. A lane has a quarter more threads than is said, at least
 * one: one flow has as many as is said, and the others find one that is free. What a task touches
 * belongs to whoever holds it; the queue's lock hands it over. */
struct workers;

struct task {
    struct task *next;
    /* Several tasks are taken at once: what they will ask is asked before the first is run. NULL
     * for none. May be called or not. */
    void (*ahead)(struct task *t, struct db *db);
    void (*run)(struct task *t, struct db *db);
    uint64_t flow; /* service/share.h */
};

struct workers_config {
    const char *conninfo;            /* NULL: no database */
    unsigned threads[LANE_SLOW + 1]; /* at most 256 each */
    unsigned queue_max;              /* of one flow, per lane */
};

/* The threads, and connections, of a lane in which one flow may have share of them. */
unsigned workers_threads(unsigned share);
/* NULL when the threads cannot be made. A worker whose database cannot be reached runs its tasks
 * nevertheless, with db->conn NULL, and tries again while it has nothing to do. */
struct workers *workers_start(const struct workers_config *config);
/* False when the flow's queue in the lane is full (unless forced), or the lane is closed. */
bool workers_put(struct workers *w, enum lane lane, struct task *t, bool forced);
void workers_load(struct workers *w, enum lane lane, int64_t *queued, int64_t *busy);
/* Take nothing more, run what is queued, end. */
void workers_stop(struct workers *w);

#endif
