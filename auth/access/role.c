/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/access/role.h"

#include <pthread.h>
#include <string.h>

/* Each list ends with DENY, which is 0. */
#define ROLE(name, text, class, places, description, cannot, ...)                                  \
    static const uint8_t name##_actions[] = {__VA_ARGS__, DENY};
#include "auth/access/roles.def"
#undef ROLE

static const uint8_t *const lists[ROLE_COUNT] = {
#define ROLE(name, ...) [ROLE_##name] = name##_actions,
#include "auth/access/roles.def"
#undef ROLE
};

static struct role_facts roles[ROLE_COUNT] = {
#define ROLE(name, text, class, places, description, cannot, ...)                                  \
    [ROLE_##name] = {text, CLASS_##class, places, description, cannot, {{0}}},
#include "auth/access/roles.def"
#undef ROLE
};
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void prepare(void)
{
    for (unsigned r = 0; r < ROLE_COUNT; r++)
        for (const uint8_t *a = lists[r]; *a != DENY; a++)
            action_add(&roles[r].actions, (enum action) * a);
}

const struct role_facts *role_facts(enum role r)
{
    (void)pthread_once(&once, prepare);
    return &roles[r];
}

enum role role_find(const char *text)
{
    for (unsigned r = 0; r < ROLE_COUNT; r++)
        if (strcmp(roles[r].text, text) == 0)
            return (enum role)r;
    return ROLE_COUNT;
}
