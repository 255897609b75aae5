/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/access/policy.h"

#include "auth/access/policy_inside.h"

enum { CHAIN_MAX = 6 };

/* From the scope to the root, with the home slots of the entries on the way to the cache. */
static unsigned chain_of(const struct policy *p, uint32_t principal, uint32_t scope,
                         uint32_t scopes[CHAIN_MAX])
{
    unsigned n = 0;

    for (uint32_t at = scope; n < CHAIN_MAX; at = p->parent[at]) {
        scopes[n++] = at;
        __builtin_prefetch(&p->entries[policy_mix(policy_key(principal, at)) & p->mask]);
        if (at == p->parent[at])
            break;
    }
    return n;
}

static const char *tag_of(const void *asset, const char *key)
{
    return json_string_value(json_object_get(((const struct policy_asset *)asset)->tags, key));
}

/* An asset without anything of its own is one of the lowest level without tags. */
static bool condition_true(const struct policy *p, uint32_t condition,
                           const struct policy_question *q)
{
    const struct condition *c = policy_condition(p, condition);
    const struct policy_asset *a = policy_asset(p, q->scope);
    const struct condition_asset about = {
        .level = a == NULL ? 0 : a->level, .tag = a == NULL ? NULL : tag_of, .asset = a};

    return c != NULL && condition_holds(c, q->circumstances, &about, q->now_ms);
}

static inline enum policy_verdict judge(const struct policy *p, const struct policy_entry *e,
                                        const struct policy_question *q)
{
    if (q->now_ms < e->from_ms)
        return STEP_NOT_YET;
    if (q->now_ms >= e->until_ms)
        return STEP_OVER;
    return e->how >> 3 == 0 || condition_true(p, e->how >> 3, q) ? STEP_COUNTS : STEP_CONDITION;
}

static void note(struct policy_trace *t, uint32_t scope, const struct policy_entry *e,
                 enum policy_verdict verdict)
{
    t->more = t->more || t->count == POLICY_STEPS_MAX;
    if (!t->more)
        t->steps[t->count++] = (struct policy_step){
            scope, (enum policy_kind)(e->how & 7), e->how >> 3, e->from_ms, e->until_ms, verdict};
}

/* Which kinds of entries with the action count, as bits, at one scope. */
static inline unsigned kinds_at(const struct policy *p, const struct policy_question *q,
                                uint32_t scope, struct policy_trace *t)
{
    uint64_t key = policy_key(q->principal, scope);
    unsigned kinds = 0;

    for (uint64_t i = policy_mix(key) & p->mask; p->entries[i].key != 0; i = (i + 1) & p->mask) {
        const struct policy_entry *e = &p->entries[i];
        enum policy_verdict verdict;

        if (e->key != key || !action_in(&p->sets.items[e->set], q->action))
            continue;
        verdict = judge(p, e, q);
        if (t != NULL)
            note(t, scope, e, verdict);
        if (verdict == STEP_COUNTS)
            kinds |= 1U << (e->how & 7);
    }
    return kinds;
}

static bool reads(enum action a)
{
    return a == ASSET_READ || a == FILE_READ || a == LINEAGE_READ;
}

/* A share of one version is for who names that one; by alias only where that was agreed. */
static bool share_covers(const struct policy_share *s, const struct circumstances *c)
{
    if (c == NULL)
        return s->version == 0;
    if (c->assume)
        return true;
    return (s->version == 0 || c->version == s->version || c->version == ANY_VERSION) &&
           (s->by_alias || c->alias == NULL);
}

/* By what is given in a project that the asset is shared with; above projects was asked already. */
static bool through_share(const struct policy *p, const struct policy_question *q,
                          struct policy_trace *t)
{
    uint32_t asset = q->scope - policy_first_asset(p);

    if (policy_asset(p, q->scope) == NULL || !reads(q->action))
        return false;
    for (uint32_t i = p->first_share[asset]; i < p->first_share[asset + 1]; i++) {
        const struct policy_share *s = &p->shares.items[i];
        unsigned kinds;

        if (!p->projects.items[s->with].active || !share_covers(s, q->circumstances))
            continue;
        kinds = kinds_at(p, q, SCOPE_AT_PROJECTS + s->with, t);
        if ((kinds & 1U << GRANT_ALLOW) != 0 && (kinds & 1U << GRANT_DENY) == 0)
            return true;
    }
    return false;
}

bool policy_shared_with(const struct policy *p, uint32_t scope, uint32_t project_scope)
{
    uint32_t asset = scope - policy_first_asset(p);

    if (policy_asset(p, scope) == NULL)
        return false;
    for (uint32_t i = p->first_share[asset]; i < p->first_share[asset + 1]; i++)
        if (SCOPE_AT_PROJECTS + p->shares.items[i].with == project_scope)
            return true;
    return false;
}

/* Inlined twice, once without the notes. */
static inline __attribute__((always_inline)) bool decide(const struct policy *p,
                                                         const struct policy_question *q,
                                                         struct policy_trace *t)
{
    uint32_t scopes[CHAIN_MAX];
    unsigned kinds = 0;
    unsigned n;

    if (q->action == DENY || (unsigned)q->action >= ACTION_COUNT || q->scope >= policy_scopes(p) ||
        !policy_alive(p, q->principal))
        return false;
    n = chain_of(p, q->principal, q->scope, scopes);
    for (unsigned c = 0; c < n; c++)
        kinds |= kinds_at(p, q, scopes[c], t);
    if ((kinds & 1U << GRANT_DENY) != 0 ||
        ((kinds & 1U << GRANT_ALLOW) == 0 && !through_share(p, q, t)))
        return false;
    return !policy_capped(p, q->principal) || (kinds & 1U << GRANT_CEILING) != 0;
}

bool policy_decide(const struct policy *p, const struct policy_question *q)
{
    return decide(p, q, NULL);
}

bool policy_trace(const struct policy *p, const struct policy_question *q, struct policy_trace *t)
{
    *t = (struct policy_trace){.count = 0};
    return decide(p, q, t);
}

bool policy_allows(const struct policy *p, uint32_t principal, enum action a, uint32_t scope,
                   int64_t now_ms)
{
    return policy_decide(p, &(struct policy_question){principal, a, scope, now_ms, NULL});
}

bool policy_covers(const struct policy *p, uint32_t principal, const struct action_set *actions,
                   uint32_t scope, int64_t now_ms)
{
    for (unsigned a = DENY + 1; a < ACTION_COUNT; a++)
        if (action_in(actions, (enum action)a) &&
            !policy_allows(p, principal, (enum action)a, scope, now_ms))
            return false;
    return true;
}

static bool member_at(const struct policy *p, uint32_t group, uint32_t principal, int64_t now_ms,
                      int depth)
{
    for (size_t i = 0; i < p->members.count; i++) {
        const struct policy_member *m = &p->members.items[i];

        if (m->group != group ||
            (now_ms != POLICY_ANY_TIME && (now_ms < m->from_ms || now_ms >= m->until_ms)))
            continue;
        if (m->principal == principal || (m->child < p->groups.count && depth < GROUPS_DEEP &&
                                          member_at(p, m->child, principal, now_ms, depth + 1)))
            return true;
    }
    return false;
}

bool policy_in_group(const struct policy *p, uint32_t group, uint32_t principal, int64_t now_ms)
{
    return principal != POLICY_NONE && member_at(p, group, principal, now_ms, 1);
}

static bool contains(const struct policy *p, uint32_t higher, uint32_t lower, int depth)
{
    if (higher == lower)
        return true;
    for (size_t i = 0; i < p->members.count && depth < GROUPS_DEEP; i++)
        if (p->members.items[i].group == higher && p->members.items[i].child < p->groups.count &&
            contains(p, p->members.items[i].child, lower, depth + 1))
            return true;
    return false;
}

bool policy_contains(const struct policy *p, uint32_t higher, uint32_t lower)
{
    if (higher == POLICY_EVERYONE || higher == lower)
        return true;
    return higher > 0 && lower > 0 && contains(p, higher - 1, lower - 1, 1);
}

bool policy_group_has(const struct policy *p, uint32_t group, enum policy_kind kind)
{
    for (size_t i = 0; i < p->group_grants.count; i++)
        if (p->group_grants.items[i].kind == kind &&
            p->group_grants.items[i].group != POLICY_EVERYONE &&
            policy_contains(p, p->group_grants.items[i].group, group + 1))
            return true;
    return false;
}

static bool holds_slowly(const struct policy *p, const struct policy_question *q,
                         const struct policy_grant *g)
{
    if (g->group == POLICY_EVERYONE)
        return true;
    return g->group == 0 ? g->principal == q->principal
                         : policy_in_group(p, g->group - 1, q->principal, q->now_ms);
}

static bool above(const struct policy *p, uint32_t high, uint32_t low)
{
    const struct policy_asset *a = policy_asset(p, low);

    return high == low || high == SCOPE_AT_PLATFORM ||
           (high == SCOPE_AT_TENANT && low >= SCOPE_AT_PROJECTS) ||
           (a != NULL && high == SCOPE_AT_PROJECTS + a->project);
}

bool policy_grant_counts(const struct policy *p, const struct policy_grant *g,
                         const struct policy_question *q)
{
    return q->now_ms >= g->from_ms && q->now_ms < g->until_ms && above(p, g->scope, q->scope) &&
           action_in(&p->roles.items[g->role].actions, q->action) &&
           (g->condition == 0 || condition_true(p, g->condition, q));
}

/* Does a grant of the kind, in either list, count? */
static bool any_slowly(const struct policy *p, const struct policy_question *q,
                       enum policy_kind kind)
{
    for (size_t i = 0; i < p->grants.count + p->group_grants.count; i++) {
        const struct policy_grant *g =
            i < p->grants.count ? &p->grants.items[i] : &p->group_grants.items[i - p->grants.count];

        if ((i >= p->grants.count || g->group == 0) && g->kind == kind && holds_slowly(p, q, g) &&
            policy_grant_counts(p, g, q))
            return true;
    }
    return false;
}

/* The same of what is given at the one scope of a project, for an asset that is not in it. */
static bool any_there(const struct policy *p, const struct policy_question *q, uint32_t scope,
                      enum policy_kind kind)
{
    for (size_t i = 0; i < p->grants.count + p->group_grants.count; i++) {
        const struct policy_grant *g =
            i < p->grants.count ? &p->grants.items[i] : &p->group_grants.items[i - p->grants.count];

        if ((i >= p->grants.count || g->group == 0) && g->kind == kind && g->scope == scope &&
            holds_slowly(p, q, g) && q->now_ms >= g->from_ms && q->now_ms < g->until_ms &&
            action_in(&p->roles.items[g->role].actions, q->action) &&
            (g->condition == 0 || condition_true(p, g->condition, q)))
            return true;
    }
    return false;
}

static bool shared_slowly(const struct policy *p, const struct policy_question *q)
{
    for (size_t i = 0; i < p->shares.count; i++) {
        const struct policy_share *s = &p->shares.items[i];

        if (s->scope == q->scope && reads(q->action) && p->projects.items[s->with].active &&
            share_covers(s, q->circumstances) &&
            any_there(p, q, SCOPE_AT_PROJECTS + s->with, GRANT_ALLOW) &&
            !any_there(p, q, SCOPE_AT_PROJECTS + s->with, GRANT_DENY))
            return true;
    }
    return false;
}

/* Exemptions from denies are not known here: its worlds have none. */
bool policy_decide_slowly(const struct policy *p, const struct policy_question *q)
{
    bool capped = false;

    if (q->action == DENY || !policy_alive(p, q->principal) || any_slowly(p, q, GRANT_DENY))
        return false;
    for (size_t i = 0; i < p->grants.count; i++)
        capped = capped || (p->grants.items[i].kind == GRANT_CEILING &&
                            p->grants.items[i].principal == q->principal);
    return (any_slowly(p, q, GRANT_ALLOW) || shared_slowly(p, q)) &&
           (!capped || any_slowly(p, q, GRANT_CEILING));
}
