/* SPDX-License-Identifier: Apache-2.0 */
/* usage: ask_policy COUNT SEED [shares]
 * Random worlds and questions with the evaluator's answers, one JSON object a line, for evaluators
 * that share no code with ours: {"world": …} begins a new one, {"q": …, "allowed": …} asks of it.
 */
#include "auth/access/policy.h"

#include <stdlib.h>
#include <string.h>

enum { PEOPLE = 6, PROJECTS = 3, ASSETS = 5, GROUPS = 4, NOW = 1000, PER_WORLD = 50 };

static uint64_t seed = 88172645463325252U;

static unsigned dice(unsigned sides)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (unsigned)(seed >> 20) % sides;
}

static int64_t from_dice(void)
{
    return dice(4) == 0 ? NOW - 2 + (int64_t)dice(5) : 0;
}

static int64_t until_dice(void)
{
    return dice(4) == 0 ? NOW - 2 + (int64_t)dice(5) : 1000000;
}

static json_t *people(struct policy *p)
{
    json_t *list = json_array();

    for (unsigned i = 0; i < PEOPLE; i++) {
        struct policy_principal who = {.active = dice(10) != 0};

        who.kind = dice(3) == 0 ? PRINCIPAL_SERVICE : PRINCIPAL_USER;
        (void)snprintf(who.id, sizeof(who.id), "%u", i);
        if (who.kind == PRINCIPAL_SERVICE)
            (void)snprintf(who.owner, sizeof(who.owner), "%u", i / 2);
        (void)policy_add_principal(p, &who);
        json_array_append_new(list, json_pack("{s:b,s:i}", "active", who.active, "owner",
                                              who.kind == PRINCIPAL_SERVICE ? (int)(i / 2) : -1));
    }
    return list;
}

static json_t *assets(struct policy *p)
{
    json_t *list = json_array();

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
        json_array_append_new(
            list, json_pack("{s:i,s:i}", "project", (int)what.project, "level", what.level));
    }
    policy_index_assets(p);
    return list;
}

/* A group has only later ones in it. */
static json_t *members(struct policy *p)
{
    json_t *list = json_array();

    for (unsigned i = 0; i < GROUPS; i++) {
        struct policy_group g = {"", ""};

        (void)policy_add_group(p, &g);
    }
    for (unsigned i = dice(12); i > 0; i--) {
        struct policy_member m = {.group = dice(GROUPS),
                                  .principal = POLICY_NONE,
                                  .child = POLICY_NONE,
                                  .from_ms = from_dice(),
                                  .until_ms = until_dice()};

        if (dice(3) == 0 && m.group + 1 < GROUPS)
            m.child = m.group + 1 + dice(GROUPS - 1 - m.group);
        else
            m.principal = dice(PEOPLE);
        policy_add_member(p, &m);
        json_array_append_new(list,
                              json_pack("{s:i,s:i,s:i,s:I,s:I}", "group", (int)m.group, "principal",
                                        m.principal == POLICY_NONE ? -1 : (int)m.principal, "child",
                                        m.child == POLICY_NONE ? -1 : (int)m.child, "from",
                                        (json_int_t)m.from_ms, "until", (json_int_t)m.until_ms));
    }
    return list;
}

/* group: -1 for none, -2 for everyone; level: the condition classification <= level, -1 for none.
 */
static json_t *add_grant(struct policy *p)
{
    static const char *const kinds[] = {"allow", "deny", "ceiling", "eligible"};
    static const enum policy_kind some[] = {GRANT_ALLOW,   GRANT_ALLOW,    GRANT_ALLOW, GRANT_ALLOW,
                                            GRANT_CEILING, GRANT_ELIGIBLE, GRANT_DENY};
    struct policy_grant g = {.principal = dice(PEOPLE),
                             .scope = dice(SCOPE_AT_PROJECTS + PROJECTS + ASSETS),
                             .role = dice(ROLE_COUNT),
                             .kind = some[dice(7)]};
    int level = -1;

    if (dice(3) == 0 && g.kind != GRANT_CEILING)
        g.group = dice(12) == 0 ? POLICY_EVERYONE : 1 + dice(GROUPS);
    if (dice(4) == 0 && g.kind == GRANT_ALLOW) {
        level = (int)dice(4);
        g.condition = 1 + (uint32_t)level;
    }
    g.from_ms = from_dice();
    g.until_ms = until_dice();
    policy_add_grant(p, &g);
    return json_pack("{s:i,s:i,s:i,s:i,s:s,s:i,s:I,s:I}", "principal", (int)g.principal, "group",
                     g.group == POLICY_EVERYONE ? -2 : (int)g.group - 1, "scope", (int)g.scope,
                     "role", (int)g.role, "kind", kinds[g.kind], "level", level, "from",
                     (json_int_t)g.from_ms, "until", (json_int_t)g.until_ms);
}

static json_t *grants(struct policy *p)
{
    json_t *list = json_array();

    for (size_t i = 0; i < usual_levels.count; i++) {
        struct condition c;
        const char *why;
        char text[CONDITION_VALUE];

        (void)snprintf(text, sizeof(text), "classification <= %s", usual_levels.names[i]);
        (void)condition_parse(text, &usual_levels, &c, &why);
        (void)policy_add_condition(p, &c);
    }
    for (unsigned i = dice(30); i > 0; i--)
        json_array_append_new(list, add_grant(p));
    policy_seal(p);
    return list;
}

/* Some assets are read in other projects too. */
static json_t *shares(struct policy *p)
{
    json_t *list = json_array();

    for (unsigned i = dice(6); i > 0; i--) {
        struct policy_share s = {.scope = SCOPE_AT_PROJECTS + PROJECTS + dice(ASSETS),
                                 .with = dice(PROJECTS),
                                 .version = dice(4) == 0 ? 1 : 0};

        policy_add_share(p, &s);
        json_array_append_new(list, json_pack("{s:i,s:i,s:b}", "scope", (int)s.scope, "with",
                                              (int)(SCOPE_AT_PROJECTS + s.with), "whole",
                                              s.version == 0));
    }
    return list;
}

static void print(json_t *line)
{
    (void)json_dumpf(line, stdout, JSON_COMPACT);
    (void)putchar('\n');
    json_decref(line);
}

static struct policy *new_world(bool sharing)
{
    bool active = dice(50) != 0;
    struct policy *p = policy_new("tenant-id", "tenant", active, 1);
    json_t *world = json_pack("{s:b}", "active", active);

    json_object_set_new(world, "principals", people(p));
    json_object_set_new(world, "assets", assets(p));
    json_object_set_new(world, "shares", sharing ? shares(p) : json_array());
    json_object_set_new(world, "members", members(p));
    json_object_set_new(world, "grants", grants(p));
    print(json_pack("{s:o}", "world", world));
    return p;
}

static void print_roles(void)
{
    json_t *roles = json_array();

    for (unsigned r = 0; r < ROLE_COUNT; r++) {
        json_t *list = json_array();

        for (unsigned a = 0; a < ACTION_COUNT; a++)
            if (action_in(&role_facts((enum role)r)->actions, (enum action)a))
                json_array_append_new(list, json_integer(a));
        json_array_append_new(roles, list);
    }
    print(json_pack("{s:o,s:i,s:i,s:[i,i,i]}", "roles", roles, "projects", PROJECTS, "actions",
                    (int)ACTION_COUNT, "reads", ASSET_READ, FILE_READ, LINEAGE_READ));
}

int main(int argc, char **argv)
{
    unsigned long count = argc > 1 ? strtoul(argv[1], NULL, 10) : 1000;
    struct policy *p = NULL;

    if (argc > 2)
        seed += strtoul(argv[2], NULL, 10);
    print_roles();
    for (unsigned long i = 0; i < count; i++) {
        struct policy_question q;

        if (i % PER_WORLD == 0) {
            policy_drop(p);
            p = new_world(argc > 3);
        }
        q = (struct policy_question){dice(PEOPLE), (enum action)(1 + dice(ACTION_COUNT - 1)),
                                     dice(SCOPE_AT_PROJECTS + PROJECTS + ASSETS),
                                     NOW - 3 + (int64_t)dice(7), NULL};
        print(json_pack("{s:[i,i,i,I],s:b}", "q", (int)q.principal, (int)q.action, (int)q.scope,
                        (json_int_t)q.now_ms, "allowed", policy_decide(p, &q)));
    }
    policy_drop(p);
    return 0;
}
