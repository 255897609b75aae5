/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/authority.h"

#include "auth/auth.h"
#include "auth/duty.h"
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

static bool belongs(const struct session *s, uint32_t principal)
{
    const struct policy_principal *who = policy_principal(s->policy, principal);

    return principal == s->principal ||
           (who != NULL && strcmp(who->owner, s->claims.principal) == 0);
}

/* Is it the caller, a service account of the caller, or a group that ever has one of them? */
static bool is_own(const struct session *s, struct holder to)
{
    if (to.group == 0)
        return belongs(s, to.principal);
    for (uint32_t i = 0; i < policy_principals(s->policy); i++)
        if (belongs(s, i) && policy_in_group(s->policy, to.group - 1, i, POLICY_ANY_TIME))
            return true;
    return false;
}

static bool covers(const struct session *s, uint32_t role, uint32_t scope)
{
    return policy_covers(s->policy, s->principal, &policy_role(s->policy, role)->actions, scope,
                         time_now_ms());
}

static bool administers(const struct session *s, uint32_t scope)
{
    return scope != SCOPE_AT_PLATFORM && session_may(s, BINDING_ADMINISTER, SCOPE_AT_TENANT);
}

enum err authority_give(struct request *rq, uint32_t role, uint32_t scope, struct holder to)
{
    const struct session *s = session_of(rq);
    const struct policy_role *facts = policy_role(s->policy, role);

    if (scope == SCOPE_AT_PLATFORM)
        return covers(s, role, scope) && session_may(s, BINDING_ADMINISTER, SCOPE_AT_TENANT)
                   ? OK
                   : fail(rq, ERR_DENIED, "%s is given by tenant admins who have it", facts->name);
    if (administers(s, scope))
        return OK;
    if (!session_may(s, BINDING_WRITE, scope))
        return fail(rq, ERR_DENIED, "this needs access/bindings/write there");
    if (facts->class == CLASS_PRIVILEGED)
        return fail(rq, ERR_DENIED, "%s is a privileged role, which tenant admins give",
                    facts->name);
    if (covers(s, role, scope) || (session_may(s, BINDING_DELEGATE, scope) && !is_own(s, to)))
        return OK;
    return fail(rq, ERR_DENIED, "%s may more than you may there, and nobody gives what they lack",
                facts->name);
}

enum err authority_admit(struct request *rq, uint32_t group, struct holder to)
{
    const struct session *s = session_of(rq);
    size_t count;
    const struct policy_grant *grants = policy_group_grants(s->policy, &count);

    for (size_t i = 0; i < count; i++)
        if ((grants[i].kind == GRANT_ALLOW || grants[i].kind == GRANT_ELIGIBLE) &&
            policy_contains(s->policy, grants[i].group, group + 1))
            TRY(authority_give(rq, grants[i].role, grants[i].scope, to));
    return OK;
}

enum err authority_covers(struct request *rq, uint32_t principal)
{
    const struct session *s = session_of(rq);
    size_t count;
    const struct policy_grant *grants = policy_grants(s->policy, principal, &count);

    for (size_t i = 0; i < count; i++)
        if ((grants[i].kind == GRANT_ALLOW || grants[i].kind == GRANT_ELIGIBLE) &&
            !administers(s, grants[i].scope) && !covers(s, grants[i].role, grants[i].scope))
            return fail(rq, ERR_DENIED,
                        "%s has the role %s: to act in its place one must be able to do as much",
                        policy_principal(s->policy, principal)->name,
                        policy_role(s->policy, grants[i].role)->name);
    return OK;
}

static bool admin_is_left(const struct policy *p)
{
    for (uint32_t i = 0; i < policy_principals(p); i++)
        if (policy_principal(p, i)->kind == PRINCIPAL_USER &&
            policy_allows(p, i, BINDING_ADMINISTER, SCOPE_AT_TENANT, time_now_ms()) &&
            policy_allows(p, i, DENY_WRITE, SCOPE_AT_TENANT, time_now_ms()))
            return true;
    return false;
}

static void drop_policy(void *policy)
{
    policy_drop(policy);
}

static enum err load_result(struct request *rq, struct policy **after)
{
    TRY(policy_load_here(rq->db, session_of(rq)->claims.tenant_id, after));
    arena_own(rq->arena, *after, drop_policy);
    return OK;
}

enum err authority_someone_administers(struct request *rq)
{
    struct policy *after;

    TRY(load_result(rq, &after));
    return admin_is_left(after)
               ? OK
               : fail(rq, ERR_CONFLICT, "nobody could administer the tenant any more");
}

enum err authority_result(struct request *rq)
{
    struct policy *after;
    struct rows duties;

    TRY(duty_list(rq->db, &duties));
    if (duties.count == 0)
        return OK;
    TRY(load_result(rq, &after));
    return duty_unbroken(rq, &duties, session_of(rq)->policy, after);
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
