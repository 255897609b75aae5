/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LINEAGE_BACKGROUND_H
#define LINEAGE_BACKGROUND_H

#include "core/db.h"

#include <pthread.h>

/* A thread with a database connection of its own that does its round again and again. Rounds must
 * look at background_stopping before anything slow. */
struct background {
    const char *name;
    void (*round)(struct background *b); /* db has an arena for the round */
    int64_t pause_ms;
    struct db db;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    pthread_t thread;
    bool running;
    bool stop;
    bool woken;
};

MUST_CHECK enum err background_start(struct background *b, const char *conninfo);
void background_stop(struct background *b);
void background_wake(struct background *b);
bool background_stopping(struct background *b);

/* Calls visit for every tenant that q (one column tenant_id) names, until the end. */
void background_tenants(struct background *b, const struct query *q,
                        void (*visit)(struct background *b, const char *tenant));

#endif
