/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/access/authority.h"

#include "auth/auth.h"
#include "auth/session.h"
#include "tests/unit/test.h"

#include <string.h>

/* Attackers against the rules of giving roles. ann is the attacker, robot her service account, bob
 * an accomplice without a right of his own, root somebody who has everything. */
enum who { ANN, ROBOT, BOB, ROOT, PEOPLE };
enum { PLACES = 3, GRANTS_MAX = PEOPLE * ROLE_COUNT * PLACES };
static const uint32_t places[PLACES] = {SCOPE_AT_PLATFORM, SCOPE_AT_TENANT, SCOPE_AT_PROJECTS};
static const unsigned place_bits[PLACES] = {AT_PLATFORM, AT_TENANT, AT_PROJECT};

struct world {
    bool has[PEOPLE][ROLE_COUNT][PLACES];
};

static struct policy *policy_of(const struct world *w)
{
    static const char *const names[PEOPLE] = {"ann", "robot", "bob", "root"};
    struct policy *p = policy_new("tenant-id", "tenant", true, 1);
    const struct policy_project fraud = {.id = "project", .name = "fraud", .active = true};

    for (unsigned i = 0; i < PEOPLE; i++) {
        struct policy_principal who = {.kind = i == ROBOT ? PRINCIPAL_SERVICE : PRINCIPAL_USER,
                                       .active = true};

        (void)snprintf(who.id, sizeof(who.id), "id-%s", names[i]);
        (void)snprintf(who.name, sizeof(who.name), "%s", names[i]);
        (void)snprintf(who.owner, sizeof(who.owner), "%s", i == ROBOT ? "id-ann" : "");
        (void)policy_add_principal(p, &who);
    }
    (void)policy_add_project(p, &fraud);
    for (unsigned i = 0; i < GRANTS_MAX; i++) {
        unsigned who = i / (ROLE_COUNT * PLACES);
        unsigned role = i / PLACES % ROLE_COUNT;

        if (w->has[who][role][i % PLACES])
            policy_add_grant(p, &(struct policy_grant){.principal = who,
                                                       .scope = places[i % PLACES],
                                                       .role = (enum role)role,
                                                       .until_ms = INT64_MAX});
    }
    policy_seal(p);
    return p;
}

/* A request by one of them; ends with the arena. */
static struct request *ask_as(struct arena *a, const struct world *w, enum who who)
{
    static const struct route route = {.action = ANYONE, .scope = SCOPE_SELF, .method = "POST"};
    struct request *rq = arena_alloc(a, sizeof(*rq));
    struct policy *p = policy_of(w);
    struct claims claims = {.kind = TOKEN_ACCESS};

    rq->arena = a;
    rq->route = &route;
    (void)snprintf(claims.principal, sizeof(claims.principal), "%s", policy_principal(p, who)->id);
    (void)session_begin(rq, &claims, p, who);
    return rq;
}

static bool gives(const struct world *w, enum who from, enum role role, unsigned place, enum who to)
{
    struct arena *a = arena_new();
    bool given = authority_give(ask_as(a, w, from), role, places[place],
                                (struct holder){.principal = to}) == OK;

    arena_free(a);
    return given;
}

/* One round of everything the attackers can give each other; false when nothing is new. */
static bool spread(struct world *w, const enum who *attackers, unsigned count)
{
    bool more = false;

    for (unsigned i = 0; i < count * count * ROLE_COUNT * PLACES; i++) {
        enum who from = attackers[i % count];
        enum who to = attackers[i / count % count];
        unsigned role = i / (count * count) % ROLE_COUNT;
        unsigned place = i / (count * count * ROLE_COUNT);

        if ((role_facts((enum role)role)->places & place_bits[place]) == 0 ||
            w->has[to][role][place] || !gives(w, from, (enum role)role, place, to))
            continue;
        w->has[to][role][place] = true;
        more = true;
    }
    return more;
}

static bool may(const struct world *w, enum who who, enum action a, uint32_t scope)
{
    struct policy *p = policy_of(w);
    bool allowed = policy_allows(p, who, a, scope, time_now_ms());

    policy_drop(p);
    return allowed;
}

/* ann begins with one role and goes as far as she can. */
static struct world attack(enum role role, unsigned place, const enum who *attackers,
                           unsigned count)
{
    struct world w;

    memset(&w, 0, sizeof(w));
    w.has[ANN][role][place] = true;
    while (spread(&w, attackers, count))
        ;
    return w;
}

static unsigned gains(const struct world *before, const struct world *after, enum who who,
                      enum action_class class)
{
    unsigned gained = 0;

    for (unsigned a = DENY + 1; a < ACTION_COUNT; a++)
        for (unsigned p = 0; p < PLACES; p++)
            gained += action_class((enum action)a) >= class &&
                      may(after, who, (enum action)a, places[p]) &&
                      !may(before, ANN, (enum action)a, places[p]);
    return gained;
}

/* Research, rule E1: nobody gains a right by giving roles, alone or through an own service account,
 * unless they administer the tenant. */
static void nobody_gives_themselves_more(void)
{
    static const enum who alone[] = {ANN, ROBOT};

    for (unsigned r = 0; r < ROLE_COUNT; r++)
        for (unsigned p = 0; p < PLACES; p++) {
            struct world before;
            struct world after;

            if ((role_facts((enum role)r)->places & place_bits[p]) == 0 || r == ROLE_TENANT_ADMIN)
                continue;
            after = attack((enum role)r, p, alone, 2);
            memset(&before, 0, sizeof(before));
            before.has[ANN][r][p] = true;
            CHECK(gains(&before, &after, ANN, CLASS_ORDINARY) == 0);
            CHECK(gains(&before, &after, ROBOT, CLASS_ORDINARY) == 0);
        }
}

/* With an accomplice too, no privilege is gained that the attacker did not have. */
static void no_two_gain_privileges(void)
{
    static const enum who two[] = {ANN, ROBOT, BOB};

    for (unsigned r = 0; r < ROLE_COUNT; r++)
        for (unsigned p = 0; p < PLACES; p++) {
            struct world after;

            if ((role_facts((enum role)r)->places & place_bits[p]) == 0 || r == ROLE_TENANT_ADMIN)
                continue;
            after = attack((enum role)r, p, two, 3);
            for (unsigned who = ANN; who <= BOB; who++) {
                CHECK(!may(&after, who, BINDING_ADMINISTER, SCOPE_AT_TENANT));
                CHECK(!may(&after, who, TENANT_CREATE, SCOPE_AT_PLATFORM) ||
                      r == ROLE_PLATFORM_OPERATOR);
                CHECK(!may(&after, who, USER_WRITE, SCOPE_AT_TENANT) ||
                      r == ROLE_SECURITY_OPERATOR);
            }
        }
}

static void tenant_admins_never_reach_the_platform(void)
{
    static const enum who two[] = {ANN, ROBOT, BOB};
    struct world after = attack(ROLE_TENANT_ADMIN, 1, two, 3);

    for (unsigned who = ANN; who <= BOB; who++)
        CHECK(!may(&after, who, TENANT_CREATE, SCOPE_AT_PLATFORM));
    CHECK(may(&after, ANN, FILE_READ, SCOPE_AT_TENANT)); /* may elevate itself, on the record */
}

static bool covers(const struct world *w, enum who whom)
{
    struct arena *a = arena_new();
    bool good = authority_covers(ask_as(a, w, ANN), whom) == OK;

    arena_free(a);
    return good;
}

/* Rule E8: no password, token or owner is set for someone who may more. */
static void nobody_takes_over_who_may_more(void)
{
    struct world w;

    memset(&w, 0, sizeof(w));
    w.has[ROOT][ROLE_TENANT_ADMIN][1] = true;
    w.has[BOB][ROLE_READER][1] = true;
    w.has[ANN][ROLE_SECURITY_OPERATOR][1] = true;
    CHECK(covers(&w, BOB));
    CHECK(!covers(&w, ROOT));
    w.has[BOB][ROLE_DATA_SCIENTIST][2] = true;
    CHECK(!covers(&w, BOB));
    w.has[ANN][ROLE_TENANT_ADMIN][1] = true;
    CHECK(covers(&w, BOB) && covers(&w, ROOT));
    w.has[ROOT][ROLE_PLATFORM_OPERATOR][0] = true;
    CHECK(!covers(&w, ROOT));
}

static void roles_are_given_as_the_table_says(void)
{
    struct world w;

    memset(&w, 0, sizeof(w));
    w.has[ANN][ROLE_PROJECT_OWNER][2] = true;
    CHECK(gives(&w, ANN, ROLE_APPROVER, 2, BOB));
    CHECK(gives(&w, ANN, ROLE_ENDPOINT_CONSUMER, 2, BOB));
    CHECK(!gives(&w, ANN, ROLE_APPROVER, 1, BOB));
    CHECK(!gives(&w, ANN, ROLE_ACCESS_ADMIN, 1, BOB));
    CHECK(!gives(&w, BOB, ROLE_READER, 2, BOB));
    w.has[BOB][ROLE_DATA_SCIENTIST][2] = true; /* has the role, but not the right to give it */
    CHECK(!gives(&w, BOB, ROLE_DATA_SCIENTIST, 2, ANN));
    w.has[BOB][ROLE_DATA_SCIENTIST][2] = false;
    w.has[BOB][ROLE_ACCESS_ADMIN][1] = true;
    CHECK(gives(&w, BOB, ROLE_DATA_SCIENTIST, 2, ANN));
    CHECK(!gives(&w, BOB, ROLE_DATA_SCIENTIST, 2, BOB));
    CHECK(!gives(&w, BOB, ROLE_SECURITY_OPERATOR, 1, ANN));
    w.has[ROOT][ROLE_TENANT_ADMIN][1] = true;
    CHECK(gives(&w, ROOT, ROLE_TENANT_ADMIN, 1, ANN));
    CHECK(!gives(&w, ROOT, ROLE_PLATFORM_OPERATOR, 0, ROOT));
    w.has[ROOT][ROLE_PLATFORM_OPERATOR][0] = true;
    CHECK(gives(&w, ROOT, ROLE_PLATFORM_OPERATOR, 0, ANN));
}

static void handlers_see_the_session_on_any_thread(void)
{
    struct arena *a = arena_new();
    struct world w;
    struct request *rq;
    struct request *other;
    struct texts names;

    memset(&w, 0, sizeof(w));
    w.has[ANN][ROLE_READER][2] = true;
    rq = ask_as(a, &w, ANN);
    other = ask_as(a, &w, BOB);
    CHECK(auth_may(rq, ASSET_READ, "fraud") && !auth_may(rq, ASSET_READ, NULL));
    CHECK(!auth_may(rq, ASSET_WRITE, "fraud") && !auth_may(rq, ASSET_READ, "no-such-project"));
    CHECK(!auth_may(other, ASSET_READ, "fraud"));
    CHECK(auth_readable_projects(rq, PROJECT_READ, &names) == OK && names.count == 1);
    CHECK(strcmp(names.items[0], "fraud") == 0);
    CHECK(auth_readable_projects(other, PROJECT_READ, &names) == OK && names.count == 0);
    CHECK(strcmp(auth_principal_name(rq, "id-robot"), "robot") == 0);
    CHECK(strcmp(auth_answerable(rq, "id-robot"), "id-ann") == 0);
    CHECK(auth_answerable(rq, "id-nobody") == NULL);
    CHECK(strspn(auth_project_id(rq), "0-") == 36);
    CHECK(strcmp(rq->caller.name, "ann") == 0 && strcmp(other->caller.name, "bob") == 0);
    arena_free(a);
}

int main(void)
{
    RUN(nobody_gives_themselves_more);
    RUN(no_two_gain_privileges);
    RUN(tenant_admins_never_reach_the_platform);
    RUN(nobody_takes_over_who_may_more);
    RUN(roles_are_given_as_the_table_says);
    RUN(handlers_see_the_session_on_any_thread);
    return failures != 0;
}
