/* SPDX-License-Identifier: Apache-2.0 */
#include "compute/runner.h"

#include "compute/inspection.h"
#include "compute/job_run.h"
#include "compute/launch.h"
#include "core/log.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { RUNNERS_MAX = 256, IDLE_MS = 250 };

static struct {
    const struct service *service;
    pthread_t threads[RUNNERS_MAX];
    unsigned count;
    atomic_bool stopping;
    char name[80]; /* of this process, in leases */
} runner;

struct claimed {
    const char *tenant_id;
    const char *id;
};

static const struct field claimed_fields[] = {
    TEXT(struct claimed, tenant_id, 36),
    TEXT(struct claimed, id, 36),
    FIELDS_END,
};

QUERY(job_claim_sql, "SELECT tenant_id, id FROM job_claim($1, $2::int)");
QUERY(job_abandoned_sql, "SELECT tenant_id, id FROM job_abandoned()");

struct look {
    struct db *db;
    struct rows rows;
};

static enum err claim_one(void *arg)
{
    struct look *l = arg;

    return db_list(l->db, &job_claim_sql, claimed_fields, sizeof(struct claimed), &l->rows,
                   PARAMS(P_TEXT(runner.name), P_INT(JOB_LEASE_SECONDS)));
}

static enum err find_abandoned(void *arg)
{
    struct look *l = arg;

    return db_list(l->db, &job_abandoned_sql, claimed_fields, sizeof(struct claimed), &l->rows,
                   NO_PARAMS);
}

static struct claim claim_of(const struct rows *rows, size_t i)
{
    const struct claimed *c = &((const struct claimed *)rows->items)[i];
    struct claim claim;

    (void)snprintf(claim.tenant_id, sizeof(claim.tenant_id), "%s", c->tenant_id);
    (void)snprintf(claim.id, sizeof(claim.id), "%s", c->id);
    return claim;
}

/* One look at the queue; true when there was something to do. */
static bool turn(struct db *db)
{
    struct look l = {.db = db};
    struct claim claim;
    bool found = false;

    db->arena = arena_new();
    if (db_tx(db, TX_POINT, NULL, find_abandoned, &l) == OK)
        for (size_t i = 0; i < l.rows.count; i++) {
            claim = claim_of(&l.rows, i);
            job_close(db, &claim);
        }
    if (db_tx(db, TX_WRITE, NULL, claim_one, &l) == OK && l.rows.count == 1) {
        claim = claim_of(&l.rows, 0);
        found = true;
    }
    arena_free(db->arena);
    db->arena = NULL;
    if (found)
        job_run(db, runner.service, &claim);
    return found;
}

bool runner_stopping(void)
{
    return atomic_load(&runner.stopping);
}

static void *run(void *unused)
{
    const struct timespec pause = {.tv_nsec = IDLE_MS * 1000000L};
    struct db db = {.conninfo = runner.service->conninfo};

    (void)unused;
    while (!runner_stopping())
        if (!turn(&db))
            (void)nanosleep(&pause, NULL);
    db_close(&db);
    return NULL;
}

/* Where engines write. What a process that was killed left there is worth nothing. */
static enum err clean_directory(const struct service *service)
{
    char path[PATH_MAX];
    struct dirent *entry;
    DIR *directory;

    (void)snprintf(path, sizeof(path), "%s/jobs", service->home);
    if (mkdir(path, 0700) != 0 && errno != EEXIST) {
        log_world("%s cannot be made", path);
        return ERR_STORAGE;
    }
    directory = opendir(path);
    if (directory == NULL)
        return ERR_STORAGE;
    /* Nobody else has this stream. NOLINTNEXTLINE(concurrency-mt-unsafe) */
    while ((entry = readdir(directory)) != NULL)
        if (entry->d_type == DT_REG)
            (void)unlinkat(dirfd(directory), entry->d_name, 0);
    (void)closedir(directory);
    return OK;
}

enum err runner_start(const struct service *service)
{
    int64_t wanted = service->config->jobs_parallel;
    enum err e = clean_directory(service);

    if (e != OK)
        return e;
    runner.service = service;
    atomic_store(&runner.stopping, false);
    launch_configure(service);
    inspection_start();
    (void)snprintf(runner.name, sizeof(runner.name), "%.60s/%ld", service->url, (long)getpid());
    while (runner.count < wanted && runner.count < RUNNERS_MAX) {
        if (pthread_create(&runner.threads[runner.count], NULL, run, NULL) != 0) {
            log_ours("a job runner cannot start");
            runner_stop();
            return ERR_INTERNAL;
        }
        runner.count++;
    }
    return OK;
}

void runner_stop(void)
{
    atomic_store(&runner.stopping, true);
    while (runner.count > 0)
        pthread_join(runner.threads[--runner.count], NULL);
}
