/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVICE_POSTGRES_H
#define SERVICE_POSTGRES_H

#include "core/err.h"
#include "service/cluster.h"

/* The running private PostgreSQL: a direct child, started again when it dies, with SIGINT (fast
 * shutdown) when this process dies however. */
struct postgres;

/* Start and wait until it takes connections, recovery included. The cluster is borrowed until
 * postgres_stop. ERR_UNAVAILABLE, logged, when it does not start or a stop signal is pending. */
MUST_CHECK enum err postgres_start(struct postgres **out, const struct cluster *cluster);

/* Fast shutdown; after 30 s an immediate one, from which the next start recovers. NULL is fine. */
void postgres_stop(struct postgres *p);

#endif
