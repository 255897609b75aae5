/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/access/policy_inside.h"

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

#define FIND(x, list, member, wanted)                                                              \
    for (uint64_t i = policy_hash_text(wanted) & (x)->mask; (x)->slots[i] != POLICY_NONE;          \
         i = (i + 1) & (x)->mask)                                                                  \
        if (strcmp((list).items[(x)->slots[i]].member, (wanted)) == 0)                             \
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

/* Groups and roles are few, and asked for only when policy changes. */
#define SEARCH(list, member, wanted)                                                               \
    for (uint32_t i = 0; i < (list).count; i++)                                                    \
        if (strcmp((list).items[i].member, (wanted)) == 0)                                         \
            return i;                                                                              \
    return POLICY_NONE

uint32_t policy_find_group(const struct policy *p, const char *id)
{
    SEARCH(p->groups, id, id);
}

uint32_t policy_find_group_name(const struct policy *p, const char *name)
{
    SEARCH(p->groups, name, name);
}

uint32_t policy_find_role(const struct policy *p, const char *name)
{
    SEARCH(p->roles, name, name);
}

uint32_t policy_asset_scope(const struct policy *p, uint32_t project, const char *name)
{
    for (uint64_t i = policy_hash_asset(project, name) & p->by_asset.mask;
         p->by_asset.slots[i] != POLICY_NONE; i = (i + 1) & p->by_asset.mask) {
        const struct policy_asset *a = &p->assets.items[p->by_asset.slots[i]];

        if (a->project == project && strcmp(a->name, name) == 0)
            return policy_first_asset(p) + p->by_asset.slots[i];
    }
    return SCOPE_AT_PROJECTS + project;
}

const struct policy_principal *policy_principal(const struct policy *p, uint32_t index)
{
    return index < p->principals.count ? &p->principals.items[index] : NULL;
}

const struct policy_project *policy_project(const struct policy *p, uint32_t index)
{
    return index < p->projects.count ? &p->projects.items[index] : NULL;
}

const struct policy_asset *policy_asset(const struct policy *p, uint32_t scope)
{
    uint32_t first = policy_first_asset(p);

    return scope >= first && scope - first < p->assets.count ? &p->assets.items[scope - first]
                                                             : NULL;
}

const struct policy_project *policy_scope_project(const struct policy *p, uint32_t scope)
{
    const struct policy_asset *a = policy_asset(p, scope);

    if (a != NULL)
        return policy_project(p, a->project);
    return scope < SCOPE_AT_PROJECTS ? NULL : policy_project(p, scope - SCOPE_AT_PROJECTS);
}

const struct policy_group *policy_group(const struct policy *p, uint32_t index)
{
    return index < p->groups.count ? &p->groups.items[index] : NULL;
}

const struct policy_role *policy_role(const struct policy *p, uint32_t index)
{
    return index < p->roles.count ? &p->roles.items[index] : NULL;
}

const struct condition *policy_condition(const struct policy *p, uint32_t condition)
{
    return condition > 0 && condition <= p->conditions.count ? &p->conditions.items[condition - 1]
                                                             : NULL;
}

size_t policy_principals(const struct policy *p)
{
    return p->principals.count;
}

size_t policy_projects(const struct policy *p)
{
    return p->projects.count;
}

size_t policy_scopes(const struct policy *p)
{
    return SCOPE_AT_PROJECTS + p->projects.count + p->assets.count;
}

uint32_t policy_parent(const struct policy *p, uint32_t scope)
{
    return scope < policy_scopes(p) ? p->parent[scope] : SCOPE_AT_PLATFORM;
}

bool policy_alive(const struct policy *p, uint32_t principal)
{
    return principal < p->principals.count && (p->state[principal] & STATE_ALIVE) != 0;
}

bool policy_capped(const struct policy *p, uint32_t principal)
{
    return principal < p->principals.count && (p->state[principal] & STATE_CAPPED) != 0;
}

const struct policy_grant *policy_grants(const struct policy *p, uint32_t principal, size_t *count)
{
    *count = 0;
    if (principal >= p->principals.count || p->grants.items == NULL)
        return NULL;
    *count = p->first_grant[principal + 1] - p->first_grant[principal];
    return p->grants.items + p->first_grant[principal];
}

const struct policy_grant *policy_group_grants(const struct policy *p, size_t *count)
{
    *count = p->group_grants.count;
    return p->group_grants.items;
}
