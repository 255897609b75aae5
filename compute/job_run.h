/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COMPUTE_JOB_RUN_H
#define COMPUTE_JOB_RUN_H

#include "core/db.h"
#include "core/service.h"

/* One claimed job, from its lease to its end. */
struct claim {
    char tenant_id[37];
    char id[37];
};

/* Run it to success, failure, cancellation, or back into the queue. */
void job_run(struct db *db, const struct service *service, const struct claim *claim);

/* Close a job that no worker will finish (out of attempts, cancelled, no longer approved). */
void job_close(struct db *db, const struct claim *claim);

enum { JOB_LEASE_SECONDS = 15 };

#endif
