/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LINEAGE_AUDIT_CHECK_H
#define LINEAGE_AUDIT_CHECK_H

#include "core/db.h"

#include <stdint.h>

/* Self-check of db->tenant's log, in one TX_READ: everything is computed anew from the entries and
 * measured against the signed checkpoint, so an edit in the database shows wherever it was made. */

enum { AUDIT_PROBLEMS_MAX = 100 };

struct audit_problem {
    int64_t index;    /* of the entry, or the first one meant; -1 for the log as a whole */
    const char *id;   /* of the entry; NULL where none is meant or it is gone */
    const char *what; /* "tree: …" of tiles, places and root; "missing"; "erased, …", when nothing
                       * in the log says so (privacy/leave.h); else as audit_fault says */
};

struct audit_report {
    int64_t size;    /* of the signed tree */
    int64_t checked; /* entries that were read and compared */
    int64_t faults;  /* all of them; problems holds the first AUDIT_PROBLEMS_MAX */
    struct audit_problem problems[AUDIT_PROBLEMS_MAX];
    bool complete; /* false when time was up before all entries were read */
};

/* ERR_NOT_FOUND before the first checkpoint. ms bounds the reading of entries. */
MUST_CHECK enum err audit_check(struct db *db, int64_t ms, struct audit_report *out);

#endif
