/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/access/explain.h"

#include <string.h>

enum { STEPS_MAX = 3 * POLICY_STEPS_MAX };

const char *explain_scope(struct arena *a, const struct policy *p, uint32_t scope)
{
    const struct policy_asset *asset = policy_asset(p, scope);
    const struct policy_project *project = policy_scope_project(p, scope);

    if (asset != NULL)
        return arena_printf(a, "%s in project %s", asset->name, project->name);
    if (project != NULL)
        return arena_printf(a, "project %s", project->name);
    return scope == SCOPE_AT_PLATFORM ? "the platform" : "the tenant";
}

static void say(struct explanation *e, const char *line)
{
    if (e->steps.count < STEPS_MAX)
        e->steps.items[e->steps.count++] = line;
}

/* What the grant is: "role reader at project credit through group eng". */
static const char *name_of(struct arena *a, const struct policy *p, const struct policy_grant *g)
{
    const struct policy_role *role = policy_role(p, g->role);
    const char *place = explain_scope(a, p, g->scope);
    const char *through = "";

    if (g->group == POLICY_EVERYONE)
        through = " for everyone";
    else if (g->group != 0)
        through = arena_printf(a, " through group %s", policy_group(p, g->group - 1)->name);
    if (g->kind == GRANT_DENY)
        return arena_printf(a, "deny %s at scope %s%s", g->id, place, through);
    if (g->kind == GRANT_CEILING)
        return arena_printf(a, "ceiling %s at scope %s", g->id, place);
    return arena_printf(a, "role %s at scope %s%s", role->name, place, through);
}

static const char *verdict_of(struct arena *a, const struct policy *p, const struct policy_grant *g,
                              enum policy_verdict verdict)
{
    static const char *const counts[] = {
        [GRANT_ALLOW] = "allows it", [GRANT_DENY] = "takes it away", [GRANT_CEILING] = "covers it"};

    switch (verdict) {
    case STEP_NOT_YET:
        return "is not in force yet";
    case STEP_OVER:
        return "has run out";
    case STEP_CONDITION:
        return arena_printf(a, "does not hold: %s", policy_condition(p, g->condition)->text);
    case STEP_COUNTS:
        break;
    }
    return counts[g->kind];
}

static bool of_step(const struct policy *p, const struct policy_step *s,
                    const struct policy_grant *g, enum action action)
{
    return g->scope == s->scope && g->kind == s->kind && g->condition == s->condition &&
           g->from_ms == s->from_ms && g->until_ms == s->until_ms &&
           action_in(&policy_role(p, g->role)->actions, action);
}

/* The grants behind one step; the first that decides becomes the reason. */
static void say_step(struct arena *a, const struct policy *p, const struct policy_question *q,
                     const struct policy_step *s, struct explanation *e)
{
    size_t count;
    const struct policy_grant *grants = policy_grants(p, q->principal, &count);

    for (size_t i = 0; i < count; i++) {
        const char *name;

        if (!of_step(p, s, &grants[i], q->action))
            continue;
        name = name_of(a, p, &grants[i]);
        if (policy_shared_with(p, q->scope, s->scope))
            name = arena_printf(a, "%s, with which it is shared,", name);
        say(e, arena_printf(a, "%s %s", name, verdict_of(a, p, &grants[i], s->verdict)));
        if (e->reason == NULL && s->verdict == STEP_COUNTS &&
            s->kind == (e->allowed ? GRANT_ALLOW : GRANT_DENY))
            e->reason = name;
    }
}

static bool has_allow(const struct policy_trace *t)
{
    for (size_t i = 0; i < t->count; i++)
        if (t->steps[i].kind == GRANT_ALLOW && t->steps[i].verdict == STEP_COUNTS)
            return true;
    return false;
}

static bool if_all_held(const struct policy *p, const struct policy_question *q)
{
    static const struct circumstances all = {.mfa_age_s = -1, .assume = true};
    struct policy_question best = *q;

    best.circumstances = &all;
    return policy_decide(p, &best);
}

struct explanation explain(struct arena *a, const struct policy *p, const struct policy_question *q)
{
    struct explanation e = {.steps.items = arena_alloc(a, STEPS_MAX * sizeof(const char *))};
    struct policy_trace t;

    e.allowed = policy_trace(p, q, &t);
    e.conditional = !e.allowed && if_all_held(p, q);
    if (!policy_alive(p, q->principal)) {
        e.reason = "the principal, its owner or the tenant is disabled";
        say(&e, e.reason);
        return e;
    }
    for (size_t i = 0; i < t.count; i++)
        say_step(a, p, q, &t.steps[i], &e);
    if (e.reason == NULL)
        e.reason = has_allow(&t) && policy_capped(p, q->principal)
                       ? "no ceiling of the service account covers it"
                       : "no role in force allows it there";
    say(&e, arena_printf(a, "%s: %s", e.allowed ? "allowed" : "refused", e.reason));
    return e;
}
