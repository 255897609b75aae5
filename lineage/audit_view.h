/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LINEAGE_AUDIT_VIEW_H
#define LINEAGE_AUDIT_VIEW_H

#include "core/request.h"
#include "lineage/audit_store.h"

/* An entry as it is told: from its leaf and payload, not from the columns that found it. */
struct audit_view {
    const char *id;
    json_t *index;
    const char *at;
    const char *actor;
    const char *actor_name;
    const char *action;
    const char *method;
    const char *project;
    const char *object;
    const char *outcome;
    int64_t status;
    const char *request;
    const char *leaf_hash;
    const char *statement;
    json_t *detail;
    json_t *changes; /* from detail's "before" and "after": [{"path","before","after"}, …] */
    bool erased;     /* what the entry said was forgotten, by erasure or retention */
    json_t *tampered;
    const char *fault;
};
extern const struct field audit_view_fields[];
/* Texts and JSON live as long as the arena or the row. */
void audit_view(struct arena *a, const struct audit_row *row, struct audit_view *out);

/* What changed between two JSON objects, by member, at any depth; arrays are told as a whole. The
 * caller owns it. */
json_t *json_changes(const json_t *before, const json_t *after);

/* The filter as the query of /v1/audit gives it; ERR_INVALID names the parameter at fault. */
enum { AUDIT_PAGE_MAX = 1000, AUDIT_PAGE_DEFAULT = 100 };
MUST_CHECK enum err audit_filter_read(struct request *rq, struct audit_filter *f);

/* What of the log is taken from the caller, who may read it at large; set once, before requests are
 * served, by a floor that knows permissions. */
extern void (*audit_hidden)(struct request *rq, struct texts *projects, struct texts *things);
/* Fill hidden and hidden_things. */
void audit_filter_hide(struct request *rq, struct audit_filter *f);
/* For what shows the log whole, as its tiles do: ERR_DENIED when anything in it is hidden. */
MUST_CHECK enum err audit_whole(struct request *rq);

#endif
