/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LINEAGE_SEQUENCER_STEP_H
#define LINEAGE_SEQUENCER_STEP_H

#include "lineage/log_key.h"

/* What the sequencer does to one tenant's log, each in a transaction of its own. */

enum { SEQUENCER_BATCH = 4096 };

struct sequencer_place {
    const char *dir;    /* of the guard files */
    const char *host;   /* first part of the origin of new logs */
    const uint8_t *key; /* SEAL_KEY bytes, under which the logs' keys are sealed */
    int64_t idle_s;     /* a head that was signed so long ago is signed again; 0: an hour */
};

struct step {
    const struct sequencer_place *place;
    struct db *db; /* with its arena set */
    const char *tenant;
    size_t placed;      /* entries that were given their index */
    bool more;          /* the batch was full */
    bool published;     /* a checkpoint */
    const char *broken; /* with ERR_CONTENT: why the log must not go on; in the arena or constant */
};

/* Give waiting entries their places: leaves, tiles and head. Makes the log at its first entry. */
MUST_CHECK enum err step_grow(struct step *s);
/* Sign the head if it is not signed or the last checkpoint is old. The tree must extend
 * what was signed before, here and by others; the guard file is written before the checkpoint can
 * be seen. ERR_CONTENT otherwise. */
MUST_CHECK enum err step_sign(struct step *s);
/* Place these next; they must be pending. In the caller's transaction, which holds the head. */
MUST_CHECK enum err step_extend(struct step *s, const struct log *l, const struct log_waiting *w);
/* Only the comparison with what was signed, and whether the tiles make the root. */
MUST_CHECK enum err step_check(struct step *s);

#endif
