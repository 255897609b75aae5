/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ACCESS_BARRIER_H
#define ACCESS_BARRIER_H

#include "core/err.h"

#include <stdbool.h>
#include <stdint.h>

/* Whoever changed a policy waits here, without a thread or a transaction of its own, until every
 * replica has seen the change or has no lease any more: one thread asks for all who wait. */
enum { BARRIER_MS = 5000 };

struct barrier_wait {
    struct barrier_wait *next;
    uint64_t moved; /* the committed transaction, see struct db */
    int64_t deadline_ms;
    /* On the thread of the barrier; confirmed is false when it took longer than BARRIER_MS, which a
     * lease never does while the database answers. */
    void (*done)(void *arg, bool confirmed);
    void *arg;
};

/* conninfo is borrowed until barrier_stop. */
MUST_CHECK enum err barrier_start(const char *conninfo);
/* Everyone who still waits is told that nothing is confirmed. */
void barrier_stop(void);
/* w is the caller's again when done is called: at once, if the barrier does not run. */
void barrier_join(struct barrier_wait *w);

#endif
