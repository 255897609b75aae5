/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ACCESS_POLICY_LOAD_H
#define ACCESS_POLICY_LOAD_H

/* How a policy is read: policy_things.c reads what there is, policy_grants.c who may what. */
#include "auth/access/policy.h"
#include "core/db.h"

#include <stdio.h>
#include <stdlib.h>

struct load {
    struct db *db;
    const char *tenant_id;
    struct policy *policy;
    struct levels levels;
};

/* In this order, in one transaction; both fill load->policy. */
MUST_CHECK enum err policy_load_things(struct load *l);
MUST_CHECK enum err policy_load_grants(struct load *l);
/* Add what a list of patterns with blanks between names; list is taken apart. */
void policy_role_actions(char *list, bool privileged, struct policy_role *role);

static inline void policy_copy(char *out, size_t size, const char *text)
{
    (void)snprintf(out, size, "%s", text);
}

static inline int64_t policy_number(PGresult *rows, int row, int column)
{
    return strtoll(PQgetvalue(rows, row, column), NULL, 10);
}

#define MS(time) "(extract(epoch FROM " time ") * 1000)::bigint"
/* What began before now has always been: our clock may be behind the database's. */
#define SPAN(x)                                                                                    \
    " CASE WHEN " x ".valid_from <= now() THEN 0 ELSE " MS(                                        \
        x ".valid_from") " END,"                                                                   \
                         " coalesce(" MS(x ".valid_until") ", 9223372036854775807)"

#endif
