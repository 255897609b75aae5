/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AUTH_POLICY_H
#define AUTH_POLICY_H

#include "auth/role.h"
#include "core/request.h"
#include "core/text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Who may do what in one tenant, as of one epoch: filled by one thread, sealed, then never changed,
 * so any number of threads ask it without a lock. Scopes form a tree: the platform is 0, the tenant
 * 1, the project of index p is 2 + p; a grant at a scope holds for all below it. */
struct policy;

enum { SCOPE_AT_PLATFORM = 0, SCOPE_AT_TENANT = 1, SCOPE_AT_PROJECTS = 2, NAME_SIZE = 64 };
enum { POLICY_NONE = UINT32_MAX };

struct policy_principal {
    char id[ID_SIZE];
    char name[NAME_SIZE];
    char owner[ID_SIZE]; /* of a service account: the user who answers for it; else "" */
    enum principal_kind kind;
    bool active;
};

struct policy_project {
    char id[ID_SIZE];
    char name[NAME_SIZE];
    bool active;
};

struct policy_grant {
    char id[ID_SIZE];
    uint32_t principal;
    uint32_t scope;
    enum role role;
    bool deny; /* the role's actions are taken away here and below, whatever else grants them */
    int64_t from_ms;  /* 0: since ever */
    int64_t until_ms; /* INT64_MAX: for ever */
};

struct policy *policy_new(const char *tenant_id, const char *tenant, bool active, int64_t epoch);
/* Principals and projects, whose index is returned; then policy_index, from which on they are
 * found; then grants; then policy_seal. */
uint32_t policy_add_principal(struct policy *p, const struct policy_principal *principal);
uint32_t policy_add_project(struct policy *p, const struct policy_project *project);
void policy_index(struct policy *p);
/* A grant to a principal or scope that is not there is ignored. */
void policy_add_grant(struct policy *p, const struct policy_grant *grant);
void policy_seal(struct policy *p);

/* A policy is born with one holder; the last one's policy_drop frees it. */
struct policy *policy_hold(struct policy *p);
void policy_drop(struct policy *p);

const char *policy_tenant_id(const struct policy *p);
const char *policy_tenant(const struct policy *p);
int64_t policy_epoch(const struct policy *p);

/* POLICY_NONE when there is none. */
uint32_t policy_find_principal(const struct policy *p, const char *id);
uint32_t policy_find_principal_name(const struct policy *p, const char *name);
uint32_t policy_find_project(const struct policy *p, const char *name);
const struct policy_principal *policy_principal(const struct policy *p, uint32_t index);
const struct policy_project *policy_project(const struct policy *p, uint32_t index);
size_t policy_projects(const struct policy *p);
/* Tenant, principal and, of a service account, its owner are all active. */
bool policy_alive(const struct policy *p, uint32_t principal);

/* The grants of one principal. */
const struct policy_grant *policy_grants(const struct policy *p, uint32_t principal, size_t *count);

/* Is some grant of the action in force for the principal at the scope or above, and no deny? Under
 * 500 ns with a million grants. What is not alive, or out of range, may nothing. */
bool policy_allows(const struct policy *p, uint32_t principal, enum action a, uint32_t scope,
                   int64_t now_ms);
/* The same, asking every grant one by one: the oracle of the tests. */
bool policy_allows_slowly(const struct policy *p, uint32_t principal, enum action a, uint32_t scope,
                          int64_t now_ms);
/* Every action of the role at the scope. */
bool policy_covers(const struct policy *p, uint32_t principal, enum role role, uint32_t scope,
                   int64_t now_ms);

#endif
