/* SPDX-License-Identifier: Apache-2.0 */
#include "service/process.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PASSWD_SIZE = 16384, CANNOT_RUN = 127 };

static enum err take(const struct passwd *entry, struct user *out)
{
    int count = PROCESS_GROUPS_MAX;

    if (entry == NULL || strlen(entry->pw_name) >= sizeof(out->name))
        return ERR_NOT_FOUND;
    (void)snprintf(out->name, sizeof(out->name), "%s", entry->pw_name);
    out->uid = entry->pw_uid;
    out->gid = entry->pw_gid;
    /* More groups than we hold: the primary one is all that PostgreSQL needs. */
    if (getgrouplist(out->name, out->gid, out->groups, &count) < 0) {
        out->groups[0] = out->gid;
        count = 1;
    }
    out->groups_count = count;
    return OK;
}

enum err user_by_name(const char *name, struct user *out)
{
    char buffer[PASSWD_SIZE];
    struct passwd entry;
    struct passwd *found = NULL;

    (void)getpwnam_r(name, &entry, buffer, sizeof(buffer), &found);
    return take(found, out);
}

enum err user_by_id(uid_t uid, struct user *out)
{
    char buffer[PASSWD_SIZE];
    struct passwd entry;
    struct passwd *found = NULL;

    (void)getpwuid_r(uid, &entry, buffer, sizeof(buffer), &found);
    return take(found, out);
}

static bool become(const struct user *user)
{
    if (user == NULL || user->uid == geteuid())
        return true;
    return setgroups((size_t)user->groups_count, user->groups) == 0 && setgid(user->gid) == 0 &&
           setuid(user->uid) == 0;
}

static void child(const struct process *p, pid_t parent) __attribute__((noreturn));

/* Between fork and exec of a program with threads, only async-signal-safe calls are allowed. */
static void child(const struct process *p, pid_t parent)
{
    int input = p->input >= 0 ? p->input : open("/dev/null", O_RDONLY | O_CLOEXEC);
    int output = p->output >= 0 ? p->output : STDERR_FILENO;
    sigset_t none;

    (void)setpgid(0, 0);
    if (input < 0 || dup2(output, STDERR_FILENO) < 0 || dup2(output, STDOUT_FILENO) < 0 ||
        dup2(input, STDIN_FILENO) < 0 || close_range(3, ~0U, CLOSE_RANGE_CLOEXEC) != 0)
        _exit(CANNOT_RUN);
    if (!become(p->user))
        _exit(CANNOT_RUN);
    /* A change of user clears the death signal, so it comes after; and the parent may be dead by
     * now. */
    if (p->death_signal != 0 &&
        (prctl(PR_SET_PDEATHSIG, p->death_signal) != 0 || getppid() != parent))
        _exit(CANNOT_RUN);
    (void)sigemptyset(&none);
    (void)signal(SIGPIPE, SIG_DFL);
    (void)pthread_sigmask(SIG_SETMASK, &none, NULL);
    (void)execve(p->arguments[0], (char *const *)p->arguments, (char *const *)p->environment);
    _exit(CANNOT_RUN);
}

pid_t process_start(const struct process *p)
{
    pid_t parent = getpid();
    pid_t pid = fork();

    if (pid == 0)
        child(p, parent);
    return pid;
}

int process_run(const struct process *p)
{
    pid_t pid = process_start(p);
    int status = 0;

    if (pid < 0)
        return -1;
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}
