/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AUTH_AUTH_H
#define AUTH_AUTH_H

#include "auth/access/action.h"
#include "core/request.h"
#include "core/service.h"

/* Who asks, and may they? Dispatch asks first: auth_identify, auth_allow; and says auth_settled
 * after the commit. Handlers may ask the rest, from memory, as of when the request was let in. */

MUST_CHECK enum err auth_start(const struct service *service);
void auth_stop(void);

/* Fill rq->caller from the Authorization header: Bearer with an access token or a personal access
 * token, or Basic with the latter as password. ERR_TOKEN with the reason. Public routes read none.
 */
MUST_CHECK enum err auth_identify(struct request *rq);
/* On a network thread, once the headers are there: what can be said of the credential from memory,
 * whose share of the workers the request takes, and whether it is one too many (auth/limit.h). */
MUST_CHECK enum err auth_glance(struct request *rq);
/* The same once the body is there too: a sign-in from where too many failed waits, before it costs
 * a worker, a statement or a hash. ERR_RATE. */
MUST_CHECK enum err auth_glance_body(struct request *rq);
/* By the action and scope of the route's line. A project that is not there, deleted or not readable
 * is ERR_NOT_FOUND; what is readable but not allowed ERR_DENIED, naming the action. */
MUST_CHECK enum err auth_allow(struct request *rq);
/* What the transaction of a write that was allowed has to hold to; not set for PUBLIC routes. */
struct db_guard auth_guard(const struct request *rq);
/* Identify and allow anew under the newest policy: a guard did not hold. In no transaction. */
MUST_CHECK enum err auth_again(struct request *rq);
/* What was allowed is about to be said: is it so still? Sets rq->good_until_ms. In no transaction.
 */
MUST_CHECK enum err auth_still(struct request *rq);
/* False when too much time has gone by since: a process that stood still must not go on. */
bool auth_good(const struct request *rq);
/* The request's changes are committed: if they moved an epoch, the next request here sees it, and
 * rq->moved is set, so that the reply waits for the others. Says X-Authz-Epoch. */
void auth_settled(struct request *rq);
/* An earlier request made the change that this one answers for: wait for the tenant's last one. */
MUST_CHECK enum err auth_settled_before(struct request *rq);
/* Call done(arg) when every replica has seen what the request changed; in time or not. */
void auth_await_replicas(struct request *rq, void (*done)(void *arg, bool confirmed), void *arg);

/* The UUID of the project of a PROJECT or WORKSPACE route, whose name is rq->project; the nil UUID,
 * which finds nothing, on other routes.
 */
const char *auth_project_id(struct request *rq);
/* May the caller do this in the project of that name, or, with NULL, in the tenant at large? For a
 * project that is not there the tenant at large decides. */
bool auth_may(struct request *rq, enum action a, const char *project);
/* The names of the active projects where the caller may, in order, in the arena. */
MUST_CHECK enum err auth_readable_projects(struct request *rq, enum action a, struct texts *names);
/* Which names of one kind ("models/", "datasets/", "endpoints/") in the project of the route the
 * action is allowed on: all but except, or only those. Every list, count and search of them goes
 * through READABLE, so that none shows what a question about the one would not. */
struct readable {
    bool all;
    struct texts only;
    struct texts except;
};
void auth_readable(struct request *rq, enum action a, const char *kind, struct readable *out);
/* The condition on a column with the name; all, only, except are the numbers of the parameters. */
#define READABLE(column, all, only, except)                                                        \
    " AND ($" all "::boolean OR " column " = ANY($" only "::text[]))"                              \
    " AND NOT " column " = ANY($" except "::text[])"
#define READABLE_PARAMS(r)                                                                         \
    P_BOOL((r)->all), P_TEXTS((r)->only.items, (r)->only.count),                                   \
        P_TEXTS((r)->except.items, (r)->except.count)
/* The same across projects (NULL: all), of what names assets: a job, a request, an entry. projects:
 * those where the action is allowed; only and except: "credit/models/risk", where it is otherwise.
 */
struct readable_things {
    struct texts projects;
    struct texts only;
    struct texts except;
};
void auth_readable_things(struct request *rq, enum action a, const struct texts *projects,
                          struct readable_things *out);
/* The same in all projects, for a list of shares: with assets of which one version may be read. */
void auth_readable_any_version(struct request *rq, enum action a, struct readable_things *out);
/* The condition that every one of an array of things ("models/risk") of a project may be read. */
#define READABLE_THINGS(project, things, projects, only, except)                                   \
    " AND NOT EXISTS (SELECT FROM unnest(" things ") AS t (thing) WHERE t.thing IS NOT NULL AND"   \
    " (NOT (" project " = ANY($" projects "::text[]) OR " project                                  \
    " || '/' || t.thing = ANY($" only "::text[])) OR " project " || '/' || t.thing = ANY($" except \
    "::text[])))"
#define READABLE_THINGS_PARAMS(r)                                                                  \
    P_TEXTS((r)->projects.items, (r)->projects.count), P_TEXTS((r)->only.items, (r)->only.count),  \
        P_TEXTS((r)->except.items, (r)->except.count)
/* For the floor below: may the caller see this node of the graph in that project; with NULL, all of
 * the project? */
bool auth_sees_node(struct request *rq, const char *project, const char *node);
/* And what of the audit log is taken from the caller, who may read it at large: projects by name,
 * things as "credit/models/risk", or "credit/models" for all of a kind. */
void auth_audit_hidden(struct request *rq, struct texts *projects, struct texts *things);
/* May the caller do this to an asset ("models/risk") of the route's project? */
bool auth_may_asset(struct request *rq, enum action a, const char *asset);
/* The same where conditions may ask for the alias it is about, on routes whose path has none. */
bool auth_may_alias(struct request *rq, enum action a, const char *asset, const char *alias);
/* The same of an asset in any project, and what of it is asked for: what is shared may be so for
 * one version, or not by alias. */
struct auth_version {
    const char *project;
    const char *asset;
    int64_t number;    /* 0: the asset as a whole; -1: whatever of it */
    const char *alias; /* NULL for none */
};
bool auth_may_version(struct request *rq, enum action a, const struct auth_version *v);
/* May another principal do this to it, by the same policy? Of its requests nothing is known. */
bool auth_principal_may(struct request *rq, const char *id, enum action a, const char *project,
                        const char *asset);
/* The UUID of an active project of the tenant by name; NULL when there is none. */
const char *auth_project_of(struct request *rq, const char *name);
/* How many people could do this in the route's project, each with their service accounts counted
 * once; of them besides, how many could also do the other. */
struct people {
    int64_t able;
    int64_t both;
    int64_t others; /* could do only the other */
};
struct people auth_people(struct request *rq, enum action a, enum action other);
/* OK when the caller could do this in the route's project even without the groups it joined after
 * that time; else ERR_FOUR_EYES: who decides is not chosen after what is decided on is known. */
MUST_CHECK enum err auth_held_since(struct request *rq, enum action a, const char *since);
/* A principal of the caller's tenant: its name; and the id of the user who answers for it, which is
 * itself for a user. NULL when there is none. Texts live as long as the request. */
const char *auth_principal_name(struct request *rq, const char *id);
const char *auth_answerable(struct request *rq, const char *id);

/* Every token is looked at anew: a signing key is gone. */
void auth_tokens_forget(void);

#endif
