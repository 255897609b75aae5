/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LINEAGE_PROOF_H
#define LINEAGE_PROOF_H

#include "lineage/merkle.h"
#include "lineage/note.h"

/* C2SP tlog-proof ("c2sp.org/tlog-proof@v1"): one text that proves offline, to whoever has the
 * log's key, that an entry is in the log. */

enum { LOG_PROOF_MAX = NOTE_MAX + 4096, LOG_PROOF_EXTRA_MAX = 65536 };

struct log_proof {
    const char *extra; /* base64, or NULL; nothing vouches for it. Borrowed, not terminated */
    size_t extra_length;
    uint64_t index;
    struct merkle_proof path;
    const char *checkpoint; /* the signed note, borrowed, not terminated */
    size_t checkpoint_length;
};

/* extra must be base64 already when given. */
void log_proof_write(struct text *out, const struct log_proof *p);
MUST_CHECK enum err log_proof_parse(const char *text, size_t length, struct log_proof *out);

enum log_proof_state {
    LOG_PROOF_GOOD,
    LOG_PROOF_CHECKPOINT, /* the checkpoint is not one signed by a key for its origin */
    LOG_PROOF_PATH,       /* the entry is not at that index in that tree */
};
/* Everything between a leaf hash and the keys. out gets the checkpoint when LOG_PROOF_GOOD. */
MUST_CHECK enum log_proof_state log_proof_verify(const struct log_proof *p,
                                                 const struct digest *leaf,
                                                 const struct note_key *keys, size_t key_count,
                                                 struct checkpoint *out);

#endif
