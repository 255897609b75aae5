/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REGISTRY_COLLECT_H
#define REGISTRY_COLLECT_H

#include "core/db.h"
#include "core/service.h"

enum { COLLECT_GRACE_SECONDS = 3600 };

/* Garbage collection of the store: contents that no version names, uploads that were given up,
 * files that a crash left. Opens the store too, so it starts before the first request. */
MUST_CHECK enum err collect_start(const struct service *service);
void collect_stop(void);

struct collected {
    int64_t rows;    /* contents forgotten */
    int64_t files;   /* of contents, removed */
    int64_t uploads; /* given up or left over */
};

/* One pass over all tenants, on a connection that is open and idle: what is unreferenced and was
 * not touched for grace_seconds goes. Safe at any time beside uploads, even with 0. files: look for
 * files without a row too, which reads every directory of the store. */
MUST_CHECK enum err collect_pass(struct db *db, int64_t grace_seconds, bool files,
                                 struct collected *out);

#endif
