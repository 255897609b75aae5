/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ACCESS_CONDITION_H
#define ACCESS_CONDITION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* When a role holds, in a small closed language: up to eight comparisons, all of which must be
 * true,
 *
 *   classification <= internal and tag.stage = gold and network in 10.0.0.0/8 and hour >= 8
 *
 * of classification (a level of the tenant's lattice), tag.KEY (of the asset), alias (that the
 * request names), network (in a prefix; of the peer), hour (UTC, 0 to 23), mfa_age (seconds since
 * the caller proved a second factor), purpose (that the request states), and, of roles to give
 * roles, gives (the role: gives in reader,deployer) and to (user, service or group). Order is for
 * classification, hour and mfa_age. What is not known makes its comparison false: no loops, no
 * clock or lookup of its own, nothing that can fail open. */
enum { CONDITION_SIZE = 501, CONDITION_PREDICATES = 8, CONDITION_VALUE = 64 };

enum condition_on {
    ON_CLASSIFICATION,
    ON_TAG,
    ON_ALIAS,
    ON_NETWORK,
    ON_HOUR,
    ON_MFA_AGE,
    ON_PURPOSE,
    ON_GIVES,
    ON_TO
};
enum condition_is { IS_EQUAL, IS_NOT, IS_LESS, IS_AT_MOST, IS_MORE, IS_AT_LEAST, IS_IN };

struct predicate {
    enum condition_on on;
    enum condition_is is;
    int64_t number;            /* of classification, hour, mfa_age; of network: bits */
    char key[CONDITION_VALUE]; /* of a tag */
    char value[CONDITION_VALUE];
    unsigned char address[16]; /* of a network; IPv4 as ::ffff:a.b.c.d */
};

struct condition {
    char text[CONDITION_SIZE];
    size_t count;
    struct predicate predicates[CONDITION_PREDICATES];
};

/* The names of the levels of classification, lowest first. */
struct levels {
    const char *const *names;
    size_t count;
};
extern const struct levels usual_levels;
/* -1 for a name that is none of them. */
int level_find(const struct levels *levels, const char *name);

/* False with a sentence in why (static) for a text that is no condition. */
bool condition_parse(const char *text, const struct levels *levels, struct condition *out,
                     const char **why);

enum { ANY_VERSION = -1 }; /* a list asks whether there is one at all */

/* What is known of the request and of what it is about; NULL, negative: not known. */
struct circumstances {
    const char *remote;  /* address of the peer */
    const char *alias;   /* that the request names */
    const char *purpose; /* that the request states */
    const char *gives;   /* the role that it gives or takes */
    const char *to;      /* whom: "user", "service" or "group" */
    int64_t mfa_age_s;   /* negative: no second factor */
    int64_t version;     /* of the asset, that it names by number; 0: none, ANY_VERSION */
    bool assume;         /* every comparison with what only a request can tell is true */
};
/* tag: the value of an asset's tag, or NULL. */
struct condition_asset {
    int level;
    const char *(*tag)(const void *asset, const char *key);
    const void *asset;
};
bool condition_holds(const struct condition *c, const struct circumstances *now,
                     const struct condition_asset *asset, int64_t now_ms);

#endif
