/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PRIVACY_SEARCH_H
#define PRIVACY_SEARCH_H

#include "core/request.h"
#include "lineage/audit_store.h"

/* Looks for f->words, if they are asked for, and says in f where they are: by tokens in the index,
 * and by opening the newest entries that the index does not know. Of these SEARCH_LATE at most;
 * when there are more, the reply says "Chancery-Search-Incomplete: true". Only in the transaction
 * that then lists what f finds. ERR_INVALID for too many words. */
enum { SEARCH_LATE = 2000 };
MUST_CHECK enum err audit_search(struct request *rq, struct audit_filter *f);

/* Make the next entries of db->tenant's log findable, in TX_WRITE. */
MUST_CHECK enum err audit_index(struct db *db);

#endif
