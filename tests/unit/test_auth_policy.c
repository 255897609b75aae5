/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/access/policy.h"

#include "tests/unit/test.h"

#include <stdlib.h>
#include <string.h>

enum { PEOPLE = 6, PROJECTS = 3, WORLDS = 1000, QUESTIONS = 100, NOW = 1000 };

static uint64_t seed = 88172645463325252U;

/* Marsaglia's xorshift64. */
static unsigned dice(unsigned sides)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (unsigned)(seed >> 20) % sides;
}

static uint32_t person(struct policy *p, unsigned i, enum principal_kind kind, bool active)
{
    struct policy_principal who = {.kind = kind, .active = active};

    (void)snprintf(who.id, sizeof(who.id), "id-%u", i);
    (void)snprintf(who.name, sizeof(who.name), "name-%u", i);
    if (kind == PRINCIPAL_SERVICE)
        (void)snprintf(who.owner, sizeof(who.owner), "id-%u", i / 2);
    return policy_add_principal(p, &who);
}

static uint32_t project(struct policy *p, unsigned i)
{
    struct policy_project what = {.active = true};

    (void)snprintf(what.id, sizeof(what.id), "project-id-%u", i);
    (void)snprintf(what.name, sizeof(what.name), "project-%u", i);
    return SCOPE_AT_PROJECTS + policy_add_project(p, &what);
}

static void grant(struct policy *p, uint32_t who, uint32_t scope, enum role role)
{
    policy_add_grant(p, &(struct policy_grant){
                            .principal = who, .scope = scope, .role = role, .until_ms = INT64_MAX});
}

/* Two people, two projects; the tests add grants and seal it. */
static struct policy *small(void)
{
    struct policy *p = policy_new("tenant-id", "tenant", true, 1);

    (void)person(p, 0, PRINCIPAL_USER, true);
    (void)person(p, 1, PRINCIPAL_USER, true);
    (void)project(p, 0);
    (void)project(p, 1);
    return p;
}

static struct policy *random_world(void)
{
    struct policy *p = policy_new("tenant-id", "tenant", dice(50) != 0, 1);
    unsigned grants = dice(30);

    for (unsigned i = 0; i < PEOPLE; i++)
        (void)person(p, i, dice(3) == 0 ? PRINCIPAL_SERVICE : PRINCIPAL_USER, dice(8) != 0);
    for (unsigned i = 0; i < PROJECTS; i++)
        (void)project(p, i);
    while (grants-- > 0)
        policy_add_grant(p, &(struct policy_grant){
                                .principal = dice(PEOPLE + 1), /* one too many is ignored */
                                .scope = dice(SCOPE_AT_PROJECTS + PROJECTS),
                                .role = (enum role)dice(ROLE_COUNT),
                                .kind = dice(6) == 0 ? GRANT_DENY : GRANT_ALLOW,
                                .from_ms = dice(3) == 0 ? NOW - 2 + dice(5) : 0,
                                .until_ms = dice(3) == 0 ? NOW - 2 + dice(5) : INT64_MAX,
                            });
    policy_seal(p);
    return p;
}

static void fast_and_slow_agree_on_100000_questions(void)
{
    unsigned allowed = 0;

    for (unsigned w = 0; w < WORLDS; w++) {
        struct policy *p = random_world();
        unsigned differ = 0;

        for (unsigned q = 0; q < QUESTIONS; q++) {
            uint32_t who = dice(PEOPLE + 1);
            enum action a = (enum action)dice(ACTION_COUNT);
            uint32_t scope = dice(SCOPE_AT_PROJECTS + PROJECTS);
            int64_t now = NOW - 3 + dice(7);
            bool fast = policy_allows(p, who, a, scope, now);

            allowed += fast;
            differ += fast !=
                      policy_decide_slowly(p, &(struct policy_question){who, a, scope, now, NULL});
        }
        policy_drop(p);
        CHECK(differ == 0);
    }
    CHECK(allowed > 5000); /* the worlds are not all empty */
}

static void a_grant_holds_at_its_scope_and_below(void)
{
    struct policy *p = small();

    grant(p, 0, SCOPE_AT_TENANT, ROLE_READER);
    grant(p, 1, SCOPE_AT_PROJECTS, ROLE_READER);
    policy_seal(p);
    CHECK(policy_allows(p, 0, ASSET_READ, SCOPE_AT_TENANT, NOW));
    CHECK(policy_allows(p, 0, ASSET_READ, SCOPE_AT_PROJECTS + 1, NOW));
    CHECK(!policy_allows(p, 0, ASSET_READ, SCOPE_AT_PLATFORM, NOW));
    CHECK(!policy_allows(p, 0, ASSET_WRITE, SCOPE_AT_TENANT, NOW));
    CHECK(policy_allows(p, 1, ASSET_READ, SCOPE_AT_PROJECTS, NOW));
    CHECK(!policy_allows(p, 1, ASSET_READ, SCOPE_AT_PROJECTS + 1, NOW));
    CHECK(!policy_allows(p, 1, ASSET_READ, SCOPE_AT_TENANT, NOW));
    CHECK(!policy_allows(p, 0, ASSET_READ, SCOPE_AT_PROJECTS + 2, NOW));
    policy_drop(p);
}

static void time_bounds_are_half_open(void)
{
    struct policy *p = small();

    policy_add_grant(p, &(struct policy_grant){.principal = 0,
                                               .scope = SCOPE_AT_TENANT,
                                               .role = ROLE_READER,
                                               .from_ms = NOW,
                                               .until_ms = NOW + 10});
    policy_seal(p);
    CHECK(!policy_allows(p, 0, ASSET_READ, SCOPE_AT_TENANT, NOW - 1));
    CHECK(policy_allows(p, 0, ASSET_READ, SCOPE_AT_TENANT, NOW));
    CHECK(policy_allows(p, 0, ASSET_READ, SCOPE_AT_TENANT, NOW + 9));
    CHECK(!policy_allows(p, 0, ASSET_READ, SCOPE_AT_TENANT, NOW + 10));
    policy_drop(p);
}

static void a_deny_beats_every_grant_below_it(void)
{
    struct policy *p = small();

    grant(p, 0, SCOPE_AT_PROJECTS, ROLE_PROJECT_OWNER);
    policy_add_grant(p, &(struct policy_grant){.principal = 0,
                                               .scope = SCOPE_AT_TENANT,
                                               .role = ROLE_ENDPOINT_CONSUMER,
                                               .kind = GRANT_DENY,
                                               .until_ms = INT64_MAX});
    policy_seal(p);
    CHECK(policy_allows(p, 0, ASSET_READ, SCOPE_AT_PROJECTS, NOW));
    CHECK(!policy_allows(p, 0, ENDPOINT_INVOKE, SCOPE_AT_PROJECTS, NOW));
    policy_drop(p);
}

static void the_disabled_may_nothing(void)
{
    struct policy *p = policy_new("tenant-id", "tenant", true, 1);
    uint32_t gone = person(p, 0, PRINCIPAL_USER, false);
    uint32_t orphan = person(p, 1, PRINCIPAL_SERVICE, true); /* its owner is gone */
    struct policy *suspended = policy_new("tenant-id", "tenant", false, 1);
    uint32_t fine = person(suspended, 0, PRINCIPAL_USER, true);

    grant(p, gone, SCOPE_AT_TENANT, ROLE_READER);
    grant(p, orphan, SCOPE_AT_TENANT, ROLE_READER);
    policy_seal(p);
    grant(suspended, fine, SCOPE_AT_TENANT, ROLE_READER);
    policy_seal(suspended);
    CHECK(!policy_allows(p, gone, ASSET_READ, SCOPE_AT_TENANT, NOW));
    CHECK(!policy_allows(p, orphan, ASSET_READ, SCOPE_AT_TENANT, NOW));
    CHECK(!policy_allows(suspended, fine, ASSET_READ, SCOPE_AT_TENANT, NOW));
    policy_drop(p);
    policy_drop(suspended);
}

static void nobody_may_what_is_denied_by_default(void)
{
    struct policy *p = small();

    for (unsigned r = 0; r < ROLE_COUNT; r++)
        grant(p, 0, SCOPE_AT_PLATFORM, (enum role)r);
    policy_seal(p);
    CHECK(!policy_allows(p, 0, DENY, SCOPE_AT_TENANT, NOW));
    CHECK(!policy_allows(p, 0, ACTION_COUNT, SCOPE_AT_TENANT, NOW));
    CHECK(!policy_allows(p, POLICY_NONE, ASSET_READ, SCOPE_AT_TENANT, NOW));
    CHECK(!policy_allows(p, 2, ASSET_READ, SCOPE_AT_TENANT, NOW));
    policy_drop(p);
}

static void things_are_found_by_name_and_id(void)
{
    struct policy *p = small();
    size_t count;

    grant(p, 1, SCOPE_AT_TENANT, ROLE_AUDITOR);
    grant(p, 1, SCOPE_AT_PROJECTS, ROLE_DEPLOYER);
    policy_seal(p);
    CHECK(policy_find_principal(p, "id-1") == 1);
    CHECK(policy_find_principal_name(p, "name-0") == 0);
    CHECK(policy_find_principal(p, "name-0") == POLICY_NONE);
    CHECK(policy_find_project(p, "project-1") == 1);
    CHECK(policy_find_project(p, "") == POLICY_NONE);
    CHECK(policy_grants(p, 0, &count) != NULL && count == 0);
    CHECK(policy_grants(p, 1, &count)[1].role == ROLE_DEPLOYER && count == 2);
    CHECK(policy_grants(p, 9, &count) == NULL && count == 0);
    policy_drop(p);
}

/* Research: no administrator reads data by default, no auditor changes anything. */
static void roles_keep_to_their_cannots(void)
{
    static const enum role dataless[] = {
        ROLE_TENANT_ADMIN, ROLE_ACCESS_ADMIN,      ROLE_APPROVER,         ROLE_AUDITOR,
        ROLE_READER,       ROLE_SECURITY_OPERATOR, ROLE_PLATFORM_OPERATOR};

    for (size_t r = 0; r < sizeof(dataless) / sizeof(dataless[0]); r++)
        for (unsigned a = 1; a < ACTION_COUNT; a++)
            CHECK(!action_in(&role_facts(dataless[r])->actions, (enum action)a) ||
                  action_class((enum action)a) != CLASS_DATA);
    for (unsigned a = 1; a < ACTION_COUNT; a++)
        CHECK(!action_in(&role_facts(ROLE_AUDITOR)->actions, (enum action)a) ||
              strstr(action_text((enum action)a), "read") != NULL);
    for (unsigned r = 0; r < ROLE_COUNT; r++) {
        const struct action_set *s = &role_facts((enum role)r)->actions;

        CHECK(!action_in(s, DENY) && !action_in(s, PUBLIC) && !action_in(s, ANYONE));
        CHECK(!(action_in(s, APPROVAL_DECIDE) && action_in(s, BINDING_ADMINISTER)));
        CHECK((r == ROLE_TENANT_ADMIN) == action_in(s, BINDING_ADMINISTER));
        CHECK(role_find(role_facts((enum role)r)->text) == (enum role)r);
    }
    CHECK(role_find("admin") == ROLE_COUNT);
    CHECK(action_find("assets/read") == ASSET_READ && action_find("assets") == DENY);
}

static void covering_means_every_action(void)
{
    struct policy *p = small();

    grant(p, 0, SCOPE_AT_PROJECTS, ROLE_PROJECT_OWNER);
    policy_seal(p);
    CHECK(policy_covers(p, 0, &role_facts(ROLE_APPROVER)->actions, SCOPE_AT_PROJECTS, NOW));
    CHECK(!policy_covers(p, 0, &role_facts(ROLE_APPROVER)->actions, SCOPE_AT_TENANT, NOW));
    CHECK(!policy_covers(p, 0, &role_facts(ROLE_TENANT_ADMIN)->actions, SCOPE_AT_PROJECTS, NOW));
    CHECK(
        !policy_covers(p, 1, &role_facts(ROLE_ENDPOINT_CONSUMER)->actions, SCOPE_AT_PROJECTS, NOW));
    policy_drop(p);
}

int main(void)
{
    RUN(fast_and_slow_agree_on_100000_questions);
    RUN(a_grant_holds_at_its_scope_and_below);
    RUN(time_bounds_are_half_open);
    RUN(a_deny_beats_every_grant_below_it);
    RUN(the_disabled_may_nothing);
    RUN(nobody_may_what_is_denied_by_default);
    RUN(things_are_found_by_name_and_id);
    RUN(roles_keep_to_their_cannots);
    RUN(covering_means_every_action);
    return failures != 0;
}
