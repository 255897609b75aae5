/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/access/action.h"

#include <string.h>

static const struct {
    const char *text;
    const char *meaning;
    enum action_class class;
} actions[ACTION_COUNT] = {
    [DENY] = {"deny", "nobody", CLASS_PRIVILEGED},
#define ACTION(name, text, class, meaning) [name] = {text, meaning, CLASS_##class},
#include "auth/access/actions.def"
#undef ACTION
};

static enum action known(enum action a)
{
    return (unsigned)a < ACTION_COUNT ? a : DENY;
}

const char *action_text(enum action a)
{
    return actions[known(a)].text;
}

const char *action_meaning(enum action a)
{
    return actions[known(a)].meaning;
}

enum action_class action_class(enum action a)
{
    return actions[known(a)].class;
}

enum action action_find(const char *text)
{
    for (unsigned a = DENY + 1; a < ACTION_COUNT; a++)
        if (strcmp(actions[a].text, text) == 0)
            return (enum action)a;
    return DENY;
}

/* Does text match a pattern whose * stand for any run of characters? */
static bool matches(const char *pattern, const char *text)
{
    const char *star = NULL;
    const char *from = NULL;

    while (*text != '\0')
        if (*pattern == '*') {
            star = ++pattern;
            from = text;
        } else if (*pattern == *text) {
            pattern++;
            text++;
        } else if (star != NULL) {
            pattern = star;
            text = ++from;
        } else {
            return false;
        }
    return pattern[strspn(pattern, "*")] == '\0';
}

bool action_match(const char *pattern, bool privileged, struct action_set *out)
{
    bool wild = strchr(pattern, '*') != NULL;
    bool any = false;

    for (unsigned a = ANYONE + 1; a < ACTION_COUNT; a++)
        if (matches(pattern, actions[a].text) &&
            (!wild || privileged || actions[a].class != CLASS_PRIVILEGED)) {
            action_add(out, (enum action)a);
            any = true;
        }
    return any;
}
