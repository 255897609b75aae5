/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ACCESS_EXPLAIN_H
#define ACCESS_EXPLAIN_H

#include "auth/access/policy.h"

/* Why the evaluator answers as it does: one line a step, from its own trace. */
struct explanation {
    bool allowed;
    bool conditional;   /* not allowed, but would be if all that only a request can tell were so */
    const char *reason; /* the step that decides */
    struct texts steps;
};
struct explanation explain(struct arena *a, const struct policy *p,
                           const struct policy_question *q);
/* "project credit", "models/risk in project credit", "tenant", "platform". */
const char *explain_scope(struct arena *a, const struct policy *p, uint32_t scope);

#endif
