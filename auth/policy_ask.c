/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/policy.h"

#include "auth/policy_inside.h"

enum { CHAIN_MAX = 6 };

const char *policy_tenant_id(const struct policy *p)
{
    return p->tenant_id;
}

const char *policy_tenant(const struct policy *p)
{
    return p->tenant;
}

int64_t policy_epoch(const struct policy *p)
{
    return p->epoch;
}

#define FIND(x, items, member, wanted)                                                             \
    for (uint64_t i = policy_hash_text(wanted) & (x)->mask; (x)->slots[i] != POLICY_NONE;          \
         i = (i + 1) & (x)->mask)                                                                  \
        if (strcmp((items)[(x)->slots[i]].member, (wanted)) == 0)                                  \
            return (x)->slots[i];                                                                  \
    return POLICY_NONE

uint32_t policy_find_principal(const struct policy *p, const char *id)
{
    FIND(&p->by_id, p->principals, id, id);
}

uint32_t policy_find_principal_name(const struct policy *p, const char *name)
{
    FIND(&p->by_name, p->principals, name, name);
}

uint32_t policy_find_project(const struct policy *p, const char *name)
{
    FIND(&p->by_project, p->projects, name, name);
}

const struct policy_principal *policy_principal(const struct policy *p, uint32_t index)
{
    return index < p->principals_count ? &p->principals[index] : NULL;
}

const struct policy_project *policy_project(const struct policy *p, uint32_t index)
{
    return index < p->projects_count ? &p->projects[index] : NULL;
}

size_t policy_projects(const struct policy *p)
{
    return p->projects_count;
}

bool policy_alive(const struct policy *p, uint32_t principal)
{
    return principal < p->principals_count && p->alive[principal];
}

const struct policy_grant *policy_grants(const struct policy *p, uint32_t principal, size_t *count)
{
    *count = 0;
    if (principal >= p->principals_count || p->grants == NULL)
        return NULL;
    *count = p->first_grant[principal + 1] - p->first_grant[principal];
    return p->grants + p->first_grant[principal];
}

static bool in_force(int64_t from_ms, int64_t until_ms, int64_t now_ms)
{
    return from_ms <= now_ms && now_ms < until_ms;
}

/* From the scope to the root, with the home slots of the entries on the way to the cache. */
static unsigned chain_of(const struct policy *p, uint32_t principal, uint32_t scope,
                         uint64_t keys[CHAIN_MAX])
{
    unsigned n = 0;

    for (uint32_t at = scope; n < CHAIN_MAX; at = p->parent[at]) {
        keys[n] = policy_key(principal, at);
        __builtin_prefetch(&p->entries[policy_mix(keys[n++]) & p->mask]);
        if (at == p->parent[at])
            break;
    }
    return n;
}

bool policy_allows(const struct policy *p, uint32_t principal, enum action a, uint32_t scope,
                   int64_t now_ms)
{
    uint64_t keys[CHAIN_MAX];
    bool allowed = false;
    unsigned n;

    if (a == DENY || (unsigned)a >= ACTION_COUNT || scope >= policy_scopes(p) ||
        !policy_alive(p, principal))
        return false;
    n = chain_of(p, principal, scope, keys);
    for (unsigned c = 0; c < n; c++)
        for (uint64_t i = policy_mix(keys[c]) & p->mask; p->entries[i].key != 0;
             i = (i + 1) & p->mask) {
            const struct policy_entry *e = &p->entries[i];

            if (e->key != keys[c] || !in_force(e->from_ms, e->until_ms, now_ms))
                continue;
            if (e->deny != POLICY_NO_SET && action_in(&p->sets[e->deny], a))
                return false;
            allowed = allowed || action_in(&p->sets[e->allow], a);
        }
    return allowed;
}

bool policy_allows_slowly(const struct policy *p, uint32_t principal, enum action a, uint32_t scope,
                          int64_t now_ms)
{
    bool allowed = false;

    if (a == DENY || !policy_alive(p, principal))
        return false;
    for (size_t i = 0; i < p->grants_count; i++) {
        const struct policy_grant *g = &p->grants[i];
        bool above = g->scope == scope || g->scope == SCOPE_AT_PLATFORM ||
                     (g->scope == SCOPE_AT_TENANT && scope >= SCOPE_AT_PROJECTS);

        if (g->principal != principal || !above || now_ms < g->from_ms || now_ms >= g->until_ms ||
            !action_in(&role_facts(g->role)->actions, a))
            continue;
        if (g->deny)
            return false;
        allowed = true;
    }
    return allowed;
}

bool policy_covers(const struct policy *p, uint32_t principal, enum role role, uint32_t scope,
                   int64_t now_ms)
{
    const struct action_set *wanted = &role_facts(role)->actions;

    for (unsigned a = DENY + 1; a < ACTION_COUNT; a++)
        if (action_in(wanted, (enum action)a) &&
            !policy_allows(p, principal, (enum action)a, scope, now_ms))
            return false;
    return true;
}
