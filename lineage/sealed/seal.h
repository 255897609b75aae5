/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SEALED_SEAL_H
#define SEALED_SEAL_H

#include "core/db.h"
#include "lineage/log.h"

/* A signed note with the present key of db->tenant's log. Whoever has the log's verifier key can
 * check it. The text's second line must be one that no checkpoint has, which would be a number.
 * ERR_UNAVAILABLE before the tenant has a log. */
MUST_CHECK enum err seal_note(struct db *db, const struct log *l, const struct text *statement,
                              struct text *note);

#endif
