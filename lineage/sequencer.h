/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LINEAGE_SEQUENCER_H
#define LINEAGE_SEQUENCER_H

#include "core/service.h"

/* The thread that gives committed audit entries their places in their tenants' trees and signs
 * checkpoints. Any number of replicas may run one: a log's row lock lets one at a time at it.
 *
 * A log that would fork (a database set back behind what was signed, tiles that were changed) is
 * not signed, and audit_available() says so, until a look every few seconds finds that it fits
 * again what was signed: the right database was restored, or the log was begun anew. */

/* Compares every guard file in home/audit with the database before it returns. ERR_DB_LOST or
 * ERR_STORAGE when that cannot be done; a log that does not fit is no error here. */
MUST_CHECK enum err sequencer_start(const struct service *service);
void sequencer_stop(void);
/* There may be work: an entry was committed. Cheap; any thread. */
void sequencer_wake(void);

/* Where logs are kept and sealed; the same from start to stop. */
struct sequencer_place;
const struct sequencer_place *sequencer_place(void);

/* Why a tenant's log does not go on, and since when (milliseconds since 1970). false: it does. */
struct refusal {
    char why[128];
    int64_t since_ms;
};
bool sequencer_refuses(const char *tenant, struct refusal *out);

struct sequencer_status {
    int64_t entries;     /* placed since the start */
    int64_t checkpoints; /* published */
    int64_t broken;      /* logs that must not go on */
    int64_t idle_ms;     /* since the last round without an error */
};
struct sequencer_status sequencer_status(void);

#endif
