/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/access/authority.h"

#include "auth/access/duty.h"
#include "auth/access/policy_store.h"
#include "auth/auth.h"
#include "auth/principal.h"
#include "auth/session.h"

#include <string.h>

enum err authority_fence(struct request *rq)
{
    struct session *s = session_of(rq);
    struct policy *policy;
    int64_t epoch = 0;

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

static bool is_below(const struct policy *p, uint32_t high, uint32_t low)
{
    while (low != high && low != SCOPE_AT_PLATFORM)
        low = policy_parent(p, low);
    return low == high;
}

/* Who has a role above a wall gives nothing that reaches behind it. */
static bool denied_below(const struct session *s, const struct action_set *actions, uint32_t scope)
{
    size_t count;
    const struct policy_grant *g = policy_grants(s->policy, s->principal, &count);

    for (size_t i = 0; i < count; i++)
        for (unsigned a = DENY + 1; g[i].kind == GRANT_DENY && a < ACTION_COUNT; a++)
            if (g[i].until_ms > time_now_ms() && is_below(s->policy, scope, g[i].scope) &&
                action_in(actions, (enum action)a) &&
                action_in(&policy_role(s->policy, g[i].role)->actions, (enum action)a))
                return true;
    return false;
}

bool authority_has(const struct session *s, const struct action_set *actions, uint32_t scope)
{
    for (unsigned a = DENY + 1; s->claims.limited && a < ACTION_COUNT; a++)
        if (action_in(actions, (enum action)a) && !action_in(&s->claims.scope, (enum action)a))
            return false;
    return policy_covers(s->policy, s->principal, actions, scope, time_now_ms()) &&
           !denied_below(s, actions, scope);
}

static bool covers(const struct session *s, uint32_t role, uint32_t scope)
{
    return authority_has(s, &policy_role(s->policy, role)->actions, scope);
}

static bool administers(const struct session *s, uint32_t scope)
{
    return scope != SCOPE_AT_PLATFORM && session_may(s, BINDING_ADMINISTER, SCOPE_AT_TENANT);
}

bool authority_privileged(const struct action_set *set)
{
    for (unsigned a = 0; a < ACTION_COUNT; a++)
        if (action_in(set, (enum action)a) && action_class((enum action)a) == CLASS_PRIVILEGED)
            return true;
    return false;
}

enum err authority_save(struct request *rq, uint32_t role, const struct action_set *set)
{
    const struct session *s = session_of(rq);
    size_t count;

    if (session_may(s, BINDING_ADMINISTER, SCOPE_AT_TENANT))
        return OK;
    if (authority_privileged(set) ||
        (role != POLICY_NONE && authority_privileged(&policy_role(s->policy, role)->actions)))
        return fail(rq, ERR_DENIED, "roles with privileged actions are made by tenant admins");
    if (!authority_has(s, set, SCOPE_AT_TENANT))
        return fail(rq, ERR_DENIED, "nobody puts into a role what they lack in the tenant");
    for (uint32_t i = 0; role != POLICY_NONE && i < policy_principals(s->policy); i++) {
        const struct policy_grant *g = policy_grants(s->policy, i, &count);

        for (size_t k = 0; k < count; k++)
            if (g[k].role == role && !authority_has(s, set, g[k].scope))
                return fail(rq, ERR_DENIED, "%s has this role where you may not all of that",
                            policy_principal(s->policy, i)->name);
    }
    return OK;
}

/* To give others what one lacks is for who cannot make up others. */
static bool delegates(const struct session *s, uint32_t scope)
{
    return session_may(s, BINDING_DELEGATE, scope) &&
           !session_may(s, USER_WRITE, SCOPE_AT_TENANT) &&
           !session_may(s, SCIM_WRITE, SCOPE_AT_TENANT) &&
           !session_may(s, IDP_WRITE, SCOPE_AT_TENANT);
}

static const char *kind_of(const struct session *s, struct holder to)
{
    const struct policy_principal *who = policy_principal(s->policy, to.principal);

    if (to.group != 0)
        return "group";
    if (who == NULL)
        return NULL;
    return who->kind == PRINCIPAL_SERVICE ? "service" : "user";
}

void authority_about(struct request *rq, const char *role, const char *principal, const char *group)
{
    struct session *s = session_of(rq);
    uint32_t to =
        principal == NULL ? POLICY_NONE : policy_find_principal_name(s->policy, principal);

    s->circumstances.gives = role;
    s->circumstances.to = kind_of(s, (struct holder){.principal = to, .group = group != NULL});
}

enum err authority_give(struct request *rq, uint32_t role, uint32_t scope, struct holder to)
{
    struct session *s = session_of(rq);
    const struct policy_role *facts = policy_role(s->policy, role);

    s->circumstances.gives = facts->name;
    s->circumstances.to = kind_of(s, to);
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
    if (covers(s, role, scope) || (delegates(s, scope) && !is_own(s, to)))
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

static enum err covers_one(struct request *rq, uint32_t principal)
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

/* Who acts as a user can have tokens of the service accounts it answers for. */
enum err authority_covers(struct request *rq, uint32_t principal)
{
    const struct policy *p = session_of(rq)->policy;
    const struct policy_principal *who = policy_principal(p, principal);

    if (who == NULL)
        return ERR_NOT_FOUND;
    TRY(covers_one(rq, principal));
    for (uint32_t i = 0; i < policy_principals(p); i++)
        if (strcmp(policy_principal(p, i)->owner, who->id) == 0)
            TRY(covers_one(rq, i));
    return OK;
}

static bool binds(const struct session *s, uint32_t principal, const char *id)
{
    size_t count;
    const struct policy_grant *grants = policy_grants(s->policy, principal, &count);

    for (size_t i = 0; i < count; i++)
        if (grants[i].kind != GRANT_ALLOW && strcmp(grants[i].id, id) == 0)
            return true;
    return false;
}

static const char own_wall[] = "this binds you or a service account of yours; a tenant admin lifts "
                               "it";

enum err authority_lift(struct request *rq, const char *id)
{
    const struct session *s = session_of(rq);

    if (administers(s, SCOPE_AT_TENANT))
        return OK;
    for (uint32_t i = 0; i < policy_principals(s->policy); i++)
        if (belongs(s, i) && binds(s, i, id))
            return fail(rq, ERR_DENIED, "%s", own_wall);
    return OK;
}

enum err authority_free(struct request *rq, struct holder whom)
{
    const struct session *s = session_of(rq);

    if (!session_may(s, DENY_WRITE, SCOPE_AT_TENANT))
        return fail(rq, ERR_DENIED, "a deny rests on who is in this group; this needs %s",
                    action_text(DENY_WRITE));
    return is_own(s, whom) && !administers(s, SCOPE_AT_TENANT)
               ? fail(rq, ERR_DENIED, "%s", own_wall)
               : OK;
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

static bool for_good(const struct policy_grant *g)
{
    return g->kind == GRANT_ALLOW && g->role == ROLE_TENANT_ADMIN && g->group == 0 &&
           g->condition == 0 && g->until_ms == INT64_MAX && g->scope == SCOPE_AT_TENANT;
}

/* A user who is tenant-admin directly, without an end or condition, and whom no deny keeps from it.
 */
static bool admin_for_good(const struct policy *p)
{
    for (uint32_t i = 0; i < policy_principals(p); i++) {
        size_t count;
        const struct policy_grant *grants = policy_grants(p, i, &count);

        for (size_t g = 0; g < count; g++)
            if (policy_principal(p, i)->kind == PRINCIPAL_USER && for_good(&grants[g]) &&
                policy_allows(p, i, BINDING_ADMINISTER, SCOPE_AT_TENANT, time_now_ms()))
                return true;
    }
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
    struct policy *after;

    if (e == ERR_CONFLICT)
        return fail(rq, e, "the last active user who is tenant-admin for good must stay so");
    TRY(e);
    TRY(load_result(rq, &after));
    return admin_for_good(after)
               ? OK
               : fail(rq, ERR_CONFLICT,
                      "the only other tenant-admin for good is denied the office");
}

bool authority_anywhere(struct request *rq, enum action a)
{
    struct texts names;

    return auth_may(rq, a, NULL) ||
           (auth_readable_projects(rq, a, &names) == OK && names.count > 0);
}
