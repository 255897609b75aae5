/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/access/policy_inside.h"

#include <stdlib.h>
#include <string.h>

/* From what was added to what is asked: groups are dissolved into their members, and what one
 * principal has at one place for one span becomes one entry of a hash table. */

#define ORDER(x, y)                                                                                \
    if ((x) != (y))                                                                                \
    return (x) < (y) ? -1 : 1

static int by_group(const void *a, const void *b)
{
    const struct policy_member *x = a;
    const struct policy_member *y = b;

    ORDER(x->group, y->group);
    ORDER(x->principal, y->principal);
    ORDER(x->child, y->child);
    return 0;
}

static void seal_members(struct policy *p)
{
    p->first_member = policy_need(calloc(p->groups.count + 1, sizeof(*p->first_member)));
    if (p->members.count > 0)
        qsort(p->members.items, p->members.count, sizeof(*p->members.items), by_group);
    for (size_t i = 0; i < p->members.count; i++)
        p->first_member[p->members.items[i].group + 1]++;
    for (size_t i = 0; i < p->groups.count; i++)
        p->first_member[i + 1] += p->first_member[i];
}

/* A member has the grant while both it and the membership are in force. */
static void dissolve(struct policy *p, const struct policy_grant *g, uint32_t group, int depth)
{
    for (uint32_t i = p->first_member[group]; i < p->first_member[group + 1]; i++) {
        const struct policy_member m = p->members.items[i];
        struct policy_grant mine = *g;

        mine.from_ms = m.from_ms > g->from_ms ? m.from_ms : g->from_ms;
        mine.until_ms = m.until_ms < g->until_ms ? m.until_ms : g->until_ms;
        mine.principal = m.principal;
        if (mine.from_ms >= mine.until_ms)
            continue;
        if (m.principal < p->principals.count)
            (void)LIST_ADD(p->grants, mine);
        else if (depth < GROUPS_DEEP)
            dissolve(p, &mine, m.child, depth + 1);
    }
}

static void dissolve_all(struct policy *p)
{
    for (size_t i = 0; i < p->group_grants.count; i++) {
        struct policy_grant g = p->group_grants.items[i];

        if (g.group != POLICY_EVERYONE) {
            dissolve(p, &g, g.group - 1, 1);
            continue;
        }
        for (g.principal = 0; g.principal < p->principals.count; g.principal++)
            (void)LIST_ADD(p->grants, g);
    }
}

static int by_asset(const void *a, const void *b)
{
    const struct policy_share *x = a;
    const struct policy_share *y = b;

    ORDER(x->scope, y->scope);
    ORDER(x->with, y->with);
    ORDER(x->version, y->version);
    return 0;
}

static void seal_shares(struct policy *p)
{
    uint32_t first = policy_first_asset(p);

    p->first_share = policy_need(calloc(p->assets.count + 1, sizeof(*p->first_share)));
    if (p->shares.count > 0)
        qsort(p->shares.items, p->shares.count, sizeof(*p->shares.items), by_asset);
    for (size_t i = 0; i < p->shares.count; i++)
        p->first_share[p->shares.items[i].scope - first + 1]++;
    for (size_t i = 0; i < p->assets.count; i++)
        p->first_share[i + 1] += p->first_share[i];
}

static int by_place(const void *a, const void *b)
{
    const struct policy_grant *x = a;
    const struct policy_grant *y = b;

    ORDER(x->principal, y->principal);
    ORDER(x->scope, y->scope);
    ORDER(policy_how(x), policy_how(y));
    ORDER(x->from_ms, y->from_ms);
    ORDER(x->until_ms, y->until_ms);
    return strcmp(x->id, y->id);
}

static bool same_entry(const struct policy_grant *a, const struct policy_grant *b)
{
    return a->principal == b->principal && a->scope == b->scope && policy_how(a) == policy_how(b) &&
           a->from_ms == b->from_ms && a->until_ms == b->until_ms;
}

/* Exempt for as long as the deny lasts; being in a spared group for a while exempts from nothing.
 */
static bool spared(const struct policy *p, const struct policy_grant *deny)
{
    size_t count;
    const struct policy_grant *own = policy_grants(p, deny->principal, &count);

    for (size_t i = 0; i < count; i++)
        if (own[i].kind == GRANT_SPARE && own[i].role == deny->role &&
            own[i].from_ms <= deny->from_ms && own[i].until_ms >= deny->until_ms)
            return true;
    return false;
}

/* Equal sets are stored once: there are few combinations of roles and many grants of each. */
static uint32_t intern(struct policy *p, const struct action_set *set)
{
    uint64_t hash = policy_hash(set, sizeof(*set));

    for (uint64_t i = hash & p->by_set.mask; p->by_set.slots[i] != POLICY_NONE;
         i = (i + 1) & p->by_set.mask)
        if (memcmp(&p->sets.items[p->by_set.slots[i]], set, sizeof(*set)) == 0)
            return p->by_set.slots[i];
    policy_index_put(&p->by_set, hash, (uint32_t)p->sets.count);
    return LIST_ADD(p->sets, *set);
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
    const struct policy_grant *g = &p->grants.items[first];
    struct action_set set = {{0}};
    size_t i = first;

    for (; i < p->grants.count && same_entry(&p->grants.items[i], g); i++) {
        const struct action_set *more = &p->roles.items[p->grants.items[i].role].actions;

        if (g->kind == GRANT_DENY && spared(p, &p->grants.items[i]))
            continue;
        for (size_t w = 0; w < ACTION_WORDS; w++)
            set.words[w] |= more->words[w];
    }
    if (g->kind <= GRANT_CEILING)
        put_entry(p, &(struct policy_entry){policy_key(g->principal, g->scope), intern(p, &set),
                                            policy_how(g), g->from_ms, g->until_ms});
    if (g->kind == GRANT_CEILING)
        p->state[g->principal] |= STATE_CAPPED;
    return i;
}

static void seal_grants(struct policy *p)
{
    uint64_t size;

    dissolve_all(p);
    size = policy_table_size(p->grants.count);
    if (p->grants.count > 0)
        qsort(p->grants.items, p->grants.count, sizeof(*p->grants.items), by_place);
    p->first_grant = policy_need(calloc(p->principals.count + 1, sizeof(*p->first_grant)));
    for (size_t i = 0; i < p->grants.count; i++)
        p->first_grant[p->grants.items[i].principal + 1]++;
    for (size_t i = 0; i < p->principals.count; i++)
        p->first_grant[i + 1] += p->first_grant[i];
    p->entries = policy_need(calloc(size, sizeof(*p->entries)));
    p->mask = size - 1;
    p->by_set = policy_index_new(p->grants.count + 1);
    for (size_t i = 0; i < p->grants.count;)
        i = merge(p, i);
    free(p->by_set.slots);
    p->by_set.slots = NULL;
}

/* A service account is as alive as whoever answers for it. */
static bool lives(const struct policy *p, uint32_t principal)
{
    const struct policy_principal *who = &p->principals.items[principal];
    uint32_t owner;

    if (!p->active || !who->active)
        return false;
    if (who->kind != PRINCIPAL_SERVICE)
        return true;
    owner = policy_find_principal(p, who->owner);
    return owner != POLICY_NONE && p->principals.items[owner].active;
}

void policy_seal(struct policy *p)
{
    if (p->by_id.slots == NULL)
        policy_index(p);
    if (p->by_asset.slots == NULL)
        policy_index_assets(p);
    p->state = policy_need(calloc(p->principals.count + 1, 1));
    p->parent = policy_need(calloc(policy_scopes(p), sizeof(*p->parent)));
    for (uint32_t i = 0; i < p->principals.count; i++)
        p->state[i] = lives(p, i) ? STATE_ALIVE : 0;
    for (uint32_t i = 0; i < p->projects.count; i++)
        p->parent[SCOPE_AT_PROJECTS + i] = SCOPE_AT_TENANT;
    for (uint32_t i = 0; i < p->assets.count; i++)
        p->parent[policy_first_asset(p) + i] = SCOPE_AT_PROJECTS + p->assets.items[i].project;
    seal_members(p);
    seal_shares(p);
    seal_grants(p);
}
