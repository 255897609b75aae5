/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ACCESS_POLICY_INSIDE_H
#define ACCESS_POLICY_INSIDE_H

/* What is inside a policy: for policy.c and policy_seal.c, which build it, and policy_find.c and
 * policy_ask.c, which only read. */
#include "auth/access/policy.h"

#include <stdatomic.h>
#include <string.h>

/* What one principal has at one scope for one span of time. Several entries may share a key. */
struct policy_entry {
    uint64_t key; /* 0: free */
    uint32_t set; /* of actions */
    uint32_t how; /* kind, and 8 * condition */
    int64_t from_ms;
    int64_t until_ms;
};

/* Open addressing; values are indexes into an array elsewhere, POLICY_NONE is free. */
struct policy_index {
    uint32_t *slots;
    uint64_t mask;
};

enum { STATE_ALIVE = 1, STATE_CAPPED = 2 };

/* An array that grows by doubling. */
#define LIST(type)                                                                                 \
    struct {                                                                                       \
        type *items;                                                                               \
        size_t count;                                                                              \
    }

struct policy {
    atomic_uint holders;
    char tenant_id[ID_SIZE];
    char tenant[NAME_SIZE];
    bool active;
    int64_t epoch;
    LIST(struct policy_principal) principals;
    LIST(struct policy_project) projects;
    LIST(struct policy_asset) assets;
    LIST(struct policy_group) groups;
    LIST(struct policy_member) members; /* sorted by group once sealed */
    LIST(struct policy_role) roles;
    LIST(struct condition) conditions;
    LIST(struct policy_grant) grants; /* sorted by principal, scope, kind, span once sealed */
    LIST(struct policy_grant) group_grants;
    LIST(struct policy_share) shares; /* sorted by scope once sealed */
    LIST(struct action_set) sets;
    uint32_t *first_grant;  /* by principal, and one past the end */
    uint32_t *first_member; /* by group, and one past the end */
    uint32_t *first_share;  /* by asset, and one past the end */
    uint32_t *parent;       /* by scope; the root is its own */
    uint8_t *state;         /* by principal */
    struct policy_index by_id, by_name, by_project, by_asset, by_set;
    struct policy_entry *entries;
    uint64_t mask;
};

/* For policy.c and policy_seal.c. Memory that is not there ends the program. */
void *policy_need(void *memory);
/* Room for one more item. */
void *policy_grow(void *items, size_t count, size_t size);
/* The smallest power of two that leaves half of a table empty. */
uint64_t policy_table_size(size_t count);
struct policy_index policy_index_new(size_t count);
void policy_index_put(struct policy_index *x, uint64_t hash, uint32_t value);

#define LIST_ADD(list, item)                                                                       \
    ((list).items = policy_grow((list).items, (list).count, sizeof(*(list).items)),                \
     (list).items[(list).count] = (item), (uint32_t)(list).count++)

/* David Stafford's mix 13, the finalizer of SplitMix64. */
static inline uint64_t policy_mix(uint64_t x)
{
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9U;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EBU;
    return x ^ (x >> 31);
}

static inline uint64_t policy_hash(const void *data, size_t length)
{
    const unsigned char *bytes = data;
    uint64_t h = length;

    for (size_t i = 0; i < length; i++)
        h = (h ^ bytes[i]) * 0x100000001B3U;
    return policy_mix(h);
}

static inline uint64_t policy_hash_text(const char *text)
{
    return policy_hash(text, strlen(text));
}

static inline uint64_t policy_hash_asset(uint32_t project, const char *name)
{
    return policy_mix(policy_hash_text(name) + project);
}

static inline uint64_t policy_key(uint32_t principal, uint32_t scope)
{
    return (((uint64_t)principal << 32) | scope) + 1;
}

static inline uint32_t policy_first_asset(const struct policy *p)
{
    return (uint32_t)(SCOPE_AT_PROJECTS + p->projects.count);
}

static inline uint32_t policy_how(const struct policy_grant *g)
{
    return (uint32_t)g->kind | g->condition << 3;
}

#endif
