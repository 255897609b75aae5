/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REGISTRY_RULES_H
#define REGISTRY_RULES_H

#include "core/request.h"

enum {
    RULES_ALIASES_MAX = 20,
    RULES_APPROVALS_MAX = 10,
    RULES_HOURS_MAX = 8760,
    RULES_DAYS_MAX = 36500
};

/* What needs approval in a project, by how many people, and for how long an approval holds. */
struct rules {
    struct {
        int64_t approvals; /* 0: training needs none */
    } train;
    struct {
        int64_t approvals;
        struct texts aliases; /* protected: they move only by an approval */
    } promote;
    int64_t approval_hours;
    int64_t trace_days; /* for how long traces cannot be deleted; 0: they can at once */
    bool refuse_pickle; /* versions that hold pickles are not finalized or promoted */
};

extern const struct field rules_fields[];

/* The policy of a project that was made without one. */
extern const struct rules rules_usual;

/* From a member of a request's body; ERR_INVALID names the member at fault below prefix. */
MUST_CHECK enum err rules_read(struct request *rq, const char *prefix, const json_t *json,
                               struct rules *out);
/* From the database, in the arena. */
MUST_CHECK enum err rules_load(struct db *db, const char *project_id, struct rules *out);
bool rules_protect(const struct rules *p, const char *alias);

#endif
