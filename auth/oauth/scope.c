/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/oauth/scope.h"

#include <stdio.h>
#include <string.h>

enum { WORD_MAX = 100 };
static const char all[] = "chancery";
static const char *const identity[] = {"openid", "profile", "email", "offline_access", all, NULL};

/* The next word of *p, or false at the end. One that is too long is cut, and so not known. */
static bool next(const char **p, char word[WORD_MAX])
{
    size_t length;

    *p += strspn(*p, " ");
    length = strcspn(*p, " ");
    if (length == 0)
        return false;
    (void)snprintf(word, WORD_MAX, "%.*s", (int)(length < WORD_MAX ? length : WORD_MAX - 1), *p);
    *p += length;
    return true;
}

static enum action action_of(const char *word)
{
    enum action a = action_find(word);

    return a == PUBLIC || a == ANYONE ? DENY : a;
}

static bool known(const char *word)
{
    for (size_t i = 0; identity[i] != NULL; i++)
        if (strcmp(identity[i], word) == 0)
            return true;
    return action_of(word) != DENY;
}

bool scope_valid(const char *scope)
{
    char word[WORD_MAX];

    if (scope == NULL)
        return true;
    if (strlen(scope) > SCOPE_MAX)
        return false;
    while (next(&scope, word))
        if (!known(word))
            return false;
    return true;
}

bool scope_has(const char *scope, const char *wanted)
{
    char word[WORD_MAX];

    while (scope != NULL && next(&scope, word))
        if (strcmp(word, wanted) == 0)
            return true;
    return false;
}

bool scope_within(const char *inner, const char *outer)
{
    char word[WORD_MAX];

    if (inner == NULL || outer == NULL)
        return outer == NULL;
    while (next(&inner, word))
        if (!scope_has(outer, word) && (action_of(word) == DENY || !scope_has(outer, all)))
            return false;
    return true;
}

void scope_limit(const char *scope, struct claims *claims)
{
    char word[WORD_MAX];

    claims->tells = scope == NULL ? TELLS_ALL
                                  : (scope_has(scope, "openid") ? TELLS_SUBJECT : 0U) |
                                        (scope_has(scope, "profile") ? TELLS_PROFILE : 0U) |
                                        (scope_has(scope, "email") ? TELLS_EMAIL : 0U);
    claims->limited = scope != NULL && !scope_has(scope, all);
    claims->scope = (struct action_set){{0}};
    if (!claims->limited)
        return;
    action_add(&claims->scope, ANYONE);
    while (next(&scope, word))
        action_add(&claims->scope, action_of(word));
}
