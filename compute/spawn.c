/* SPDX-License-Identifier: Apache-2.0 */
#include "compute/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { FD_CONTROL = 3, FD_INPUT, FD_OUTPUT, FD_MODEL, FD_FREE, SAFE_FD = 16, MAX_FILES = 32 };

/* All that the child needs, made before the fork: after it, in a process of many threads, only
 * async-signal-safe calls are allowed, and those neither allocate nor lock. */
struct launch {
    const struct engine_command *c;
    pid_t parent;
    int program;
    int null;
    int control;
    char *argv[3];
    char *envp[3];
};

/* Debian's OpenBLAS does not know processors newer than itself and falls back to half their speed.
 */
static char *core_type(void)
{
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl"))
        return "OPENBLAS_CORETYPE=SkylakeX";
#endif
    return NULL;
}

static bool limit(int resource, uint64_t soft, uint64_t hard)
{
    struct rlimit r = {soft, hard};

    return setrlimit((__rlimit_resource_t)resource, &r) == 0;
}

static uint64_t file_limit(const struct engine_command *c)
{
#if defined(__SANITIZE_THREAD__)
    /* the detector writes half a megabyte before main */
    return c->file_size_bytes < 1 << 20 ? 1 << 20 : c->file_size_bytes;
#else
    return c->file_size_bytes;
#endif
}

static bool set_limits(const struct engine_command *c)
{
    uint64_t file = file_limit(c);

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    /* sanitizers reserve terabytes of addresses for their shadow */
    if (c->memory_bytes > 0 && !limit(RLIMIT_AS, c->memory_bytes, c->memory_bytes))
        return false;
#endif
    if (c->cpu_seconds > 0 && !limit(RLIMIT_CPU, c->cpu_seconds, c->cpu_seconds + 1))
        return false;
    return limit(RLIMIT_FSIZE, file, file) && limit(RLIMIT_NOFILE, MAX_FILES, MAX_FILES) &&
           limit(RLIMIT_CORE, 0, 0);
}

/* Puts a descriptor at its place, or leaves the place empty. */
static bool place(int fd, int at)
{
    if (fd >= 0)
        return dup2(fd, at) == at;
    (void)close(at);
    return true;
}

static int lifted(int fd)
{
    return fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, SAFE_FD);
}

/* What is said there would stand in the service's log. Only a sanitizer's report may. */
static bool silence(int null)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    (void)null;
    return true;
#else
    return dup2(null, STDERR_FILENO) == STDERR_FILENO;
#endif
}

/* First all out of the way of the places, then into them; whatever else is open closes at exec. */
static bool set_descriptors(struct launch *l)
{
    int control = lifted(l->control), input = lifted(l->c->input);
    int output = lifted(l->c->output), model = lifted(l->c->model);

    l->program = lifted(l->program);
    return l->program >= 0 && control >= 0 && dup2(l->null, 0) == 0 && dup2(l->null, 1) == 1 &&
           silence(l->null) && place(control, FD_CONTROL) && place(input, FD_INPUT) &&
           place(output, FD_OUTPUT) && place(model, FD_MODEL) &&
           close_range(FD_FREE, ~0U, CLOSE_RANGE_CLOEXEC) == 0;
}

static bool drop_privileges(const struct engine_command *c)
{
    if (geteuid() != 0 || c->uid == 0)
        return true;
    return setgroups(0, NULL) == 0 && setresgid(c->gid, c->gid, c->gid) == 0 &&
           setresuid(c->uid, c->uid, c->uid) == 0;
}

/* A thread's death kills the engine; if the parent is gone already, no signal will come. Set last,
 * as a change of user clears it. */
static bool tie_to_parent(const struct launch *l)
{
    return prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) == 0 && getppid() == l->parent;
}

static void unblock_signals(void)
{
    sigset_t none;

    (void)sigemptyset(&none);
    (void)pthread_sigmask(SIG_SETMASK, &none, NULL);
    (void)signal(SIGPIPE, SIG_DFL);
    (void)signal(SIGTERM, SIG_DFL);
    (void)signal(SIGINT, SIG_IGN); /* a terminal's interrupt is for the service to handle */
}

static _Noreturn void become_engine(struct launch *l)
{
    /* not permitted to everybody: the filter refuses sockets and shared memory in any case */
    (void)unshare(CLONE_NEWNET | CLONE_NEWIPC);
    unblock_signals();
    if (l->c->nice > 0)
        (void)setpriority(PRIO_PROCESS, 0, l->c->nice);
    if (set_descriptors(l) && set_limits(l->c) && drop_privileges(l->c) && tie_to_parent(l) &&
        prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0)
        (void)syscall(SYS_execveat, l->program, "", l->argv, l->envp, AT_EMPTY_PATH);
    _exit(127);
}

static enum err open_launch(struct launch *l, struct engine *e)
{
    int ends[2];

    /* opened here, so that the engine's user needs no way to its folder */
    l->program = open(l->c->program, O_RDONLY | O_CLOEXEC);
    l->null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (l->program < 0 || l->null < 0)
        return ERR_ENGINE;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
        return ERR_ENGINE;
    e->control = ends[0];
    l->control = ends[1];
    return OK;
}

static void close_one(int *fd)
{
    if (*fd >= 0)
        (void)close(*fd);
    *fd = -1;
}

static enum err launch(struct launch *l, struct engine *e)
{
    enum err result = open_launch(l, e);

    if (result != OK)
        return result;
    e->pid = fork();
    if (e->pid == 0)
        become_engine(l);
    if (e->pid < 0)
        return ERR_ENGINE;
    e->pidfd = pidfd_open(e->pid, 0);
    if (e->pidfd >= 0)
        return OK;
    (void)kill(e->pid, SIGKILL);
    (void)waitpid(e->pid, NULL, 0);
    return ERR_ENGINE;
}

enum err engine_spawn(struct engine *e, const struct engine_command *c)
{
    char *core = core_type();
    struct launch l = {.c = c,
                       .parent = getpid(),
                       .program = -1,
                       .null = -1,
                       .control = -1,
                       .argv = {"chancery-engine", (char *)c->mode, NULL},
                       .envp = {"OPENBLAS_NUM_THREADS=1", core, NULL}};
    enum err result;

    *e = (struct engine){.pid = -1, .pidfd = -1, .control = -1};
    result = launch(&l, e);
    close_one(&l.program);
    close_one(&l.null);
    close_one(&l.control);
    if (result != OK) {
        close_one(&e->control);
        e->pid = -1;
    }
    return result;
}

static int64_t now_ms(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Whether it has ended, waiting at most timeout_ms for that. */
static bool ended(const struct engine *e, int64_t timeout_ms)
{
    int64_t until = timeout_ms < 0 ? INT64_MAX : now_ms() + timeout_ms;
    struct pollfd p = {.fd = e->pidfd, .events = POLLIN};

    for (;;) {
        int64_t left = timeout_ms < 0 ? -1 : until - now_ms();
        int ready = poll(&p, 1, left > INT_MAX ? INT_MAX : (int)(left < -1 ? 0 : left));

        if (ready > 0 || (ready < 0 && errno != EINTR))
            return ready > 0;
        if (ready == 0)
            return false;
    }
}

enum err engine_wait(struct engine *e, int64_t timeout_ms, struct engine_exit *how)
{
    int status = 0;

    if (e->pid < 0)
        return ERR_ENGINE;
    if (!ended(e, timeout_ms))
        return ERR_TIMEOUT;
    while (waitpid(e->pid, &status, 0) < 0)
        if (errno != EINTR)
            return ERR_ENGINE;
    how->by_signal = WIFSIGNALED(status);
    how->code = how->by_signal ? WTERMSIG(status) : WEXITSTATUS(status);
    e->pid = -1;
    close_one(&e->pidfd);
    close_one(&e->control);
    return OK;
}

void engine_kill(struct engine *e)
{
    struct engine_exit ignored;

    if (e->pid < 0)
        return;
    (void)pidfd_send_signal(e->pidfd, SIGKILL, NULL, 0);
    if (engine_wait(e, -1, &ignored) != OK)
        e->pid = -1;
}

void engine_cancel(const struct engine *e)
{
    if (e->pid >= 0)
        (void)pidfd_send_signal(e->pidfd, SIGTERM, NULL, 0);
}

const char *engine_exit_text(const struct engine_exit *how)
{
    if (!how->by_signal)
        return how->code == 0     ? "ended normally"
               : how->code == 127 ? "could not be started in its sandbox"
                                  : "ended without an answer";
    if (how->code == SIGXCPU)
        return "used up its CPU time";
    if (how->code == SIGTERM)
        return "was cancelled";
    return how->code == SIGKILL ? "was killed" : "crashed";
}
