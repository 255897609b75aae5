/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/access/condition.h"

#include "auth/access/action.h"
#include "tests/unit/test.h"

#include <string.h>

enum { NOON = 12 * 3600000 };

static const char *value_of(const void *asset, const char *key)
{
    return strcmp(key, "stage") == 0 ? asset : NULL;
}

static bool holds_for(const char *text, const struct circumstances *now, int level,
                      const char *stage)
{
    const struct condition_asset asset = {level, value_of, stage};
    struct condition c;
    const char *why = NULL;

    return condition_parse(text, &usual_levels, &c, &why) && condition_holds(&c, now, &asset, NOON);
}

static bool holds(const char *text)
{
    static const struct circumstances now = {.remote = "10.1.2.3",
                                             .alias = "production",
                                             .purpose = "fraud",
                                             .gives = "reader",
                                             .to = "user",
                                             .mfa_age_s = 100};

    return holds_for(text, &now, 2, "gold");
}

static void each_comparison_is_what_it_says(void)
{
    static const char *const yes[] = {"classification = confidential",
                                      "classification != public",
                                      "classification < restricted",
                                      "classification <= confidential",
                                      "classification > internal",
                                      "classification >= confidential",
                                      "tag.stage = gold",
                                      "tag.stage != lead",
                                      "alias = production",
                                      "network in 10.0.0.0/8",
                                      "network in 10.1.2.3/32",
                                      "network in 10.1.2.0/30",
                                      "network in 0.0.0.0/0",
                                      "hour = 12",
                                      "hour >= 12",
                                      "hour <= 12",
                                      "hour < 13",
                                      "hour > 11",
                                      "mfa_age <= 100",
                                      "mfa_age < 101",
                                      "purpose = fraud",
                                      "gives = reader",
                                      "gives in deployer,reader",
                                      "gives != approver",
                                      "to = user"};
    static const char *const no[] = {"classification = public",
                                     "classification != confidential",
                                     "classification < confidential",
                                     "classification <= internal",
                                     "classification > confidential",
                                     "classification >= restricted",
                                     "tag.stage = lead",
                                     "tag.stage != gold",
                                     "tag.other = gold",
                                     "tag.other != gold",
                                     "alias != production",
                                     "network in 11.0.0.0/8",
                                     "network in 10.1.2.4/30",
                                     "network in fd00::/8",
                                     "network in 10.1.2.2/32",
                                     "hour < 12",
                                     "hour > 12",
                                     "mfa_age < 100",
                                     "purpose != fraud",
                                     "gives in read,readers",
                                     "gives != reader",
                                     "to = group"};

    for (size_t i = 0; i < sizeof(yes) / sizeof(yes[0]); i++)
        CHECK(holds(yes[i]));
    for (size_t i = 0; i < sizeof(no) / sizeof(no[0]); i++)
        CHECK(!holds(no[i]));
    CHECK(holds("hour = 12 and purpose = fraud") && !holds("hour = 12 and purpose = care"));
    CHECK(!holds("hour = 11 and purpose = fraud"));
}

/* Whatever is not known makes its comparison false, its opposite too. */
static void what_is_not_known_is_false(void)
{
    static const char *const texts[] = {
        "tag.stage = gold",     "tag.stage != gold", "alias = production", "alias != production",
        "network in 0.0.0.0/0", "mfa_age < 1000000", "mfa_age >= 0",       "purpose = fraud",
        "purpose != fraud",     "mfa_age != 5",      "gives != king",      "gives in reader",
        "to != group"};
    static const struct circumstances none = {.mfa_age_s = -1};
    static const struct circumstances odd = {.remote = "not an address", .mfa_age_s = -1};
    struct condition empty = {.count = 0};
    const struct condition_asset asset = {0, NULL, NULL};

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        CHECK(!holds_for(texts[i], NULL, 0, NULL));
        CHECK(!holds_for(texts[i], &none, 0, NULL));
        CHECK(!holds_for(texts[i], &odd, 0, NULL));
    }
    CHECK(!condition_holds(&empty, &none, &asset, NOON));
}

static void patterns_name_what_they_match(void)
{
    struct action_set set = {{0}};

    CHECK(action_match("assets/*", false, &set));
    CHECK(action_in(&set, ASSET_READ) && action_in(&set, FILE_READ) && !action_in(&set, JOB_READ));
    CHECK(!action_in(&set, DENY) && !action_in(&set, PUBLIC) && !action_in(&set, ANYONE));
    set = (struct action_set){{0}};
    CHECK(action_match("*", false, &set) && !action_in(&set, USER_WRITE) &&
          !action_in(&set, DENY_WRITE) && action_in(&set, USER_READ));
    CHECK(action_match("*", true, &set) && action_in(&set, USER_WRITE));
    set = (struct action_set){{0}};
    CHECK(action_match("identity/users/write", false, &set) && action_in(&set, USER_WRITE));
    set = (struct action_set){{0}};
    CHECK(!action_match("assets", false, &set) && !action_match("assets/rea", false, &set) &&
          !action_match("", false, &set) && !action_match("deny", true, &set) &&
          !action_match("assets/writ*x", false, &set));
    CHECK(set.words[0] == 0);
}

int main(void)
{
    RUN(each_comparison_is_what_it_says);
    RUN(what_is_not_known_is_false);
    RUN(patterns_name_what_they_match);
    return failures != 0;
}
