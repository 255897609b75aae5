/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COMPUTE_SPAWN_H
#define COMPUTE_SPAWN_H

#include "core/err.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* How to start one chancery-engine. Descriptors stay the caller's. */
struct engine_command {
    const char *program; /* path of chancery-engine */
    const char *mode;    /* "profile", "train", "predict", "serve" */
    int input;           /* open files, or -1 for none */
    int output;
    int model;
    uint64_t memory_bytes;    /* RLIMIT_AS; at least 512 MiB is needed to start. 0: no limit */
    uint64_t cpu_seconds;     /* RLIMIT_CPU; 0: no limit */
    uint64_t file_size_bytes; /* RLIMIT_FSIZE, of the output; 0: nothing may be written */
    int nice;                 /* 0 to 19 */
    uid_t uid;                /* who to become when the caller is root; 0 to stay */
    gid_t gid;
};

/* A running engine. Its parent is the *thread* that spawned it: when that thread ends, the kernel
 * kills the engine, so spawn from a thread that lives as long as the service. */
struct engine {
    pid_t pid;
    int pidfd;   /* readable once it has ended */
    int control; /* our end of the frames (compute/frame.h) */
};

struct engine_exit {
    bool by_signal;
    int code; /* exit status, or the signal */
};

/* Starts it in its sandbox: only the descriptors above and stderr, no environment but OpenBLAS's,
 * no new privileges, killed with its parent, no network where that can be arranged, the given
 * limits. The engine closes the rest itself (seccomp) before it reads a byte. ERR_ENGINE when it
 * cannot be started. Safe in a program of many threads. */
MUST_CHECK enum err engine_spawn(struct engine *e, const struct engine_command *c);

/* Waits for its end, at most timeout_ms (negative: for ever), and collects it; both descriptors are
 * closed then. ERR_TIMEOUT when it still runs. */
MUST_CHECK enum err engine_wait(struct engine *e, int64_t timeout_ms, struct engine_exit *how);
/* SIGKILL, then collects it and closes both descriptors. Harmless on one that has been collected.
 */
void engine_kill(struct engine *e);
/* SIGTERM: the engine dies at once; engine_wait tells when. */
void engine_cancel(const struct engine *e);

/* A short reason for people: "ended normally", "used up its CPU time", … */
const char *engine_exit_text(const struct engine_exit *how);

#endif
