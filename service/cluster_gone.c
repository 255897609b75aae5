/* SPDX-License-Identifier: Apache-2.0 */
#include "service/cluster.h"

#include "core/log.h"
#include "core/text.h"
#include "service/directory.h"

#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    POLL_MS = 20,
    ASK_AFTER_MS = 3000, /* the death signal has asked already */
    PRESS_AFTER_MS = 33000,
    GIVE_UP_MS = 60000,
};

/* All processes of a cluster work in its data directory. */
static bool works_in(const char *pid, const char *directory)
{
    char link[PATH_MAX];
    char target[PATH_MAX];
    ssize_t length;

    (void)snprintf(link, sizeof(link), "/proc/%.20s/cwd", pid);
    length = readlink(link, target, sizeof(target) - 1);
    if (length < 0)
        return false;
    target[length] = '\0';
    return strcmp(target, directory) == 0;
}

struct left {
    const struct cluster *cluster;
    unsigned count;
    pid_t last;
};

static enum err count_process(void *arg, const char *name)
{
    struct left *left = arg;
    uint64_t pid;

    if (uint_parse(name, INT_MAX, &pid) && works_in(name, left->cluster->data)) {
        left->count++;
        left->last = (pid_t)pid;
    }
    return OK;
}

/* The postmaster as its pid file names it, if that process is one of this cluster. */
static pid_t postmaster(const struct cluster *k)
{
    char path[PATH_MAX];
    char line[32] = "";
    uint64_t pid = 0;
    FILE *file;

    (void)snprintf(path, sizeof(path), "%s/postmaster.pid", k->data);
    file = fopen(path, "re");
    if (file == NULL)
        return 0;
    if (fgets(line, sizeof(line), file) == NULL)
        line[0] = '\0';
    (void)fclose(file);
    line[strcspn(line, "\n")] = '\0';
    if (!uint_parse(line, INT_MAX, &pid) || !works_in(line, k->data))
        return 0;
    return (pid_t)pid;
}

static void ask(const struct cluster *k, int signal_number)
{
    pid_t pid = postmaster(k);

    if (pid > 1)
        (void)kill(pid, signal_number);
}

/* A pid file whose process is not ours any more (one that PID 1 has not reaped yet; in a container,
 * often ourselves under the same number) would keep PostgreSQL from starting. Nobody works in the
 * directory, so it is stale. */
static void remove_stale(const struct cluster *k)
{
    char path[PATH_MAX];

    (void)snprintf(path, sizeof(path), "%s/.s.PGSQL.5432.lock", k->socket);
    (void)unlink(path);
    (void)snprintf(path, sizeof(path), "%s/postmaster.pid", k->data);
    if (unlink(path) == 0)
        log_info("private PostgreSQL: removed the pid file of an earlier run");
}

enum err cluster_wait_gone(const struct cluster *k)
{
    const struct timespec pause = {.tv_nsec = POLL_MS * 1000000L};
    int64_t start = time_steady_ms();
    bool asked = false;
    bool pressed = false;

    for (;;) {
        struct left left = {.cluster = k};
        int64_t waited = time_steady_ms() - start;
        enum err e = directory_visit("/proc", count_process, &left);

        if (e != OK)
            return e;
        if (left.count == 0) {
            remove_stale(k);
            return OK;
        }

        if (waited > GIVE_UP_MS) {
            log_ours("private PostgreSQL: %u processes of an earlier run still work in %s (pid %d)",
                     left.count, k->data, left.last);
            return ERR_UNAVAILABLE;
        }
        if (waited > ASK_AFTER_MS && !asked) {
            asked = true;
            ask(k, SIGINT);
        }
        if (waited > PRESS_AFTER_MS && !pressed) {
            pressed = true;
            ask(k, SIGQUIT);
        }
        (void)nanosleep(&pause, NULL);
    }
}
