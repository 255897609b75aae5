/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVICE_TOOL_H
#define SERVICE_TOOL_H

#include "core/arena.h"
#include "core/config.h"
#include "core/err.h"

/* A program of PostgreSQL's: in the setting postgres_bin, or of the newest version that is
 * installed in Debian's place. An arena text; NULL when there is none. */
const char *tool_find(struct arena *a, const struct config *c, const char *name);

/* Run a program as we are and wait; password, if any, goes into its environment as PGPASSWORD. The
 * exit status, or -1. What it has to say goes to our standard error. */
int tool_run(const char *const *arguments, const char *password);

#endif
