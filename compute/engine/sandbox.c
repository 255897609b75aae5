/* SPDX-License-Identifier: Apache-2.0 */
#include "compute/engine/sandbox.h"

#include "core/crypto.h"

#include <cblas.h>
#include <errno.h>
#include <fcntl.h>
#include <lapacke.h>
#include <seccomp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static const size_t WARM = 64;

void sandbox_warm(void)
{
    double *a = calloc(3 * WARM * WARM, sizeof(*a)), *b, *c;
    json_t *seeded = json_object();
    int n = (int)WARM;

    json_decref(seeded);
    (void)sha256_of("", 0);
    if (a == NULL)
        return;
    b = a + WARM * WARM;
    c = b + WARM * WARM;
    for (size_t i = 0; i < WARM; i++)
        a[i * WARM + i] = 2;
    cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, n, n, n, 1, a, n, a, n, 0, c, n);
    cblas_dgemv(CblasRowMajor, CblasTrans, n, n, 1, a, n, a, 1, 0, b, 1);
    (void)LAPACKE_dpotrf(LAPACK_COL_MAJOR, 'L', n, c, n);
    free(a);
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)

bool sandbox_close(void)
{
    /* leak and race detectors open /proc, start threads and write reports where they please */
    return true;
}

#else

static bool allow_calls(scmp_filter_ctx filter)
{
    static const int calls[] = {
        SCMP_SYS(read),        SCMP_SYS(pread64),       SCMP_SYS(write),
        SCMP_SYS(writev),      SCMP_SYS(recvfrom),      SCMP_SYS(recvmsg),
        SCMP_SYS(sendmsg),     SCMP_SYS(sendto),        SCMP_SYS(poll),
        SCMP_SYS(ppoll),       SCMP_SYS(futex),         SCMP_SYS(munmap),
        SCMP_SYS(mremap),      SCMP_SYS(madvise),       SCMP_SYS(brk),
        SCMP_SYS(close),       SCMP_SYS(clock_gettime), SCMP_SYS(clock_nanosleep),
        SCMP_SYS(sched_yield), SCMP_SYS(rt_sigreturn),  SCMP_SYS(rt_sigprocmask),
        SCMP_SYS(getrandom),   SCMP_SYS(getpid),        SCMP_SYS(gettid),
        SCMP_SYS(exit),        SCMP_SYS(exit_group),    SCMP_SYS(restart_syscall)};

    for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
        if (seccomp_rule_add(filter, SCMP_ACT_ALLOW, calls[i], 0) != 0)
            return false;
    return true;
}

/* Memory may be taken, but none that can be run. */
static bool allow_memory(scmp_filter_ctx filter)
{
    struct scmp_arg_cmp not_exec = SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0);

    return seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1, not_exec) == 0 &&
           seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1, not_exec) == 0;
}

bool sandbox_close(void)
{
    scmp_filter_ctx filter;
    bool closed;

    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
        return false;
    filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
    if (filter == NULL)
        return false;
    closed = allow_calls(filter) && allow_memory(filter) && seccomp_load(filter) == 0;
    seccomp_release(filter);
    return closed;
}

#endif

/* What a call that must fail came to. */
static void note(json_t *report, const char *call, long result)
{
    const char *words = "allowed";

    if (result < 0)
        words = errno == EPERM ? "EPERM" : "other error";
    (void)json_object_set_new(report, call, json_string(words));
}

static long try_fork(void)
{
    pid_t child = fork();

    if (child == 0)
        _exit(0);
    if (child > 0)
        (void)waitpid(child, NULL, 0);
    return child;
}

static long try_exec(void)
{
    char *const none[] = {NULL};

    return execve("/bin/true", none, none);
}

static long try_run_memory(void)
{
    void *page =
        mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    return page == MAP_FAILED ? -1 : 0;
}

json_t *sandbox_probe(void)
{
    json_t *report = json_object();

    note(report, "open", open("/etc/passwd", O_RDONLY | O_CLOEXEC));
    note(report, "socket", socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    note(report, "fork", try_fork());
    note(report, "unlink", unlink("/nowhere/to/be/found"));
    note(report, "kill", kill(1, 0));
    note(report, "ptrace", ptrace(PTRACE_TRACEME, 0, NULL, NULL));
    note(report, "mmap_exec", try_run_memory());
    note(report, "execve", try_exec());
    return report;
}
