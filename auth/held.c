/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/access/authority.h"

#include "auth/access/group.h"
#include "auth/auth.h"
#include "auth/session.h"

#include <string.h>

static bool is_in(const struct texts *ids, const char *id)
{
    for (size_t i = 0; i < ids->count; i++)
        if (strcmp(ids->items[i], id) == 0)
            return true;
    return false;
}

/* Does a grant of the caller's own, or through one of the groups, give the action there? */
static bool gives(const struct session *s, enum action a, uint32_t scope,
                  const struct texts *groups)
{
    const struct policy_question q = {s->principal, a, scope, time_now_ms(), &s->circumstances};
    size_t count;
    const struct policy_grant *grants = policy_grants(s->policy, s->principal, &count);

    for (size_t i = 0; i < count; i++) {
        const struct policy_grant *g = &grants[i];

        if (g->kind == GRANT_ALLOW && policy_grant_counts(s->policy, g, &q) &&
            (g->group == 0 || g->group == POLICY_EVERYONE ||
             is_in(groups, policy_group(s->policy, g->group - 1)->id)))
            return true;
    }
    return false;
}

enum err authority_held(struct request *rq, enum action a, uint32_t scope, const char *since,
                        bool *held)
{
    const struct session *s = session_of(rq);
    struct texts groups;

    TRY(group_joined(rq->db, rq->caller.id, since, &groups));
    *held = session_may(s, a, scope) && gives(s, a, scope, &groups);
    return OK;
}

enum err auth_held_since(struct request *rq, enum action a, const char *since)
{
    const struct session *s = session_of(rq);
    bool held = false;

    if (s != NULL && s->project != POLICY_NONE)
        TRY(authority_held(rq, a, s->scope, since, &held));
    return held ? OK
                : fail(rq, ERR_FOUR_EYES,
                       "%s has %s only by a group joined after this was asked for", rq->caller.name,
                       action_text(a));
}
