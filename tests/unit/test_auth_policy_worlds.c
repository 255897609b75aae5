/* SPDX-License-Identifier: Apache-2.0 */
/* Random worlds with groups in groups, assets, ceilings, denies, spans and conditions: the
 * evaluator against the oracle that knows no table, no chain and no dissolved group; and the laws
 * that hold whatever the answer is. POLICY_QUESTIONS=1000000 asks more. */
#include "auth/access/policy.h"

#include "tests/unit/test.h"

#include <stdlib.h>
#include <string.h>

enum { PEOPLE = 6, PROJECTS = 3, ASSETS = 5, GROUPS = 4, NOW = 1000, PER_WORLD = 100 };

static uint64_t seed = 88172645463325252U;

/* Marsaglia's xorshift64. */
static unsigned dice(unsigned sides)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (unsigned)(seed >> 20) % sides;
}

/* What a world is made of, so that a law can make it again with one thing changed. */
struct plan {
    uint64_t seed;
    unsigned members, grants;
    int skip_member; /* -1: none */
    int skip_grant;
    int skip_kind; /* of the skipped grant only */
    const struct policy_grant *extra;
};

static int64_t from_dice(void)
{
    return dice(4) == 0 ? NOW - 2 + (int64_t)dice(5) : 0;
}

static int64_t until_dice(void)
{
    return dice(4) == 0 ? NOW - 2 + (int64_t)dice(5) : INT64_MAX;
}

static void add_things(struct policy *p)
{
    for (unsigned i = 0; i < PEOPLE; i++) {
        struct policy_principal who = {.active = dice(10) != 0};

        who.kind = dice(3) == 0 ? PRINCIPAL_SERVICE : PRINCIPAL_USER;
        (void)snprintf(who.id, sizeof(who.id), "id-%u", i);
        (void)snprintf(who.name, sizeof(who.name), "name-%u", i);
        if (who.kind == PRINCIPAL_SERVICE)
            (void)snprintf(who.owner, sizeof(who.owner), "id-%u", i / 2);
        (void)policy_add_principal(p, &who);
    }
    for (unsigned i = 0; i < PROJECTS; i++) {
        struct policy_project what = {.active = true};

        (void)snprintf(what.name, sizeof(what.name), "project-%u", i);
        (void)policy_add_project(p, &what);
    }
    policy_index(p);
    for (unsigned i = 0; i < ASSETS; i++) {
        struct policy_asset what = {.project = dice(PROJECTS), .level = (int)dice(4)};

        (void)snprintf(what.name, sizeof(what.name), "models/%u", i);
        (void)policy_add_asset(p, &what);
    }
    for (unsigned i = 0; i < GROUPS; i++) {
        struct policy_group g;

        (void)snprintf(g.id, sizeof(g.id), "group-id-%u", i);
        (void)snprintf(g.name, sizeof(g.name), "group-%u", i);
        (void)policy_add_group(p, &g);
    }
}

/* A group has only later ones in it, so there is no circle. */
static void add_members(struct policy *p, const struct plan *plan)
{
    for (unsigned i = 0; i < plan->members; i++) {
        struct policy_member m = {.group = dice(GROUPS),
                                  .principal = POLICY_NONE,
                                  .child = POLICY_NONE,
                                  .from_ms = from_dice(),
                                  .until_ms = until_dice()};

        if (dice(3) == 0 && m.group + 1 < GROUPS)
            m.child = m.group + 1 + dice(GROUPS - 1 - m.group);
        else
            m.principal = dice(PEOPLE);
        if ((int)i != plan->skip_member)
            policy_add_member(p, &m);
    }
}

static struct policy_grant some_grant(void)
{
    static const enum policy_kind kinds[] = {GRANT_ALLOW, GRANT_ALLOW,   GRANT_ALLOW,
                                             GRANT_ALLOW, GRANT_CEILING, GRANT_ELIGIBLE,
                                             GRANT_DENY};
    struct policy_grant g = {.principal = dice(PEOPLE + 1), /* one too many is ignored */
                             .scope = dice(SCOPE_AT_PROJECTS + PROJECTS + ASSETS),
                             .role = dice(ROLE_COUNT),
                             .kind = kinds[dice(7)]};

    if (dice(3) == 0 && g.kind != GRANT_CEILING)
        g.group = dice(12) == 0 ? POLICY_EVERYONE : 1 + dice(GROUPS);
    if (dice(4) == 0 && g.kind == GRANT_ALLOW)
        g.condition = 1 + dice(2);
    g.from_ms = from_dice();
    g.until_ms = until_dice();
    return g;
}

static struct policy *build(const struct plan *plan)
{
    static const char *const texts[] = {"classification <= internal", "purpose = fraud"};
    struct policy *p;

    seed = plan->seed;
    p = policy_new("tenant-id", "tenant", dice(50) != 0, 1);
    add_things(p);
    for (unsigned i = 0; i < 2; i++) {
        struct condition c;
        const char *why;

        (void)condition_parse(texts[i], &usual_levels, &c, &why);
        (void)policy_add_condition(p, &c);
    }
    policy_index_assets(p);
    for (unsigned i = dice(5); i > 0; i--)
        policy_add_share(p, &(struct policy_share){SCOPE_AT_PROJECTS + dice(PROJECTS + ASSETS),
                                                   dice(PROJECTS), dice(3) == 0, dice(2) == 0});
    add_members(p, plan);
    for (unsigned i = 0; i < plan->grants; i++) {
        struct policy_grant g = some_grant();

        if ((int)i != plan->skip_grant || (int)g.kind != plan->skip_kind)
            policy_add_grant(p, &g);
    }
    if (plan->extra != NULL)
        policy_add_grant(p, plan->extra);
    policy_seal(p);
    return p;
}

static struct plan some_plan(void)
{
    struct plan plan = {
        .members = dice(12), .grants = dice(30), .skip_member = -1, .skip_grant = -1};

    plan.seed = ((uint64_t)dice(1U << 30) << 20) + dice(1U << 20) + 1;
    return plan;
}

static struct policy_question some_question(void)
{
    static const struct circumstances fraud = {.purpose = "fraud", .mfa_age_s = -1};

    return (struct policy_question){dice(PEOPLE + 1), (enum action)dice(ACTION_COUNT),
                                    dice(SCOPE_AT_PROJECTS + PROJECTS + ASSETS),
                                    NOW - 3 + (int64_t)dice(7), dice(2) == 0 ? &fraud : NULL};
}

static unsigned long questions(void)
{
    const char *more = getenv("POLICY_QUESTIONS");

    return more == NULL ? 200000 : strtoul(more, NULL, 10);
}

static void fast_and_slow_and_traced_agree_in_every_world(void)
{
    unsigned long allowed = 0;
    unsigned long differ = 0;

    for (unsigned long w = 0; w < questions() / PER_WORLD; w++) {
        struct plan plan = some_plan();
        uint64_t next = seed;
        struct policy *p = build(&plan);

        for (unsigned q = 0; q < PER_WORLD; q++) {
            struct policy_question ask = some_question();
            struct policy_trace t;
            bool fast = policy_decide(p, &ask);

            allowed += fast;
            differ += fast != policy_decide_slowly(p, &ask);
            differ += fast != policy_trace(p, &ask, &t);
        }
        seed = next;
        policy_drop(p);
    }
    CHECK(differ == 0);
    CHECK(allowed > questions() / 50); /* the worlds are not all empty */
}

/* Is whatever after allows allowed by before too? Counts what differs the other way. */
static bool within(const struct policy *after, const struct policy *before, unsigned *fewer)
{
    bool good = true;

    for (unsigned q = 0; q < 200; q++) {
        struct policy_question ask = some_question();
        bool now = policy_decide(after, &ask);
        bool then = policy_decide(before, &ask);

        good = good && (!now || then);
        *fewer += then && !now;
    }
    return good;
}

/* The worlds of a plan and of the same with one change, compared. */
static void law(const char *name, void (*change)(struct plan *), bool adds)
{
    unsigned broken = 0;
    unsigned moved = 0;

    for (unsigned w = 0; w < 2000; w++) {
        struct plan plan = some_plan();
        uint64_t next = seed;
        struct policy *before = build(&plan);
        struct policy *after;

        seed = next;
        change(&plan);
        next = seed;
        after = build(&plan);
        broken += adds ? !within(before, after, &moved) : !within(after, before, &moved);
        seed = next;
        policy_drop(before);
        policy_drop(after);
    }
    CHECK(broken == 0);
    CHECK(moved > 0);
    if (broken > 0)
        (void)printf("# %s is broken in %u worlds\n", name, broken);
}

static struct policy_grant extra;

static void with_deny(struct plan *plan)
{
    extra = some_grant();
    extra.kind = GRANT_DENY;
    extra.condition = 0;
    plan->extra = &extra;
}

static void with_grant(struct plan *plan)
{
    extra = some_grant();
    extra.kind = GRANT_ALLOW;
    plan->extra = &extra;
}

static void with_eligible(struct plan *plan)
{
    extra = some_grant();
    extra.kind = GRANT_ELIGIBLE;
    plan->extra = &extra;
}

static void without_grant(struct plan *plan)
{
    plan->skip_grant = plan->grants == 0 ? -1 : (int)dice(plan->grants);
    plan->skip_kind = GRANT_ALLOW;
}

static void another_deny_never_adds(void)
{
    law("a deny", with_deny, false);
}

static void another_grant_never_takes(void)
{
    law("a grant", with_grant, true);
}

static void one_grant_less_never_adds(void)
{
    law("a grant less", without_grant, false);
}

static void being_eligible_changes_nothing(void)
{
    unsigned differ = 0;

    for (unsigned w = 0; w < 1000; w++) {
        struct plan plan = some_plan();
        uint64_t next = seed;
        struct policy *before = build(&plan);
        struct policy *after;

        seed = next;
        with_eligible(&plan);
        next = seed;
        after = build(&plan);
        for (unsigned q = 0; q < 100; q++) {
            struct policy_question ask = some_question();

            differ += policy_decide(before, &ask) != policy_decide(after, &ask);
        }
        seed = next;
        policy_drop(before);
        policy_drop(after);
    }
    CHECK(differ == 0);
}

/* One member less takes rights and denies: where there is no deny, it never adds. */
static void leaving_a_group_without_denies_never_adds(void)
{
    for (unsigned w = 0; w < 2000; w++) {
        struct policy *p[2];

        for (int left = 0; left < 2; left++) {
            struct policy_group g = {"group-id", "group"};

            p[left] = policy_new("tenant-id", "tenant", true, 1);
            seed = 77 + w;
            add_things(p[left]);
            (void)policy_add_group(p[left], &g);
            policy_index_assets(p[left]);
            if (left == 0)
                policy_add_member(p[left],
                                  &(struct policy_member){GROUPS, 0, POLICY_NONE, 0, INT64_MAX});
            for (unsigned i = 0; i < 6; i++)
                policy_add_grant(p[left], &(struct policy_grant){
                                              .principal = dice(PEOPLE),
                                              .group = dice(2) == 0 ? 0 : GROUPS + 1,
                                              .scope = dice(SCOPE_AT_PROJECTS + PROJECTS + ASSETS),
                                              .role = dice(ROLE_COUNT),
                                              .until_ms = INT64_MAX,
                                          });
            policy_seal(p[left]);
        }
        for (unsigned q = 0; q < 50; q++) {
            struct policy_question ask = some_question();

            CHECK(!policy_decide(p[1], &ask) || policy_decide(p[0], &ask));
        }
        policy_drop(p[0]);
        policy_drop(p[1]);
    }
}

/* Every span of the grants is over: nothing is left, whatever was. */
static void after_the_end_of_time_nobody_may_anything(void)
{
    for (unsigned w = 0; w < 500; w++) {
        struct plan plan = some_plan();
        uint64_t next = seed;
        struct policy *p = build(&plan);

        for (unsigned q = 0; q < 50; q++) {
            struct policy_question ask = some_question();

            ask.now_ms = INT64_MAX;
            CHECK(!policy_decide(p, &ask));
        }
        seed = next;
        policy_drop(p);
    }
}

static void a_group_holds_five_deep_and_no_deeper(void)
{
    struct policy *p = policy_new("tenant-id", "tenant", true, 1);
    struct policy_principal ann = {"id-0", "name-0", "", PRINCIPAL_USER, true, 0};

    (void)policy_add_principal(p, &ann);
    policy_index(p);
    policy_index_assets(p);
    for (uint32_t i = 0; i < 7; i++) {
        struct policy_group g = {"id", "name"};

        (void)policy_add_group(p, &g);
    }
    for (uint32_t i = 0; i < 6; i++)
        policy_add_member(p, &(struct policy_member){i, POLICY_NONE, i + 1, 0, INT64_MAX});
    policy_add_member(p, &(struct policy_member){6, 0, POLICY_NONE, 0, INT64_MAX});
    policy_add_grant(p, &(struct policy_grant){.group = 2 + 1,
                                               .scope = SCOPE_AT_TENANT,
                                               .role = ROLE_READER,
                                               .until_ms = INT64_MAX});
    policy_add_grant(p, &(struct policy_grant){.group = 1 + 1,
                                               .scope = SCOPE_AT_TENANT,
                                               .role = ROLE_DEPLOYER,
                                               .until_ms = INT64_MAX});
    policy_seal(p);
    CHECK(policy_allows(p, 0, ASSET_READ, SCOPE_AT_TENANT, NOW));
    CHECK(!policy_allows(p, 0, ENDPOINT_DEPLOY, SCOPE_AT_TENANT, NOW));
    policy_drop(p);
}

static void who_is_spared_keeps_what_a_deny_takes_from_the_rest(void)
{
    struct policy *p = policy_new("tenant-id", "tenant", true, 1);
    struct policy_principal ann = {"id-0", "name-0", "", PRINCIPAL_USER, true, 0};
    struct policy_principal ben = {"id-1", "name-1", "", PRINCIPAL_USER, true, 0};
    uint32_t role;

    (void)policy_add_principal(p, &ann);
    (void)policy_add_principal(p, &ben);
    policy_index(p);
    policy_index_assets(p);
    role = policy_add_role(p, &(struct policy_role){.actions = role_facts(ROLE_READER)->actions});
    for (uint32_t i = 0; i < 2; i++)
        policy_add_grant(p, &(struct policy_grant){.principal = i,
                                                   .scope = SCOPE_AT_TENANT,
                                                   .role = ROLE_READER,
                                                   .until_ms = INT64_MAX});
    policy_add_grant(p, &(struct policy_grant){.group = POLICY_EVERYONE,
                                               .scope = SCOPE_AT_TENANT,
                                               .role = role,
                                               .kind = GRANT_DENY,
                                               .until_ms = INT64_MAX});
    policy_add_grant(p, &(struct policy_grant){.principal = 1,
                                               .scope = SCOPE_AT_TENANT,
                                               .role = role,
                                               .kind = GRANT_SPARE,
                                               .until_ms = INT64_MAX});
    policy_seal(p);
    CHECK(!policy_allows(p, 0, ASSET_READ, SCOPE_AT_TENANT, NOW));
    CHECK(policy_allows(p, 1, ASSET_READ, SCOPE_AT_TENANT, NOW));
    policy_drop(p);
}

/* Neither the actions of a role nor what an asset is can be asked of the oracle, which shares them.
 */
static void a_condition_is_about_the_asset_that_is_asked_for(void)
{
    struct policy *p = policy_new("tenant-id", "tenant", true, 1);
    struct policy_principal ann = {"id-0", "name-0", "", PRINCIPAL_USER, true, 0};
    struct policy_project credit = {"id", "credit", true};
    struct condition c;
    const char *why;
    uint32_t secret;
    uint32_t open;

    (void)policy_add_principal(p, &ann);
    (void)policy_add_project(p, &credit);
    policy_index(p);
    secret = policy_add_asset(p, &(struct policy_asset){.name = "models/a", .level = 2});
    open = policy_add_asset(p, &(struct policy_asset){.name = "models/b", .level = 1});
    policy_index_assets(p);
    CHECK(condition_parse("classification <= internal", &usual_levels, &c, &why));
    policy_add_grant(p, &(struct policy_grant){.scope = SCOPE_AT_TENANT,
                                               .role = ROLE_READER,
                                               .condition = policy_add_condition(p, &c),
                                               .until_ms = INT64_MAX});
    policy_seal(p);
    CHECK(!policy_allows(p, 0, ASSET_READ, secret, NOW));
    CHECK(policy_allows(p, 0, ASSET_READ, open, NOW));
    CHECK(policy_allows(p, 0, ASSET_READ, SCOPE_AT_PROJECTS, NOW));
    CHECK(policy_asset_scope(p, 0, "models/a") == secret &&
          policy_asset_scope(p, 0, "models/c") == SCOPE_AT_PROJECTS);
    policy_drop(p);
}

static void no_role_can_give_what_is_denied_by_default(void)
{
    struct policy *p = policy_new("tenant-id", "tenant", true, 1);
    struct policy_principal ann = {"id-0", "name-0", "", PRINCIPAL_USER, true, 0};
    struct policy_role all = {.name = "all"};

    memset(&all.actions, 0xFF, sizeof(all.actions));
    (void)policy_add_principal(p, &ann);
    policy_index(p);
    policy_index_assets(p);
    policy_add_grant(p, &(struct policy_grant){.scope = SCOPE_AT_TENANT,
                                               .role = policy_add_role(p, &all),
                                               .until_ms = INT64_MAX});
    policy_seal(p);
    CHECK(policy_allows(p, 0, ASSET_READ, SCOPE_AT_TENANT, NOW));
    CHECK(!policy_allows(p, 0, DENY, SCOPE_AT_TENANT, NOW));
    CHECK(!policy_allows(p, 0, ACTION_COUNT, SCOPE_AT_TENANT, NOW));
    policy_drop(p);
}

int main(void)
{
    RUN(fast_and_slow_and_traced_agree_in_every_world);
    RUN(another_deny_never_adds);
    RUN(another_grant_never_takes);
    RUN(one_grant_less_never_adds);
    RUN(being_eligible_changes_nothing);
    RUN(leaving_a_group_without_denies_never_adds);
    RUN(after_the_end_of_time_nobody_may_anything);
    RUN(a_group_holds_five_deep_and_no_deeper);
    RUN(a_condition_is_about_the_asset_that_is_asked_for);
    RUN(no_role_can_give_what_is_denied_by_default);
    RUN(who_is_spared_keeps_what_a_deny_takes_from_the_rest);
    return failures != 0;
}
