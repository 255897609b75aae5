/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/authority.h"

#include "auth/auth.h"
#include "auth/policy_store.h"
#include "auth/principal.h"
#include "auth/session.h"

#include <string.h>

enum err authority_fence(struct request *rq)
{
    struct session *s = session_of(rq);
    struct policy *policy;
    int64_t epoch = 0;

    s->changed = true;
    TRY(policy_lock(rq->db, &epoch));
    if (epoch == policy_epoch(s->policy))
        return OK;
    TRY(policy_load_here(rq->db, s->claims.tenant_id, &policy));
    if (session_renew(s, rq, policy) != OK)
        return fail(rq, ERR_TOKEN, "the access token is refused: its bearer is disabled");
    return rq->route->action == ANYONE || auth_may(rq, (enum action)rq->route->action, NULL)
               ? OK
               : fail(rq, ERR_DENIED, "this needs %s", action_text((enum action)rq->route->action));
}

static bool is_own(const struct session *s, uint32_t principal)
{
    const struct policy_principal *who = policy_principal(s->policy, principal);

    return principal == s->principal ||
           (who != NULL && strcmp(who->owner, s->claims.principal) == 0);
}

static bool covers(const struct session *s, enum role role, uint32_t scope)
{
    return policy_covers(s->policy, s->principal, role, scope, time_now_ms());
}

static bool administers(const struct session *s, uint32_t scope)
{
    return scope != SCOPE_AT_PLATFORM && session_may(s, BINDING_ADMINISTER, SCOPE_AT_TENANT);
}

enum err authority_give(struct request *rq, enum role role, uint32_t scope, uint32_t principal)
{
    const struct session *s = session_of(rq);
    const struct role_facts *facts = role_facts(role);

    if (scope == SCOPE_AT_PLATFORM)
        return covers(s, role, scope) && session_may(s, BINDING_ADMINISTER, SCOPE_AT_TENANT)
                   ? OK
                   : fail(rq, ERR_DENIED, "%s is given by tenant admins who have it", facts->text);
    if (administers(s, scope))
        return OK;
    if (!session_may(s, BINDING_WRITE, scope))
        return fail(rq, ERR_DENIED, "this needs access/bindings/write there");
    if (facts->class == CLASS_PRIVILEGED)
        return fail(rq, ERR_DENIED, "%s is a privileged role, which tenant admins give",
                    facts->text);
    if (covers(s, role, scope) ||
        (session_may(s, BINDING_DELEGATE, scope) && !is_own(s, principal)))
        return OK;
    return fail(rq, ERR_DENIED, "%s may more than you may there, and nobody gives what they lack",
                facts->text);
}

enum err authority_covers(struct request *rq, uint32_t principal)
{
    const struct session *s = session_of(rq);
    size_t count;
    const struct policy_grant *grants = policy_grants(s->policy, principal, &count);

    for (size_t i = 0; i < count; i++)
        if (!administers(s, grants[i].scope) && !covers(s, grants[i].role, grants[i].scope))
            return fail(rq, ERR_DENIED,
                        "%s has the role %s: to act in its place one must be able to do as much",
                        policy_principal(s->policy, principal)->name,
                        role_facts(grants[i].role)->text);
    return OK;
}

enum err authority_admin_remains(struct request *rq)
{
    enum err e = principal_admin_remains(rq->db);

    return e == ERR_CONFLICT
               ? fail(rq, e, "the last active user who is tenant-admin for good must stay so")
               : e;
}

bool authority_anywhere(struct request *rq, enum action a)
{
    struct texts names;

    return auth_may(rq, a, NULL) ||
           (auth_readable_projects(rq, a, &names) == OK && names.count > 0);
}
