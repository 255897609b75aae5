/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/policy.h"

#include "auth/policy_inside.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *need(void *memory)
{
    if (memory == NULL) {
        (void)fputs("out of memory for a policy\n", stderr);
        abort();
    }
    return memory;
}

/* Room for one more item: capacities are powers of two from 16. */
static void *grow(void *items, size_t count, size_t size)
{
    if (items != NULL && (count < 16 || (count & (count - 1)) != 0))
        return items;
    return need(reallocarray(items, count < 16 ? 16 : 2 * count, size));
}

/* The smallest power of two that leaves half the table empty. */
static uint64_t table_size(size_t count)
{
    uint64_t size = 16;

    while (size < 2 * count)
        size *= 2;
    return size;
}

static struct policy_index index_new(size_t count)
{
    uint64_t size = table_size(count);
    struct policy_index x = {need(malloc(size * sizeof(uint32_t))), size - 1};

    memset(x.slots, 0xFF, size * sizeof(uint32_t));
    return x;
}

static void index_put(struct policy_index *x, uint64_t hash, uint32_t value)
{
    uint64_t i = hash & x->mask;

    while (x->slots[i] != POLICY_NONE)
        i = (i + 1) & x->mask;
    x->slots[i] = value;
}

struct policy *policy_new(const char *tenant_id, const char *tenant, bool active, int64_t epoch)
{
    struct policy *p = need(calloc(1, sizeof(*p)));

    atomic_init(&p->holders, 1);
    (void)snprintf(p->tenant_id, sizeof(p->tenant_id), "%s", tenant_id);
    (void)snprintf(p->tenant, sizeof(p->tenant), "%s", tenant);
    p->active = active;
    p->epoch = epoch;
    return p;
}

uint32_t policy_add_principal(struct policy *p, const struct policy_principal *principal)
{
    p->principals = grow(p->principals, p->principals_count, sizeof(*p->principals));
    p->principals[p->principals_count] = *principal;
    return (uint32_t)p->principals_count++;
}

uint32_t policy_add_project(struct policy *p, const struct policy_project *project)
{
    p->projects = grow(p->projects, p->projects_count, sizeof(*p->projects));
    p->projects[p->projects_count] = *project;
    return (uint32_t)p->projects_count++;
}

void policy_add_grant(struct policy *p, const struct policy_grant *grant)
{
    if (grant->principal >= p->principals_count || grant->scope >= policy_scopes(p) ||
        (unsigned)grant->role >= ROLE_COUNT)
        return;
    p->grants = grow(p->grants, p->grants_count, sizeof(*p->grants));
    p->grants[p->grants_count++] = *grant;
}

#define ORDER(x, y)                                                                                \
    if ((x) != (y))                                                                                \
    return (x) < (y) ? -1 : 1

static int by_place(const void *a, const void *b)
{
    const struct policy_grant *x = a;
    const struct policy_grant *y = b;

    ORDER(x->principal, y->principal);
    ORDER(x->scope, y->scope);
    ORDER(x->from_ms, y->from_ms);
    ORDER(x->until_ms, y->until_ms);
    return strcmp(x->id, y->id);
}

static bool same_entry(const struct policy_grant *a, const struct policy_grant *b)
{
    return a->principal == b->principal && a->scope == b->scope && a->from_ms == b->from_ms &&
           a->until_ms == b->until_ms;
}

/* What policy_seal gives by_set room for is every combination of roles. */
_Static_assert(ROLE_COUNT <= 13, "more combinations of roles than by_set takes");

/* Equal sets are stored once: there are few combinations of roles and many grants of each. */
static uint32_t intern(struct policy *p, const struct action_set *set)
{
    uint64_t hash = policy_hash(set, sizeof(*set));

    for (uint64_t i = hash & p->by_set.mask; p->by_set.slots[i] != POLICY_NONE;
         i = (i + 1) & p->by_set.mask)
        if (memcmp(&p->sets[p->by_set.slots[i]], set, sizeof(*set)) == 0)
            return p->by_set.slots[i];
    p->sets = grow(p->sets, p->sets_count, sizeof(*p->sets));
    p->sets[p->sets_count] = *set;
    index_put(&p->by_set, hash, (uint32_t)p->sets_count);
    return (uint32_t)p->sets_count++;
}

static void put_entry(struct policy *p, const struct policy_entry *e)
{
    uint64_t i = policy_mix(e->key) & p->mask;

    while (p->entries[i].key != 0)
        i = (i + 1) & p->mask;
    p->entries[i] = *e;
}

/* One entry for the run of grants from first that differ in their roles only; the next grant. */
static size_t merge(struct policy *p, size_t first)
{
    const struct policy_grant *g = &p->grants[first];
    struct action_set allow = {{0}};
    struct action_set deny = {{0}};
    size_t i = first;

    for (; i < p->grants_count && same_entry(&p->grants[i], g); i++) {
        struct action_set *into = p->grants[i].deny ? &deny : &allow;
        const struct action_set *more = &role_facts(p->grants[i].role)->actions;

        for (size_t w = 0; w < ACTION_WORDS; w++)
            into->words[w] |= more->words[w];
    }
    put_entry(p, &(struct policy_entry){policy_key(g->principal, g->scope), intern(p, &allow),
                                        intern(p, &deny), g->from_ms, g->until_ms});
    return i;
}

static void seal_grants(struct policy *p)
{
    uint64_t size = table_size(p->grants_count);
    const struct action_set empty = {{0}};

    if (p->grants_count > 0)
        qsort(p->grants, p->grants_count, sizeof(*p->grants), by_place);
    p->first_grant = need(calloc(p->principals_count + 1, sizeof(*p->first_grant)));
    for (size_t i = 0; i < p->grants_count; i++)
        p->first_grant[p->grants[i].principal + 1]++;
    for (size_t i = 0; i < p->principals_count; i++)
        p->first_grant[i + 1] += p->first_grant[i];
    p->entries = need(calloc(size, sizeof(*p->entries)));
    p->mask = size - 1;
    p->by_set = index_new(p->grants_count < 4096 ? 2 * p->grants_count + 1 : 8192);
    (void)intern(p, &empty);
    for (size_t i = 0; i < p->grants_count;)
        i = merge(p, i);
}

/* A service account is as alive as whoever answers for it. */
static bool lives(const struct policy *p, uint32_t principal)
{
    const struct policy_principal *who = &p->principals[principal];
    uint32_t owner;

    if (!p->active || !who->active)
        return false;
    if (who->kind != PRINCIPAL_SERVICE)
        return true;
    owner = policy_find_principal(p, who->owner);
    return owner != POLICY_NONE && p->principals[owner].active;
}

void policy_index(struct policy *p)
{
    p->by_id = index_new(p->principals_count);
    p->by_name = index_new(p->principals_count);
    p->by_project = index_new(p->projects_count);
    for (uint32_t i = 0; i < p->principals_count; i++) {
        index_put(&p->by_id, policy_hash_text(p->principals[i].id), i);
        index_put(&p->by_name, policy_hash_text(p->principals[i].name), i);
    }
    for (uint32_t i = 0; i < p->projects_count; i++)
        index_put(&p->by_project, policy_hash_text(p->projects[i].name), i);
}

void policy_seal(struct policy *p)
{
    if (p->by_id.slots == NULL)
        policy_index(p);
    p->alive = need(calloc(p->principals_count + 1, 1));
    p->parent = need(calloc(policy_scopes(p), sizeof(*p->parent)));
    for (uint32_t i = 0; i < p->principals_count; i++)
        p->alive[i] = lives(p, i);
    for (uint32_t i = 0; i < p->projects_count; i++)
        p->parent[SCOPE_AT_PROJECTS + i] = SCOPE_AT_TENANT;
    seal_grants(p);
}

struct policy *policy_hold(struct policy *p)
{
    atomic_fetch_add_explicit(&p->holders, 1, memory_order_relaxed);
    return p;
}

void policy_drop(struct policy *p)
{
    if (p == NULL || atomic_fetch_sub_explicit(&p->holders, 1, memory_order_acq_rel) != 1)
        return;
    free(p->principals);
    free(p->projects);
    free(p->grants);
    free(p->first_grant);
    free(p->parent);
    free(p->alive);
    free(p->by_id.slots);
    free(p->by_name.slots);
    free(p->by_project.slots);
    free(p->by_set.slots);
    free(p->entries);
    free(p->sets);
    free(p);
}
