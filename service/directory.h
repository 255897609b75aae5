/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVICE_DIRECTORY_H
#define SERVICE_DIRECTORY_H

#include "core/err.h"

/* 0700, unless it is there already. Logs why not. */
MUST_CHECK enum err directory_make(const char *path);
/* Make a directory for what does not outlive a run, and remove the files an earlier one left. */
MUST_CHECK enum err directory_fresh(const char *path);

/* Call visit with the name of every entry but "." and "..", until it returns an error, which is
 * then the result. ERR_STORAGE, logged, when the directory cannot be read. */
MUST_CHECK enum err directory_visit(const char *path,
                                    enum err (*visit)(void *arg, const char *name), void *arg);

/* A directory and everything in it, or nothing if it is not there. Logs why not. */
MUST_CHECK enum err directory_remove(const char *path);

#endif
