/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REGISTRY_COLLECT_STORE_H
#define REGISTRY_COLLECT_STORE_H

#include "core/db.h"

/* What the collector asks of the database. Results are single texts. */
struct word {
    const char *text;
};

MUST_CHECK enum err collect_tenants(struct db *db, struct rows *out);
/* Digests after a digest that nothing has referred to or touched for grace_seconds. */
MUST_CHECK enum err collect_candidates(struct db *db, int64_t grace_seconds, const char *after,
                                       int64_t limit, struct rows *out);
/* Forget one digest if all that still holds. *gone says whether. */
MUST_CHECK enum err collect_forget(struct db *db, const char *sha256, int64_t grace_seconds,
                                   bool *gone);
/* Those of digests, or of upload ids, that have no row. */
MUST_CHECK enum err collect_unknown_blobs(struct db *db, const struct texts *digests,
                                          struct rows *out);
MUST_CHECK enum err collect_unknown_uploads(struct db *db, const struct texts *ids,
                                            struct rows *out);
/* Delete uploads past their time; the ids deleted. */
MUST_CHECK enum err collect_stale_uploads(struct db *db, struct rows *out);

#endif
