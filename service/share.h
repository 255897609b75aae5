/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVICE_SHARE_H
#define SERVICE_SHARE_H

#include "core/request.h"

/* Whose turn it is before the threads of a lane. Tasks queue by flow: a tenant, a browser that is
 * known, everybody else together. The next task is of the flow that has had the least of the
 * threads' time, as measured (start-time fair queueing, Goyal, Vin and Cheng 1996); a flow that
 * was idle begins where the others are. No flow has more than most threads, nor more than four
 * times those that are left (dynamic thresholds, Choudhury and Hahne 1998), so that one is left for
 * whoever has none. Flows are told apart by hash in a table of fixed size (stochastic fairness
 * queueing, McKenney 1990). Not thread-safe: the lane's lock guards it. */

enum { FLOWS = 1024 };

struct task;

struct share {
    struct task *first;
    struct task **last;
    unsigned length;
    unsigned running;   /* threads */
    unsigned most;      /* of them */
    int64_t used_us;    /* of their time, beginning anywhere */
    int64_t last_us;    /* what one task took last */
    struct share *next; /* of those with tasks */
};

struct shares {
    struct share flows[FLOWS];
    struct share *waiting;
    unsigned length; /* tasks that wait */
    unsigned length_max;
    unsigned busy; /* threads */
    unsigned threads;
    unsigned most;
    int64_t clock_us; /* used_us of whose turn it was last */
};

/* length_max: tasks that may wait of one flow; of all together four times as many. */
void shares_prepare(struct shares *s, unsigned threads, unsigned most, unsigned length_max);
/* False when the flow's queue is full, unless forced. */
bool shares_put(struct shares *s, struct task *t, uint64_t flow, bool forced);
/* Is there a task that a thread may take now? */
bool shares_ready(const struct shares *s);
/* The next tasks, of one flow: its share for one thread, at most at_once. NULL for none now. */
struct task *shares_take(struct shares *s, unsigned at_once, struct share **from);
/* What was taken from the flow at once is done and took so long. */
void shares_done(struct shares *s, struct share *from, int64_t took_us);

#endif
