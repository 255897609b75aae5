/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVICE_PROCESS_H
#define SERVICE_PROCESS_H

#include "core/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum { PROCESS_GROUPS_MAX = 64 };

/* An operating system user with all its groups. */
struct user {
    char name[64];
    uid_t uid;
    gid_t gid;
    gid_t groups[PROCESS_GROUPS_MAX];
    int groups_count;
};

/* ERR_NOT_FOUND when the password file has no such user. */
MUST_CHECK enum err user_by_name(const char *name, struct user *out);
MUST_CHECK enum err user_by_id(uid_t uid, struct user *out);

/* A program to run. Everything is borrowed until it has started. */
struct process {
    const char *const *arguments;   /* NULL-terminated; the first is the program's path */
    const char *const *environment; /* NULL-terminated */
    const struct user *user;        /* NULL: as we are */
    int input;                      /* its standard input; -1: /dev/null */
    int output;                     /* its standard output and error; -1: our standard error */
    int death_signal; /* what it gets when the thread that started it ends; 0: nothing */
};

/* The child's id, or -1 with errno. The child has no signal blocked, its own process group, and no
 * file of ours but the three. */
pid_t process_start(const struct process *p);

/* Start and wait. The exit status, or -1 for a death by signal or a start that failed. */
int process_run(const struct process *p);

#endif
