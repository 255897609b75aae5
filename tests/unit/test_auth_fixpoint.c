/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/access/authority.h"

#include "auth/session.h"
#include "tests/unit/test.h"

#include <string.h>

/* A fixpoint search over everything that changes who may what: from each role, built in or thrown
 * by dice, ann does all that the service's own checks let her, by every account she can act as,
 * until nothing is new; then she may nothing that she could not have done from the beginning. */

/* robot is ann's; root is another's tenant admin, its machine more than a reader's; the victim
 * reads, but answers for a machine that may more; bob may nothing. */
enum who { ANN, ROBOT, ROOT, MACHINE, VICTIM, ENGINE, BOB, PEOPLE };
/* team deploys, bosses administer; a deny rests on being walled, another spares the spared. */
enum group_index { TEAM, BOSSES, WALLED, SPARED, GROUPS };
/* Roles of the tenant's own: ann's, one that others hold with her, one with privileged actions. */
enum own_role { OWN, HELD, STRONG, OWN_ROLES };
enum { PLACES = 3, ROLES = ROLE_COUNT + OWN_ROLES, HOLDERS = PEOPLE + GROUPS, DENIES = 2 };
static const uint32_t places[PLACES] = {SCOPE_AT_PLATFORM, SCOPE_AT_TENANT, SCOPE_AT_PROJECTS};
static const unsigned place_bits[PLACES] = {AT_PLATFORM, AT_TENANT, AT_PROJECT};
static const char *const names[PEOPLE] = {"ann",    "robot",  "root", "machine",
                                          "victim", "engine", "bob"};
static const char *const owners[PEOPLE] = {"", "id-ann", "", "id-root", "", "id-victim", ""};

struct world {
    bool has[HOLDERS][ROLES][PLACES];
    bool in[GROUPS][HOLDERS];
    struct action_set own[OWN_ROLES];
    bool lifted[DENIES];
    bool mine[PEOPLE]; /* whom ann can act as */
};

static uint64_t seed = 88172645463325252U;

static unsigned dice(unsigned sides)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (unsigned)(seed >> 20) % sides;
}

static void add_people(struct policy *p)
{
    const struct policy_project fraud = {.id = "project", .name = "fraud", .active = true};

    for (unsigned i = 0; i < PEOPLE; i++) {
        struct policy_principal who = {
            .kind = *owners[i] == '\0' ? PRINCIPAL_USER : PRINCIPAL_SERVICE, .active = true};

        (void)snprintf(who.id, sizeof(who.id), "id-%s", names[i]);
        (void)snprintf(who.name, sizeof(who.name), "%s", names[i]);
        (void)snprintf(who.owner, sizeof(who.owner), "%s", owners[i]);
        (void)policy_add_principal(p, &who);
    }
    (void)policy_add_project(p, &fraud);
    policy_index(p);
    policy_index_assets(p);
}

static void add_groups(struct policy *p, const struct world *w)
{
    for (unsigned g = 0; g < GROUPS; g++) {
        struct policy_group group;

        (void)snprintf(group.id, sizeof(group.id), "group-%u", g);
        (void)snprintf(group.name, sizeof(group.name), "group-%u", g);
        (void)policy_add_group(p, &group);
    }
    for (unsigned i = 0; i < GROUPS * HOLDERS; i++) {
        unsigned member = i % HOLDERS;

        if (w->in[i / HOLDERS][member])
            policy_add_member(
                p, &(struct policy_member){.group = i / HOLDERS,
                                           .principal = member < PEOPLE ? member : POLICY_NONE,
                                           .child = member < PEOPLE ? POLICY_NONE : member - PEOPLE,
                                           .until_ms = INT64_MAX});
    }
}

/* Jobs are taken from whoever is walled, endpoints from ann unless she is spared. */
static void add_denies(struct policy *p, const struct world *w)
{
    struct policy_role jobs = {.name = "!0"};
    struct policy_role endpoints = {.name = "!1"};
    struct policy_grant deny = {
        .kind = GRANT_DENY, .scope = SCOPE_AT_PROJECTS, .until_ms = INT64_MAX};

    (void)action_match("jobs/*", true, &jobs.actions);
    (void)action_match("endpoints/*", true, &endpoints.actions);
    deny.role = policy_add_role(p, &jobs);
    deny.group = 1 + WALLED;
    (void)snprintf(deny.id, sizeof(deny.id), "deny-0");
    if (!w->lifted[0])
        policy_add_grant(p, &deny);
    deny.role = policy_add_role(p, &endpoints);
    deny.group = 0;
    deny.principal = ANN;
    (void)snprintf(deny.id, sizeof(deny.id), "deny-1");
    if (w->lifted[1])
        return;
    policy_add_grant(p, &deny);
    deny.kind = GRANT_SPARE;
    deny.group = 1 + SPARED;
    policy_add_grant(p, &deny);
}

static void add_roles(struct policy *p, const struct world *w)
{
    for (unsigned r = 0; r < OWN_ROLES; r++) {
        struct policy_role role = {.actions = w->own[r],
                                   .custom = true,
                                   .class = authority_privileged(&w->own[r]) ? CLASS_PRIVILEGED
                                                                             : CLASS_ORDINARY};

        role.places = role.class == CLASS_PRIVILEGED ? AT_TENANT : AT_TENANT | AT_PROJECT;
        (void)snprintf(role.name, sizeof(role.name), "own-%u", r);
        (void)policy_add_role(p, &role);
    }
    for (unsigned i = 0; i < HOLDERS * ROLES * PLACES; i++) {
        unsigned holder = i / (ROLES * PLACES);

        if (w->has[holder][i / PLACES % ROLES][i % PLACES])
            policy_add_grant(
                p, &(struct policy_grant){.principal = holder,
                                          .group = holder < PEOPLE ? 0 : 1 + holder - PEOPLE,
                                          .scope = places[i % PLACES],
                                          .role = i / PLACES % ROLES,
                                          .until_ms = INT64_MAX});
    }
}

static struct policy *policy_of(const struct world *w)
{
    struct policy *p = policy_new("tenant-id", "tenant", true, 1);

    add_people(p);
    add_groups(p, w);
    add_roles(p, w);
    add_denies(p, w);
    policy_seal(p);
    return p;
}

static struct request *ask_as(struct arena *a, struct policy *p, unsigned who)
{
    static const struct route route = {.action = ANYONE, .scope = SCOPE_SELF, .method = "POST"};
    struct request *rq = arena_alloc(a, sizeof(*rq));
    struct claims claims = {.kind = TOKEN_ACCESS};

    rq->arena = a;
    rq->route = &route;
    (void)snprintf(claims.principal, sizeof(claims.principal), "%s", policy_principal(p, who)->id);
    (void)session_begin(rq, &claims, policy_hold(p), who);
    return rq;
}

static struct holder holder_of(unsigned i)
{
    return i < PEOPLE ? (struct holder){.principal = i}
                      : (struct holder){.principal = POLICY_NONE, .group = 1 + i - PEOPLE};
}

static bool may(struct request *rq, enum action a)
{
    return session_may(session_of(rq), a, SCOPE_AT_TENANT);
}

static bool become(bool *state)
{
    bool new = !*state;

    *state = true;
    return new;
}

/* POST /v1/bindings, and an eligible role that needs no approval, which comes to the same. */
static bool give_all(struct request *rq, struct world *w)
{
    const struct policy *p = session_of(rq)->policy;
    bool more = false;

    for (unsigned i = 0; i < HOLDERS * ROLES * PLACES; i++) {
        unsigned holder = i / (ROLES * PLACES);
        unsigned role = i / PLACES % ROLES;

        if ((policy_role(p, role)->places & place_bits[i % PLACES]) != 0 &&
            authority_give(rq, role, places[i % PLACES], holder_of(holder)) == OK)
            more |= become(&w->has[holder][role][i % PLACES]);
    }
    return more;
}

/* Members of groups by hand; and by an identity provider of ann's own, where she is anybody. */
static bool admit_all(struct request *rq, struct world *w)
{
    const struct policy *p = session_of(rq)->policy;
    bool more = false;

    for (unsigned i = 0; i < GROUPS * HOLDERS; i++) {
        unsigned group = i / HOLDERS;
        struct holder who = holder_of(i % HOLDERS);
        bool can =
            i % HOLDERS == ANN ? may(rq, GROUP_WRITE) || may(rq, IDP_WRITE) : may(rq, GROUP_WRITE);

        if (can && who.group != group + 1 && authority_admit(rq, group, who) == OK &&
            (!policy_group_has(p, group, GRANT_SPARE) || authority_free(rq, who) == OK) &&
            (who.group == 0 || group < who.group - 1)) /* never in a circle */
            more |= become(&w->in[group][i % HOLDERS]);
    }
    return more;
}

/* Leaving what a deny rests on; lifting the deny itself. */
static bool escape_all(struct request *rq, struct world *w)
{
    bool more = false;

    if (may(rq, GROUP_WRITE) && authority_admit(rq, WALLED, holder_of(ANN)) == OK &&
        authority_free(rq, holder_of(ANN)) == OK)
        more = become(&w->lifted[0]);
    for (unsigned d = 0; d < DENIES; d++)
        if (may(rq, DENY_WRITE) && authority_lift(rq, d == 0 ? "deny-0" : "deny-1") == OK)
            more |= become(&w->lifted[d]);
    return more;
}

/* PUT /v1/roles: one action more at a time. */
static bool widen_all(struct request *rq, struct world *w)
{
    bool more = false;

    for (unsigned i = 0; may(rq, ROLE_WRITE) && i < OWN_ROLES * ACTION_COUNT; i++) {
        struct action_set wider = w->own[i / ACTION_COUNT];
        enum action a = (enum action)(i % ACTION_COUNT);

        if (a <= ANYONE || a == TENANT_CREATE || action_in(&wider, a))
            continue;
        action_add(&wider, a);
        if (authority_save(rq, ROLE_COUNT + i / ACTION_COUNT, &wider) != OK)
            continue;
        w->own[i / ACTION_COUNT] = wider;
        more = true;
    }
    return more;
}

/* Passwords, owners, tokens, clients and workloads of others; tokens of one's own machines; and
 * people made up, of whom bob is one. */
static bool take_over_all(struct request *rq, struct world *w)
{
    const struct policy *p = session_of(rq)->policy;
    bool more = false;

    for (unsigned i = 0; i < PEOPLE; i++) {
        const struct policy_principal *who = policy_principal(p, i);
        bool machine = who->kind == PRINCIPAL_SERVICE;
        bool can =
            machine ? may(rq, SERVICE_ACCOUNT_WRITE) || may(rq, IDP_WRITE) : may(rq, USER_WRITE);

        if ((can && authority_covers(rq, i) == OK) || strcmp(who->owner, rq->caller.id) == 0 ||
            (i == BOB && (may(rq, USER_WRITE) || may(rq, SCIM_WRITE))))
            more |= become(&w->mine[i]);
    }
    return more;
}

/* Everything that one account can do now; the next round asks by what came of it. */
static bool act_as(struct world *w, unsigned who)
{
    struct policy *p = policy_of(w);
    struct arena *a = arena_new();
    struct request *rq = ask_as(a, p, who);
    bool more = give_all(rq, w);

    more |= admit_all(rq, w);
    more |= escape_all(rq, w);
    more |= widen_all(rq, w);
    more |= take_over_all(rq, w);
    arena_free(a);
    policy_drop(p);
    return more;
}

static void search(struct world *w)
{
    bool more = true;

    while (more) {
        more = false;
        for (unsigned i = 0; i < PEOPLE; i++)
            more |= w->mine[i] && act_as(w, i);
    }
}

/* What all accounts that ann acts as may, by place. */
static void reach_of(const struct world *w, bool may_do[ACTION_COUNT][PLACES])
{
    struct policy *p = policy_of(w);

    memset(may_do, 0, sizeof(bool[ACTION_COUNT][PLACES]));
    for (unsigned i = 0; i < PEOPLE * ACTION_COUNT * PLACES; i++) {
        unsigned who = i / (ACTION_COUNT * PLACES);
        enum action a = (enum action)(i / PLACES % ACTION_COUNT);

        may_do[a][i % PLACES] |=
            w->mine[who] && policy_allows(p, who, a, places[i % PLACES], time_now_ms());
    }
    policy_drop(p);
}

/* Ordinary roles, which may be delegated, have some rights of the privileged class too. */
static bool delegable(enum action a)
{
    for (unsigned r = 0; r < ROLE_COUNT; r++)
        if (role_facts((enum role)r)->class == CLASS_ORDINARY &&
            action_in(&role_facts((enum role)r)->actions, a))
            return true;
    return false;
}

/* How many rights came from nowhere; with an accomplice only those that nobody delegates count. */
static unsigned gained(const struct world *before, const struct world *after, bool accomplice)
{
    bool then[ACTION_COUNT][PLACES];
    bool now[ACTION_COUNT][PLACES];
    unsigned count = 0;

    reach_of(before, then);
    reach_of(after, now);
    for (unsigned i = 0; i < ACTION_COUNT * PLACES; i++) {
        unsigned a = i / PLACES;

        if (!now[a][i % PLACES] || then[a][i % PLACES] || (accomplice && delegable((enum action)a)))
            continue;
        (void)printf("gained %s at place %u\n", action_text((enum action)a), i % PLACES);
        count++;
    }
    return count;
}

static struct world begin(void)
{
    struct world w;

    memset(&w, 0, sizeof(w));
    w.mine[ANN] = w.mine[ROBOT] = true;
    w.has[ROOT][ROLE_TENANT_ADMIN][1] = true;
    w.has[MACHINE][ROLE_PROJECT_OWNER][2] = true;
    w.has[ENGINE][ROLE_DATA_SCIENTIST][2] = true;
    w.has[PEOPLE + TEAM][ROLE_DEPLOYER][2] = true;
    w.has[PEOPLE + BOSSES][ROLE_TENANT_ADMIN][1] = true;
    w.in[BOSSES][ROOT] = w.in[WALLED][ANN] = true;
    (void)action_match("projects/read", true, &w.own[HELD]);
    (void)action_match("identity/users/write", true, &w.own[STRONG]);
    w.has[VICTIM][ROLE_COUNT + HELD][2] = true;
    w.has[ROOT][ROLE_COUNT + STRONG][1] = true;
    return w;
}

/* Does a role that ann has lead to more? */
static unsigned gains_from(struct world w, bool accomplice)
{
    struct world after = w;

    search(&after);
    return gained(&w, &after, accomplice);
}

static void no_built_in_role_leads_beyond_itself(void)
{
    for (unsigned r = 0; r < ROLE_COUNT; r++)
        for (unsigned p = 0; p < PLACES; p++) {
            struct world w = begin();

            w.has[ANN][r][p] = true;
            if ((role_facts((enum role)r)->places & place_bits[p]) == 0 || r == ROLE_TENANT_ADMIN)
                continue;
            CHECK(gains_from(w, false) == 0);
        }
}

static void nor_two_of_them_together(void)
{
    for (unsigned i = 0; i < ROLE_COUNT * ROLE_COUNT; i++) {
        struct world w = begin();

        if (i / ROLE_COUNT == ROLE_TENANT_ADMIN || i % ROLE_COUNT == ROLE_TENANT_ADMIN)
            continue;
        w.has[ANN][i / ROLE_COUNT][1] = w.has[ANN][i % ROLE_COUNT][2] = true;
        CHECK(gains_from(w, false) == 0);
    }
}

/* A role of the tenant's own with some of everything but the right to administer. */
static struct world thrown(void)
{
    struct world w = begin();

    for (unsigned a = ANYONE + 1; a < ACTION_COUNT; a++)
        if (a != TENANT_CREATE && a != BINDING_ADMINISTER && dice(3) == 0)
            action_add(&w.own[OWN], (enum action)a);
    w.has[ANN][ROLE_COUNT + OWN][authority_privileged(&w.own[OWN]) ? 1 : 1 + dice(2)] = true;
    if (dice(3) == 0)
        w.has[ANN][dice(2) == 0 ? ROLE_READER : ROLE_DATA_SCIENTIST][2] = true;
    if (dice(4) == 0)
        w.has[ANN][ROLE_COUNT + HELD][2] = true;
    return w;
}

static void no_role_of_ones_own_leads_beyond_itself(void)
{
    for (unsigned i = 0; i < 1500; i++)
        CHECK(gains_from(thrown(), false) == 0);
}

/* Who delegates can give an accomplice ordinary rights: never privileged ones. */
static void no_accomplice_makes_privileges(void)
{
    for (unsigned i = 0; i < 500; i++) {
        struct world w = i < ROLE_COUNT ? begin() : thrown();

        if (i < ROLE_COUNT)
            w.has[ANN][i][1] = i != ROLE_TENANT_ADMIN;
        w.mine[BOB] = true;
        CHECK(gains_from(w, true) == 0);
    }
}

static void a_tenant_admin_never_reaches_the_platform(void)
{
    struct world w = begin();
    bool now[ACTION_COUNT][PLACES];

    w.has[ANN][ROLE_TENANT_ADMIN][1] = true;
    search(&w);
    reach_of(&w, now);
    CHECK(!now[TENANT_CREATE][0] && now[FILE_READ][1]); /* may elevate itself, on the record */
}

int main(void)
{
    RUN(no_built_in_role_leads_beyond_itself);
    RUN(nor_two_of_them_together);
    RUN(no_role_of_ones_own_leads_beyond_itself);
    RUN(no_accomplice_makes_privileges);
    RUN(a_tenant_admin_never_reaches_the_platform);
    return failures != 0;
}
