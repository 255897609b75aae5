/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LINEAGE_VERIFY_H
#define LINEAGE_VERIFY_H

#include "lineage/note.h"
#include "lineage/tile.h"

/* Check a whole log without its service: signature, every tile, every entry. Works down from the
 * signed root, so that each file is measured against what is already proven, and a fault is named
 * where it is and not where it shows. Memory is bounded by one bundle and one tile a level. */

enum log_trouble {
    LOG_CHECKPOINT, /* missing, malformed, not signed by a known key for its origin */
    LOG_ROOT,       /* the tree has another root than the signed one */
    LOG_MISSING,    /* no such file */
    LOG_UNREADABLE, /* there is one, but it cannot be read */
    LOG_LENGTH,     /* of another length or framing than it must have */
    LOG_TILE,       /* a tile's hash is not that of what lies below */
    LOG_ENTRY,      /* an entry is not the one that was logged */
};
const char *log_trouble_text(enum log_trouble t);

#define LOG_NO_LEAF UINT64_MAX

struct log_problem {
    enum log_trouble trouble;
    const char *file;   /* relative to the log: "tile/0/x001/234" */
    uint64_t leaf;      /* the leaf meant, or the first one below the hash meant; LOG_NO_LEAF */
    const char *detail; /* what was expected and what was found */
};

/* Either function may be NULL. Arguments are borrowed for the call. entry is called, in order, for
 * each entry that is proven to be in the signed tree. */
struct log_watcher {
    void (*problem)(void *context, const struct log_problem *p);
    void (*entry)(void *context, uint64_t index, const uint8_t *entry, size_t length);
    void *context;
};

struct log_summary {
    struct checkpoint checkpoint; /* zero when it did not open */
    uint64_t entries;             /* proven */
    uint64_t problems;
};

/* true when there was no problem and every entry was proven. */
bool log_verify(const struct tile_source *from, const struct checkpoint *c,
                const struct log_watcher *watcher, struct log_summary *out);
/* The same for a directory with the files "checkpoint" and "tile/…" as C2SP tlog-tiles names them.
 */
bool log_verify_directory(const char *directory, const struct note_key *keys, size_t key_count,
                          const struct log_watcher *watcher, struct log_summary *out);

#endif
