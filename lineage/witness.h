/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LINEAGE_WITNESS_H
#define LINEAGE_WITNESS_H

#include "core/db.h"
#include "lineage/log.h"

/* Witnesses (C2SP tlog-witness, tlog-cosignature): services elsewhere that sign that they saw a
 * checkpoint, and that never saw one it does not continue. Rows of db->tenant. */

struct witness {
    const char *name;
    const char *vkey; /* of type 0x04 */
    const char *url;  /* submission prefix */
    int64_t size;     /* of what it cosigned last */
    const char *problem;
    const char *tried_at;
};
extern const struct field witness_view_fields[];

MUST_CHECK enum err witness_list(struct db *db, struct rows *out);
/* Signature lines, each ended, of witnesses under the log's checkpoint; "" for none. */
MUST_CHECK enum err witness_lines(struct db *db, const struct log *l, const char **out);

#endif
