/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PRIVACY_LEAVE_H
#define PRIVACY_LEAVE_H

#include "lineage/audit_store.h"

/* Whether what is silent was silenced as it may be. Erasures say in their leaves which entries they
 * silenced and whose keys they destroyed; retention takes what is older than RETENTION_FLOOR_DAYS.
 * Who edits the database can empty a row, but not put that into the tree. */

enum { RETENTION_FLOOR_DAYS = 180 };

struct leave {
    const char **said; /* ids of entries and principals, sorted */
    size_t count;
};

/* What all erasures of db->tenant say. */
MUST_CHECK enum err leave_read(struct db *db, struct leave *out);
/* row: opened by payload_open. */
bool leave_covers(const struct leave *l, const struct audit_row *row);

#endif
