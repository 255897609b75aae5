/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/action.h"

#include <string.h>

static const struct {
    const char *text;
    const char *meaning;
    enum action_class class;
} actions[ACTION_COUNT] = {
    [DENY] = {"deny", "nobody", CLASS_PRIVILEGED},
#define ACTION(name, text, class, meaning) [name] = {text, meaning, CLASS_##class},
#include "auth/actions.def"
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
