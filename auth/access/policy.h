/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ACCESS_POLICY_H
#define ACCESS_POLICY_H

#include "auth/access/condition.h"
#include "auth/access/role.h"
#include "core/request.h"
#include "core/text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Who may do what in one tenant, as of one epoch: filled by one thread, sealed, then never changed,
 * so any number of threads ask it without a lock. Scopes form a tree: the platform is 0, the tenant
 * 1, the project of index p is 2 + p, and behind the projects come the assets that have something
 * of their own: a role, a deny, a label. A grant at a scope holds for all below it. */
struct policy;

enum { SCOPE_AT_PLATFORM = 0, SCOPE_AT_TENANT = 1, SCOPE_AT_PROJECTS = 2, NAME_SIZE = 64 };
enum { ASSET_NAME_SIZE = 80, GROUPS_DEEP = 5 };
#define POLICY_NONE     UINT32_MAX
#define POLICY_EVERYONE (UINT32_MAX - 1) /* as a group: of the tenant, whoever comes later too */

struct policy_principal {
    char id[ID_SIZE];
    char name[NAME_SIZE];
    char owner[ID_SIZE]; /* of a service account: the user who answers for it; else "" */
    enum principal_kind kind;
    bool active;
    int64_t tokens_since_ms; /* access tokens issued before are refused; 0: none */
};

struct policy_project {
    char id[ID_SIZE];
    char name[NAME_SIZE];
    bool active;
};

struct policy_asset {
    uint32_t project;
    char name[ASSET_NAME_SIZE]; /* "models/risk", "endpoints/risk", "jobs" */
    int level;                  /* of its classification; 0, the lowest, for no label */
    json_t *tags;               /* taken; NULL for none */
};

/* Whoever may read in that project, by a role there, reads the asset of this one too. */
struct policy_share {
    uint32_t scope;  /* of the asset */
    uint32_t with;   /* index of the project */
    int64_t version; /* only that one; 0 for the asset with all its versions */
    bool by_alias;   /* may be asked for by alias too */
};

struct policy_group {
    char id[ID_SIZE];
    char name[NAME_SIZE];
};

/* Either the principal or the child is POLICY_NONE. */
struct policy_member {
    uint32_t group;
    uint32_t principal;
    uint32_t child;
    int64_t from_ms;
    int64_t until_ms;
};

struct policy_role {
    char name[NAME_SIZE];
    enum action_class class;
    unsigned places; /* of enum role_place */
    struct action_set actions;
    bool custom; /* else built in, or the actions of a deny or ceiling */
};

/* ALLOW gives the role's actions; DENY takes them away, here and below, whatever else gives them;
 * SPARE exempts from the DENY of the same role; a service account with any CEILING may only what is
 * under one; ELIGIBLE gives nothing until it is asked for. */
enum policy_kind { GRANT_ALLOW, GRANT_DENY, GRANT_CEILING, GRANT_ELIGIBLE, GRANT_SPARE };

struct policy_grant {
    char id[ID_SIZE];
    uint32_t principal; /* not read when it is given to a group */
    uint32_t group;     /* 0, or 1 + the group it is given to; POLICY_EVERYONE */
    uint32_t scope;
    uint32_t role; /* an enum role, or what policy_add_role gave */
    enum policy_kind kind;
    uint32_t condition; /* 0, or what policy_add_condition gave */
    int64_t from_ms;    /* 0: since ever */
    int64_t until_ms;   /* INT64_MAX: for ever */
};

struct policy *policy_new(const char *tenant_id, const char *tenant, bool active, int64_t epoch);
/* First principals and projects, whose index is returned; then policy_index, from which on they are
 * found; then assets, groups, members, roles and conditions; then grants; then policy_seal. */
uint32_t policy_add_principal(struct policy *p, const struct policy_principal *principal);
uint32_t policy_add_project(struct policy *p, const struct policy_project *project);
void policy_index(struct policy *p);
uint32_t policy_add_asset(struct policy *p, const struct policy_asset *asset);
uint32_t policy_add_group(struct policy *p, const struct policy_group *group);
void policy_add_member(struct policy *p, const struct policy_member *member);
uint32_t policy_add_role(struct policy *p, const struct policy_role *role);
uint32_t policy_add_condition(struct policy *p, const struct condition *condition);
/* After the last asset: from here on assets are found. */
void policy_index_assets(struct policy *p);
/* After that; one of something that is not there is ignored. */
void policy_add_share(struct policy *p, const struct policy_share *share);
/* A grant to somebody or at a scope that is not there is ignored. */
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
uint32_t policy_find_group(const struct policy *p, const char *id);
uint32_t policy_find_group_name(const struct policy *p, const char *name);
uint32_t policy_find_role(const struct policy *p, const char *name);
/* The scope of an asset: of its own, or its project's. */
uint32_t policy_asset_scope(const struct policy *p, uint32_t project, const char *name);
const struct policy_principal *policy_principal(const struct policy *p, uint32_t index);
const struct policy_project *policy_project(const struct policy *p, uint32_t index);
/* Of a scope; NULL when it is not an asset's, or not a project's or below. */
const struct policy_asset *policy_asset(const struct policy *p, uint32_t scope);
const struct policy_project *policy_scope_project(const struct policy *p, uint32_t scope);
const struct policy_group *policy_group(const struct policy *p, uint32_t index);
const struct policy_role *policy_role(const struct policy *p, uint32_t index);
const struct condition *policy_condition(const struct policy *p, uint32_t condition);
size_t policy_principals(const struct policy *p);
size_t policy_projects(const struct policy *p);
size_t policy_scopes(const struct policy *p);
uint32_t policy_parent(const struct policy *p, uint32_t scope);
/* Tenant, principal and, of a service account, its owner are all active. */
bool policy_alive(const struct policy *p, uint32_t principal);
/* Has any ceiling. */
bool policy_capped(const struct policy *p, uint32_t principal);

/* The grants of one principal, those through groups included, whose group then says which. */
const struct policy_grant *policy_grants(const struct policy *p, uint32_t principal, size_t *count);
/* The grants to groups and to everyone, as they were added. */
const struct policy_grant *policy_group_grants(const struct policy *p, size_t *count);
/* Is the principal in the group at that time, through other groups too? POLICY_ANY_TIME: ever. */
#define POLICY_ANY_TIME INT64_MIN
bool policy_in_group(const struct policy *p, uint32_t group, uint32_t principal, int64_t now_ms);
/* Are the members of the lower group in the higher one, or is it the same? Both as in grants. */
bool policy_contains(const struct policy *p, uint32_t higher, uint32_t lower);
/* Does some grant of the kind hold for the members of the group because they are in it? */
bool policy_group_has(const struct policy *p, uint32_t group, enum policy_kind kind);

struct policy_question {
    uint32_t principal;
    enum action action;
    uint32_t scope;
    int64_t now_ms;
    const struct circumstances *circumstances; /* NULL: nothing is known of the request */
};
/* What a trace notes: an entry that has the action, and why it counts or not. */
enum policy_verdict { STEP_COUNTS, STEP_NOT_YET, STEP_OVER, STEP_CONDITION };
struct policy_step {
    uint32_t scope;
    enum policy_kind kind;
    uint32_t condition;
    int64_t from_ms;
    int64_t until_ms;
    enum policy_verdict verdict;
};
enum { POLICY_STEPS_MAX = 64 };
struct policy_trace {
    struct policy_step steps[POLICY_STEPS_MAX];
    size_t count;
    bool more; /* than there is room for */
};

/* Is some grant of the action in force for the principal at the scope or above, no deny, and a
 * ceiling if there are any? Under 500 ns with four million grants. What is not alive, or out of
 * range, may nothing. What reads, is allowed at a shared asset by a grant in a project that it is
 * shared with too, unless a deny there takes it away; conditions then judge the asset, and denies
 * and ceilings at the asset itself count as ever. */
bool policy_decide(const struct policy *p, const struct policy_question *q);
/* The same, noting each step. */
bool policy_trace(const struct policy *p, const struct policy_question *q, struct policy_trace *t);
/* Is the grant in force, does it have the action there, and is its condition true? Who it is for is
 * not asked. */
bool policy_grant_counts(const struct policy *p, const struct policy_grant *g,
                         const struct policy_question *q);
/* Is the asset of that scope shared with the project of this one? */
bool policy_shared_with(const struct policy *p, uint32_t scope, uint32_t project_scope);
/* Of a request of which nothing is known. */
bool policy_allows(const struct policy *p, uint32_t principal, enum action a, uint32_t scope,
                   int64_t now_ms);
/* The same, asking every grant and membership one by one: the oracle of the tests. */
bool policy_decide_slowly(const struct policy *p, const struct policy_question *q);
/* Every one of the actions at the scope. */
bool policy_covers(const struct policy *p, uint32_t principal, const struct action_set *actions,
                   uint32_t scope, int64_t now_ms);

#endif
