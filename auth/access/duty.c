/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/access/duty.h"

#include <string.h>

/* The principal itself, or a service account it answers for. */
static bool same_person(const struct policy *p, uint32_t person, uint32_t other)
{
    return person == other ||
           strcmp(policy_principal(p, other)->owner, policy_principal(p, person)->id) == 0;
}

static bool reaches(const struct policy *p, uint32_t high, uint32_t low)
{
    for (uint32_t at = low; at != SCOPE_AT_PLATFORM; at = policy_parent(p, at))
        if (at == high)
            return true;
    return high == SCOPE_AT_PLATFORM;
}

static bool counts(const struct policy *p, const struct duty *d, const struct policy_grant *g,
                   const char *role)
{
    if (g->kind != GRANT_ALLOW && (g->kind != GRANT_ELIGIBLE || d->active_only))
        return false;
    return g->until_ms > time_now_ms() && strcmp(policy_role(p, g->role)->name, role) == 0;
}

/* Has the person the role at the scope, by any of its accounts? */
static bool has_role(const struct policy *p, const struct duty *d, uint32_t person, uint32_t scope,
                     const char *role)
{
    for (uint32_t i = 0; i < policy_principals(p); i++) {
        size_t count;
        const struct policy_grant *grants = policy_grants(p, i, &count);

        for (size_t g = 0; same_person(p, person, i) && g < count; g++)
            if (reaches(p, grants[g].scope, scope) && counts(p, d, &grants[g], role))
                return true;
    }
    return false;
}

static bool too_many(const struct policy *p, const struct duty *d, uint32_t person, uint32_t scope,
                     const char **has, size_t *count)
{
    *count = 0;
    for (size_t r = 0; r < d->roles.count; r++)
        if (has_role(p, d, person, scope, d->roles.items[r]))
            has[(*count)++] = d->roles.items[r];
    return *count > (size_t)d->at_most;
}

bool duty_broken(const struct policy *p, const struct duty *d, uint32_t principal, uint32_t *scope,
                 const char **has, size_t *count)
{
    for (uint32_t i = 0; i < policy_principals(p); i++) {
        size_t grants_count;
        const struct policy_grant *grants = policy_grants(p, i, &grants_count);

        for (size_t g = 0; same_person(p, principal, i) && g < grants_count; g++)
            if (too_many(p, d, principal, grants[g].scope, has, count)) {
                *scope = grants[g].scope;
                return true;
            }
    }
    return false;
}

static const char *joined(struct arena *a, const char **items, size_t count)
{
    const char *text = items[0];

    for (size_t i = 1; i < count; i++)
        text = arena_printf(a, "%s%s%s", text, i + 1 == count ? " and " : ", ", items[i]);
    return text;
}

/* What was broken already, before the rule or before this change, does not stop other changes. */
static enum err check(struct request *rq, const struct policy *before, const struct policy *after,
                      const struct duty *d)
{
    const char **has = arena_alloc(rq->arena, d->roles.count * sizeof(*has));
    size_t count;
    uint32_t scope;

    for (uint32_t i = 0; i < policy_principals(after); i++) {
        const struct policy_principal *who = policy_principal(after, i);
        uint32_t old = policy_find_principal(before, who->id);
        uint32_t unused;

        if (who->kind != PRINCIPAL_USER || !duty_broken(after, d, i, &scope, has, &count))
            continue;
        if (old != POLICY_NONE) {
            const char **had = arena_alloc(rq->arena, d->roles.count * sizeof(*had));
            size_t had_count = 0;

            if (duty_broken(before, d, old, &unused, had, &had_count) && had_count >= count)
                continue;
        }
        return fail(rq, ERR_CONFLICT,
                    "%s would have %s at one place; the separation of duties %s allows %lld of "
                    "these roles",
                    who->name, joined(rq->arena, has, count), d->name, (long long)d->at_most);
    }
    return OK;
}

enum err duty_unbroken(struct request *rq, const struct rows *duties, const struct policy *before,
                       const struct policy *after)
{
    for (size_t i = 0; i < duties->count; i++)
        TRY(check(rq, before, after, &((const struct duty *)duties->items)[i]));
    return OK;
}
