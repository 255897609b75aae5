/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVICE_HOME_H
#define SERVICE_HOME_H

#include "core/arena.h"
#include "core/config.h"
#include "core/crypto.h"
#include "core/err.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* The directory that holds all state of an installation. It belongs to the user the service runs
 * as. Run as root it is 0711, so that the users postgres and the engines run as reach what is
 * theirs inside; else 0700. Every secret in it is 0600, every directory 0700, so passing through is
 * all that others can do.
 *
 *   lock            flock'd by the process that serves; holds its pid
 *   secret.key      32 random bytes under which stored secrets are sealed, 0600
 *   runtime.json    {"url","ca","pid","bootstrap_code_file"} while serving
 *   bootstrap.code  the one-time code, while there is no tenant
 *   tls/            the local CA and its certificate
 *   postgres/       the private cluster, owned by the user it runs as
 *   postgres.log    what its last start said
 *   blobs/          contents, by digest
 *   spool/          request bodies on their way
 *   restoring       present while a restore is incomplete: nothing starts */
struct home {
    const char *path; /* absolute */
    int lock;         /* -1 when another process serves from this directory */
    uint8_t key[SEAL_KEY];
};

/* Makes the directory when it is missing (not its parents), checks owner and mode, takes the lock.
 * Errors are logged. ERR_CONFLICT is not an error here: home->lock is -1 when it is taken.
 * Texts are in the arena. */
MUST_CHECK enum err home_open(struct home *home, struct arena *a, const struct config *c);
void home_close(struct home *home);

/* The process that holds the lock, as the lock file says; 0 when it does not say. */
int64_t home_holder(const struct home *home);

/* Reads the key; makes it when it is missing and make is true. Refuses a key that others can read,
 * a link, and any other size. Logs why. */
MUST_CHECK enum err home_key(struct home *home, const struct config *c, bool make);

/* A file or directory inside the home, as an arena text. */
const char *home_file(const struct home *home, struct arena *a, const char *name);
bool home_has(const struct home *home, const char *name);

/* Whole or not at all: written beside, synced, renamed over. Logs why on ERR_STORAGE. */
MUST_CHECK enum err file_replace(const char *path, const void *data, size_t length, mode_t mode);

#endif
