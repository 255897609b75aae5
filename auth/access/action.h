/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ACCESS_ACTION_H
#define ACCESS_ACTION_H

#include <stdbool.h>
#include <stdint.h>

/* What can be allowed. DENY is 0, so that whatever forgets its action is closed. */
enum action {
    DENY = 0,
#define ACTION(name, text, class, meaning) name,
#include "auth/access/actions.def"
#undef ACTION
    ACTION_COUNT
};

/* ORDINARY work; DATA, the content of data and models; PRIVILEGED, over identity and policy. */
enum action_class { CLASS_ORDINARY, CLASS_DATA, CLASS_PRIVILEGED };

/* Texts are static; "deny" for whatever is no action. */
const char *action_text(enum action a);
const char *action_meaning(enum action a);
enum action_class action_class(enum action a);
/* DENY for a text that names no action. */
enum action action_find(const char *text);

/* A set of actions, one bit each. */
enum { ACTION_WORDS = 4 };
struct action_set {
    uint64_t words[ACTION_WORDS];
};
_Static_assert(ACTION_COUNT <= 64 * ACTION_WORDS, "an action has no bit");

static inline bool action_in(const struct action_set *s, enum action a)
{
    return (s->words[(unsigned)a >> 6] >> ((unsigned)a & 63) & 1) != 0;
}

static inline void action_add(struct action_set *s, enum action a)
{
    s->words[(unsigned)a >> 6] |= (uint64_t)1 << ((unsigned)a & 63);
}

/* Add what a pattern names: an action, or with * for any run of characters all that match. A
 * wildcard never matches the privileged unless it is asked to. False when it names nothing. */
bool action_match(const char *pattern, bool privileged, struct action_set *out);

#endif
