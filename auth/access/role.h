/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ACCESS_ROLE_H
#define ACCESS_ROLE_H

#include "auth/access/action.h"

#include <stdbool.h>
#include <stdint.h>

enum role {
#define ROLE(name, ...) ROLE_##name,
#include "auth/access/roles.def"
#undef ROLE
    ROLE_COUNT
};

/* Where a role may be given. */
enum role_place { AT_PLATFORM = 1, AT_TENANT = 2, AT_PROJECT = 4, AT_ASSET = 8 };

struct role_facts {
    const char *text;
    enum action_class class;
    unsigned places; /* of enum role_place */
    const char *description;
    const char *cannot;
    struct action_set actions;
};

/* Static. r must be a role. */
const struct role_facts *role_facts(enum role r);
/* ROLE_COUNT for a text that names no role. */
enum role role_find(const char *text);

#endif
