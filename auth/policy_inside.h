/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AUTH_POLICY_INSIDE_H
#define AUTH_POLICY_INSIDE_H

/* What is inside a policy: for policy.c, which builds it, and policy_ask.c, which only reads. */
#include "auth/policy.h"

#include <stdatomic.h>
#include <string.h>

enum { POLICY_NO_SET = 0 };

/* What one principal has at one scope for one span of time. Several entries may share a key. */
struct policy_entry {
    uint64_t key;   /* 0: free */
    uint32_t allow; /* index of an action set; 0 is the empty one */
    uint32_t deny;
    int64_t from_ms;
    int64_t until_ms;
};

/* Open addressing; values are indexes into an array elsewhere, POLICY_NONE is free. */
struct policy_index {
    uint32_t *slots;
    uint64_t mask;
};

struct policy {
    atomic_uint holders;
    char tenant_id[ID_SIZE];
    char tenant[NAME_SIZE];
    bool active;
    int64_t epoch;
    struct policy_principal *principals;
    size_t principals_count;
    struct policy_project *projects;
    size_t projects_count;
    struct policy_grant *grants; /* sorted by principal, scope, span once sealed */
    size_t grants_count;
    uint32_t *first_grant; /* by principal, and one past the end */
    uint32_t *parent;      /* by scope; the root is its own */
    uint8_t *alive;        /* by principal */
    struct policy_index by_id, by_name, by_project;
    struct policy_entry *entries;
    uint64_t mask;
    struct action_set *sets;
    size_t sets_count;
    struct policy_index by_set;
};

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

static inline uint64_t policy_key(uint32_t principal, uint32_t scope)
{
    return (((uint64_t)principal << 32) | scope) + 1;
}

static inline size_t policy_scopes(const struct policy *p)
{
    return SCOPE_AT_PROJECTS + p->projects_count;
}

#endif
