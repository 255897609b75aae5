/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/access/policy.h"

#include "auth/access/policy_inside.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void *policy_need(void *memory)
{
    if (memory == NULL) {
        (void)fputs("out of memory for a policy\n", stderr);
        abort();
    }
    return memory;
}

/* Capacities are powers of two from 16. */
void *policy_grow(void *items, size_t count, size_t size)
{
    if (items != NULL && (count < 16 || (count & (count - 1)) != 0))
        return items;
    return policy_need(reallocarray(items, count < 16 ? 16 : 2 * count, size));
}

uint64_t policy_table_size(size_t count)
{
    uint64_t size = 16;

    while (size < 2 * count)
        size *= 2;
    return size;
}

struct policy_index policy_index_new(size_t count)
{
    uint64_t size = policy_table_size(count);
    struct policy_index x = {policy_need(malloc(size * sizeof(uint32_t))), size - 1};

    memset(x.slots, 0xFF, size * sizeof(uint32_t));
    return x;
}

void policy_index_put(struct policy_index *x, uint64_t hash, uint32_t value)
{
    uint64_t i = hash & x->mask;

    while (x->slots[i] != POLICY_NONE)
        i = (i + 1) & x->mask;
    x->slots[i] = value;
}

struct policy *policy_new(const char *tenant_id, const char *tenant, bool active, int64_t epoch)
{
    struct policy *p = policy_need(calloc(1, sizeof(*p)));

    atomic_init(&p->holders, 1);
    (void)snprintf(p->tenant_id, sizeof(p->tenant_id), "%s", tenant_id);
    (void)snprintf(p->tenant, sizeof(p->tenant), "%s", tenant);
    p->active = active;
    p->epoch = epoch;
    for (unsigned r = 0; r < ROLE_COUNT; r++) {
        const struct role_facts *facts = role_facts((enum role)r);
        struct policy_role role = {
            .class = facts->class, .places = facts->places, .actions = facts->actions};

        (void)snprintf(role.name, sizeof(role.name), "%s", facts->text);
        (void)policy_add_role(p, &role);
    }
    return p;
}

uint32_t policy_add_principal(struct policy *p, const struct policy_principal *principal)
{
    return LIST_ADD(p->principals, *principal);
}

uint32_t policy_add_project(struct policy *p, const struct policy_project *project)
{
    return LIST_ADD(p->projects, *project);
}

uint32_t policy_add_asset(struct policy *p, const struct policy_asset *asset)
{
    return policy_first_asset(p) + LIST_ADD(p->assets, *asset);
}

uint32_t policy_add_group(struct policy *p, const struct policy_group *group)
{
    return LIST_ADD(p->groups, *group);
}

uint32_t policy_add_role(struct policy *p, const struct policy_role *role)
{
    return LIST_ADD(p->roles, *role);
}

uint32_t policy_add_condition(struct policy *p, const struct condition *condition)
{
    return 1 + LIST_ADD(p->conditions, *condition);
}

void policy_add_member(struct policy *p, const struct policy_member *m)
{
    if (m->group < p->groups.count &&
        (m->principal < p->principals.count || m->child < p->groups.count))
        (void)LIST_ADD(p->members, *m);
}

void policy_add_grant(struct policy *p, const struct policy_grant *g)
{
    if (g->scope >= policy_scopes(p) || g->role >= p->roles.count ||
        g->condition > p->conditions.count)
        return;
    if (g->group == 0 && g->principal < p->principals.count)
        (void)LIST_ADD(p->grants, *g);
    else if (g->group == POLICY_EVERYONE || (g->group > 0 && g->group <= p->groups.count))
        (void)LIST_ADD(p->group_grants, *g);
}

void policy_add_share(struct policy *p, const struct policy_share *share)
{
    if (policy_asset(p, share->scope) != NULL && share->with < p->projects.count)
        (void)LIST_ADD(p->shares, *share);
}

void policy_index(struct policy *p)
{
    p->by_id = policy_index_new(p->principals.count);
    p->by_name = policy_index_new(p->principals.count);
    p->by_project = policy_index_new(p->projects.count);
    for (uint32_t i = 0; i < p->principals.count; i++) {
        policy_index_put(&p->by_id, policy_hash_text(p->principals.items[i].id), i);
        policy_index_put(&p->by_name, policy_hash_text(p->principals.items[i].name), i);
    }
    for (uint32_t i = 0; i < p->projects.count; i++)
        policy_index_put(&p->by_project, policy_hash_text(p->projects.items[i].name), i);
}

void policy_index_assets(struct policy *p)
{
    p->by_asset = policy_index_new(p->assets.count);
    for (uint32_t i = 0; i < p->assets.count; i++)
        policy_index_put(&p->by_asset,
                         policy_hash_asset(p->assets.items[i].project, p->assets.items[i].name), i);
}

struct policy *policy_hold(struct policy *p)
{
    atomic_fetch_add_explicit(&p->holders, 1, memory_order_relaxed);
    return p;
}

static void free_lists(struct policy *p)
{
    for (size_t i = 0; i < p->assets.count; i++)
        json_decref(p->assets.items[i].tags);
    free(p->principals.items);
    free(p->projects.items);
    free(p->assets.items);
    free(p->groups.items);
    free(p->members.items);
    free(p->roles.items);
    free(p->conditions.items);
    free(p->grants.items);
    free(p->group_grants.items);
    free(p->shares.items);
    free(p->sets.items);
}

void policy_drop(struct policy *p)
{
    if (p == NULL || atomic_fetch_sub_explicit(&p->holders, 1, memory_order_acq_rel) != 1)
        return;
    free_lists(p);
    free(p->first_grant);
    free(p->first_member);
    free(p->first_share);
    free(p->parent);
    free(p->state);
    free(p->by_id.slots);
    free(p->by_name.slots);
    free(p->by_project.slots);
    free(p->by_asset.slots);
    free(p->by_set.slots);
    free(p->entries);
    free(p);
}
