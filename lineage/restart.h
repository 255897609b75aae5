/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LINEAGE_RESTART_H
#define LINEAGE_RESTART_H

#include "lineage/sequencer_step.h"

/* For a log that must not go on (the database was set back behind what was signed, tiles were
 * changed): a new origin with a new key. Its leaf 0 is an entry whose statement is the last
 * checkpoint of the old origin; then come the entries that are left, in their old order, so that
 * whoever has an old checkpoint can tell what of it is still there. Nothing is hidden by it: the
 * old origin's last checkpoint stays signed, and does not continue.
 *
 * Only for the console: a permit that the database's administrator has put down is spent. */

struct restart {
    const struct sequencer_place *place;
    struct db *db; /* with its arena set */
    const char *tenant;
    const char *origin; /* out: the new one */
    const char *last;   /* out: the old origin's last checkpoint */
    size_t entries;     /* out: placed anew */
    const char *why;    /* out, of a refusal */
};

/* ERR_NOT_FOUND when nothing was signed yet; ERR_CONFLICT without a permit, or when the log is in
 * order. Where the guard file is of a former origin (the last restart was interrupted, or done on
 * another machine), it is only put away. */
MUST_CHECK enum err log_restart(struct restart *r);

#endif
