/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LINEAGE_AUDIT_STORE_H
#define LINEAGE_AUDIT_STORE_H

#include "lineage/audit_entry.h"

/* Finding entries again. All of db->tenant. */

struct audit_filter {
    const char *actor; /* principal's UUID; NULL for any, as all */
    const char *action;
    const char *object;
    const char *project;
    const char *outcome;
    const char *from; /* RFC 3339, included */
    const char *to;   /* RFC 3339, excluded */
    const char *request;
    const char *words;   /* to be found in what the entry says: words, "a phrase", or, -not */
    const char *tokens;  /* the same for the index; all three are set by audit_search */
    const int64_t *late; /* entries found among those that the index does not know yet */
    size_t late_count;
    const char *after;          /* seq of the last one seen, in decimal */
    struct texts hidden;        /* projects whose entries are left out */
    struct texts hidden_things; /* and things: "credit/models/risk", "credit/jobs" */
    bool ascending;
    bool nobody; /* no entry can fit: the actor does not exist */
    int64_t limit;
};

/* A list of struct audit_row by seq, as all lists. What was erased has no payload; errors are also
 * payload_open's. */
MUST_CHECK enum err audit_list(struct db *db, const struct audit_filter *f, struct rows *out);
/* f: only its hidden ones are read. */
MUST_CHECK enum err audit_find(struct db *db, const char *id, const struct audit_filter *f,
                               struct audit_row *out);
/* The entries at from, …, from + limit - 1 of the tree; fewer at its end. */
MUST_CHECK enum err audit_range(struct db *db, int64_t from, int64_t limit, struct rows *out);
/* The newest of those whose words are not indexed yet. */
MUST_CHECK enum err audit_late(struct db *db, int64_t limit, struct rows *out);
/* The UUID of a principal; ERR_NOT_FOUND when nobody has that name. */
MUST_CHECK enum err audit_actor(struct db *db, const char *name, const char **id);

#endif
