/* SPDX-License-Identifier: Apache-2.0 */
#include "service/postgres.h"

#include "core/log.h"
#include "core/text.h"

#include <errno.h>
#include <fcntl.h>
#include <libpq-fe.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    PING_MS = 5,
    FIRST_PAUSE_MS = 100,
    LONGEST_PAUSE_MS = 5000,
    STEADY_MS = 30000,  /* a run this long ends a row of failures */
    GIVE_UP = 4,        /* failures in a row before the first readiness */
    STOP_S = 30,        /* from then on it is told to stop at once */
    STOP_UNREADY_S = 3, /* of one that never answered: there is nothing to finish */
    REMIND_MS = 1000,
};

struct postgres {
    const struct cluster *cluster;
    struct arena *arena;
    const char *ping;
    pthread_t supervisor;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    pid_t pid; /* 0 while there is none; reaped only under the lock, so that kill never misses */
    unsigned failures;
    bool ready; /* it has answered once */
    bool stopping;
    bool gone;
};

static pid_t start_child(const struct postgres *p)
{
    const struct cluster *k = p->cluster;
    struct arena *a = arena_new();
    const char *const arguments[] = {arena_printf(a, "%s/postgres", k->bin), "-D", k->data,
                                     arena_printf(a, "--config_file=%s/postgresql.conf", k->dir),
                                     NULL};
    int output = open(k->output, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    const struct process program = {.arguments = arguments,
                                    .environment = cluster_environment,
                                    .user = &k->user,
                                    .input = -1,
                                    .output = output,
                                    .death_signal = SIGINT};
    pid_t pid = output < 0 ? -1 : process_start(&program);

    if (pid < 0)
        log_ours("private PostgreSQL: cannot start: %s", strerrordesc_np(errno));
    if (output >= 0)
        (void)close(output);
    arena_free(a);
    return pid;
}

/* Wait for the child to die; its number stays taken until the lock is held. */
static void reap(struct postgres *p, pid_t pid)
{
    siginfo_t info;
    int status = 0;

    while (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT) != 0 && errno == EINTR)
        ;
    pthread_mutex_lock(&p->lock);
    (void)waitpid(pid, &status, 0);
    p->pid = 0;
    if (!p->stopping)
        log_world("private PostgreSQL ended by itself (%s %d)",
                  WIFSIGNALED(status) ? "signal" : "status",
                  WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
    pthread_mutex_unlock(&p->lock);
}

static struct timespec in_ms(long ms)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    t.tv_sec += ms / 1000;
    t.tv_nsec += ms % 1000 * 1000000L;
    t.tv_sec += t.tv_nsec / 1000000000L;
    t.tv_nsec %= 1000000000L;
    return t;
}

/* Back off, unless it is time to stop. The lock is held. */
static void pause_locked(struct postgres *p)
{
    long ms = p->failures == 0 ? 0 : FIRST_PAUSE_MS << (p->failures > 6 ? 6 : p->failures - 1);
    struct timespec until = in_ms(ms > LONGEST_PAUSE_MS ? LONGEST_PAUSE_MS : ms);

    while (!p->stopping &&
           pthread_cond_clockwait(&p->changed, &p->lock, CLOCK_MONOTONIC, &until) == 0)
        ;
}

/* One life of the child. Returns false when it is time to stop. */
static bool run_once(struct postgres *p)
{
    int64_t start = time_steady_ms();
    pid_t pid = -1;

    pthread_mutex_lock(&p->lock);
    if (!p->stopping)
        pid = start_child(p);
    p->pid = pid > 0 ? pid : 0;
    pthread_mutex_unlock(&p->lock);
    if (pid > 0)
        reap(p, pid);

    pthread_mutex_lock(&p->lock);
    p->failures = time_steady_ms() - start > STEADY_MS ? 1 : p->failures + 1;
    pause_locked(p);
    p->gone = p->stopping;
    pthread_cond_broadcast(&p->changed);
    pthread_mutex_unlock(&p->lock);
    return !p->gone;
}

/* Lives as long as there may be a child, whose death signal comes when this thread ends. */
static void *supervise(void *arg)
{
    struct postgres *p = arg;

    do {
        /* Backends outlive a killed postmaster for a moment, and hold what the next one needs. */
        if (cluster_wait_gone(p->cluster) != OK)
            log_ours("private PostgreSQL: starting it nevertheless");
    } while (run_once(p));
    return NULL;
}

static bool stop_is_pending(void)
{
    sigset_t pending;

    return sigpending(&pending) == 0 &&
           (sigismember(&pending, SIGTERM) == 1 || sigismember(&pending, SIGINT) == 1);
}

static enum err wait_ready(struct postgres *p)
{
    const struct timespec pause = {.tv_nsec = PING_MS * 1000000L};

    while (PQping(p->ping) != PQPING_OK) {
        unsigned failures;

        pthread_mutex_lock(&p->lock);
        failures = p->failures;
        pthread_mutex_unlock(&p->lock);
        if (failures >= GIVE_UP) {
            log_ours("private PostgreSQL does not start: %s",
                     cluster_last_words(p->cluster, p->arena));
            return ERR_UNAVAILABLE;
        }
        if (stop_is_pending())
            return ERR_UNAVAILABLE;
        (void)nanosleep(&pause, NULL);
    }
    return OK;
}

enum err postgres_start(struct postgres **out, const struct cluster *cluster)
{
    struct postgres *p;
    enum err e = cluster_wait_gone(cluster);

    *out = NULL;
    if (e != OK)
        return e;
    p = calloc(1, sizeof(*p));
    if (p == NULL)
        return ERR_INTERNAL;
    p->cluster = cluster;
    p->arena = arena_new();
    p->ping = cluster_conninfo(cluster, p->arena, "postgres");
    (void)pthread_mutex_init(&p->lock, NULL);
    (void)pthread_cond_init(&p->changed, NULL);
    if (pthread_create(&p->supervisor, NULL, supervise, p) != 0) {
        log_ours("private PostgreSQL: no thread to supervise it");
        arena_free(p->arena);
        free(p);
        return ERR_INTERNAL;
    }
    *out = p;
    e = wait_ready(p);
    p->ready = e == OK;
    if (e != OK) {
        postgres_stop(p);
        *out = NULL;
    }
    return e;
}

/* Never SIGKILL: its children would be left with the shared memory. Said again each second, since
 * one that has only just begun may miss it; saying it twice changes nothing. The lock is held.
 */
static void stop_locked(struct postgres *p)
{
    int64_t patience = time_steady_ms() + (p->ready ? STOP_S : STOP_UNREADY_S) * 1000L;

    p->stopping = true;
    pthread_cond_broadcast(&p->changed);
    while (!p->gone) {
        struct timespec until = in_ms(REMIND_MS);

        if (p->pid > 0)
            (void)kill(p->pid, time_steady_ms() < patience ? SIGINT : SIGQUIT);
        (void)pthread_cond_clockwait(&p->changed, &p->lock, CLOCK_MONOTONIC, &until);
    }
}

void postgres_stop(struct postgres *p)
{
    if (p == NULL)
        return;
    pthread_mutex_lock(&p->lock);
    stop_locked(p);
    pthread_mutex_unlock(&p->lock);
    pthread_join(p->supervisor, NULL);
    (void)pthread_cond_destroy(&p->changed);
    (void)pthread_mutex_destroy(&p->lock);
    arena_free(p->arena);
    free(p);
}
