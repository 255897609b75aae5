/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LINEAGE_GUARD_H
#define LINEAGE_GUARD_H

#include "core/arena.h"
#include "core/err.h"

#include <stddef.h>

/* The last checkpoint this process signed for each tenant, in files outside the database: a
 * database that was set back (a restore, a failover that lost commits) shows against them, and its
 * log is not signed into a second history. One file a tenant: DIR/<tenant id>.head, the signed note
 * itself. */

/* Makes the directory (0700). */
MUST_CHECK enum err guard_open(const char *dir);
/* The note, in the arena. ERR_NOT_FOUND when this tenant has none, ERR_INTERNAL (logged) when it
 * cannot be read. */
MUST_CHECK enum err guard_read(struct arena *a, const char *dir, const char *tenant,
                               const char **note);
/* In place and on the disk, directory entry included, when it returns. ERR_STORAGE (logged). */
MUST_CHECK enum err guard_write(struct arena *a, const char *dir, const char *tenant,
                                const char *note);
/* Put the file aside, under a name with the time: its log goes on under another origin. */
MUST_CHECK enum err guard_retire(struct arena *a, const char *dir, const char *tenant);
/* Calls visit for every tenant that has a file; stops at the first that is not OK. */
MUST_CHECK enum err guard_each(const char *dir,
                               enum err (*visit)(void *context, const char *tenant), void *context);

#endif
