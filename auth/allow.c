/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/auth.h"

#include "auth/access/snapshot.h"
#include "auth/session.h"
#include "auth/sign_in/second_factor.h"

#include <string.h>

/* Finds nothing. */
static const char nil[] = "00000000-0000-0000-0000-000000000000";

static enum err lacking(struct request *rq, const char *place)
{
    const char *action = action_text((enum action)rq->route->action);

    return fail(rq, ERR_DENIED, "this needs %s %s", action, place);
}

/* The part of the path below the project that has a scope of its own: "models/risk", "jobs"; NULL
 * for a route about the project or a collection. read: what shows such a thing. */
static const char *asset_of(const struct request *rq, enum action *read)
{
    static const struct {
        const char *prefix;
        const char *kind;
        enum action read;
    } kinds[] = {
#define ASSET_KIND(kind) {"/v1/projects/{project}/" kind "s/{", kind "s/", ASSET_READ},
#include "auth/kinds.def"
#undef ASSET_KIND
        {"/v1/projects/{project}/endpoints/{", "endpoints/", ENDPOINT_READ},
        {"/serve/{project}/{", "endpoints/", ENDPOINT_READ},
    };

    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        if (strncmp(rq->route->path, kinds[i].prefix, strlen(kinds[i].prefix)) == 0) {
            *read = kinds[i].read;
            return arena_printf(rq->arena, "%s%s", kinds[i].kind, rq->args[1]);
        }
    *read = JOB_READ;
    return strncmp(rq->route->path, "/v1/projects/{project}/jobs", 27) == 0 ? "jobs" : NULL;
}

/* A list is for whoever may see anything in it: the handler leaves out the rest. */
static bool sees_some(const struct request *rq, const struct session *s, uint32_t project)
{
    static const struct {
        const char *path;
        const char *prefix;
    } lists[] = {
#define ASSET_KIND(kind) {"/v1/projects/{project}/" kind "s", kind "s/"},
#include "auth/kinds.def"
#undef ASSET_KIND
        {"/v1/projects/{project}/endpoints", "endpoints/"}};

    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
        struct readable r;

        if (strcmp(rq->route->path, lists[i].path) != 0)
            continue;
        session_readable(s, rq->arena, (enum action)rq->route->action, project, lists[i].prefix,
                         &r);
        return r.all || r.only.count > 0;
    }
    return false;
}

/* The alias that the path names, for conditions: …/aliases/{alias}, …/versions/@alias. */
static const char *alias_of(const struct request *rq)
{
    if (strstr(rq->route->path, "/aliases/{alias}") != NULL)
        return rq->args[2];
    if (strstr(rq->route->path, "/versions/{version}") != NULL && rq->args[2] != NULL &&
        rq->args[2][0] == '@')
        return rq->args[2] + 1;
    return NULL;
}

/* And the version, for what is shared: …/versions/3. */
static int64_t version_of(const struct request *rq)
{
    uint64_t number = 0;

    if (strstr(rq->route->path, "/versions/{version}") == NULL || rq->args[2] == NULL ||
        !uint_parse(rq->args[2], INT32_MAX, &number))
        return 0;
    return (int64_t)number;
}

/* What has a scope of its own and cannot be seen answers as one that is not there would. */
static bool hidden(const struct session *s, enum action read, uint32_t scope, uint32_t project)
{
    return scope != project && !session_may(s, read, scope) && session_may(s, read, project);
}

/* Whoever may neither do this nor read the project does not learn that it exists. */
static enum err decide_project(struct request *rq, struct session *s, const char *name)
{
    uint32_t p = policy_find_project(s->policy, name);
    enum action a = (enum action)rq->route->action;
    enum action read;
    const char *asset;
    uint32_t scope;

    s->project = POLICY_NONE;
    if (p == POLICY_NONE || !policy_project(s->policy, p)->active)
        return ERR_NOT_FOUND;
    asset = asset_of(rq, &read);
    scope = asset == NULL ? SCOPE_AT_PROJECTS + p : policy_asset_scope(s->policy, p, asset);
    s->circumstances.alias = alias_of(rq);
    s->circumstances.version = version_of(rq);
    if (session_may(s, a, scope) || sees_some(rq, s, p)) {
        s->project = p;
        s->scope = scope;
        return OK;
    }
    if (!session_may(s, PROJECT_READ, SCOPE_AT_PROJECTS + p) &&
        !session_may(s, PROJECT_READ, scope) &&
        (asset == NULL || !session_may(s, read, scope) || scope == SCOPE_AT_PROJECTS + p))
        return ERR_NOT_FOUND;
    if (hidden(s, read, scope, SCOPE_AT_PROJECTS + p) && session_may(s, a, SCOPE_AT_PROJECTS + p))
        return ERR_NOT_FOUND;
    return lacking(rq, arena_printf(rq->arena, "in project %s", name));
}

static const char workspace_header[] = "x-mlflow-workspace";

/* The only project where the caller may do this; NULL when there is none or a choice. */
static const char *only_project(struct request *rq)
{
    struct texts names;

    if (auth_readable_projects(rq, (enum action)rq->route->action, &names) != OK)
        return NULL;
    return names.count == 1 ? names.items[0] : NULL;
}

/* A header names the project and grants nothing. Without one it is the project "default", or, where
 * that is not to be had, the only project of the caller. */
static enum err decide_workspace(struct request *rq, struct session *s)
{
    const char *name = request_header(rq, workspace_header);
    unsigned seen = 0;
    enum err e;

    for (size_t i = 0; i < rq->headers_count; i++)
        seen += strcmp(rq->headers[i].name, workspace_header) == 0;
    if (seen > 1 || (name != NULL && !name_valid(name)))
        return fail(rq, ERR_INVALID, "X-MLFLOW-WORKSPACE must be the name of one project");
    rq->project = name == NULL ? "default" : name;
    e = decide_project(rq, s, rq->project);
    if (e != ERR_NOT_FOUND || name != NULL)
        return e;
    name = only_project(rq);
    if (name == NULL)
        return e;
    rq->project = name;
    return decide_project(rq, s, name);
}

static enum err decide(struct request *rq, struct session *s)
{
    enum action a = (enum action)rq->route->action;

    switch (rq->route->scope) {
    case SCOPE_PROJECT:
        return decide_project(rq, s, rq->args[0]);
    case SCOPE_WORKSPACE:
        return decide_workspace(rq, s);
    case SCOPE_PLATFORM:
        return session_may(s, a, SCOPE_AT_PLATFORM) ? OK : lacking(rq, "on the platform");
    case SCOPE_TENANT:
    case SCOPE_SELF:
    case SCOPE_NONE:
        return session_may(s, a, SCOPE_AT_TENANT) ? OK : lacking(rq, "in the tenant");
    }
    return ERR_DENIED;
}

/* A refusal is not given from memory alone: a grant that has just been made elsewhere counts. */
static enum err decide_anew(struct request *rq, struct session *s, enum err e)
{
    struct policy *newest;

    TRY(snapshot_renew(rq->db, s->claims.tenant_id, &newest));
    if (policy_epoch(newest) == policy_epoch(s->policy)) {
        policy_drop(newest);
        return e;
    }
    if (session_renew(s, rq, newest) != OK)
        return fail(rq, ERR_TOKEN, "the access token is refused: its bearer is disabled");
    return decide(rq, s);
}

/* Roles are given on ANYONE routes too, which decide in their handlers. */
static bool is_privileged(const struct route *r)
{
    return strcmp(r->method, "GET") != 0 &&
           (action_class((enum action)r->action) == CLASS_PRIVILEGED ||
            strncmp(r->path, "/v1/bindings", 12) == 0 ||
            strncmp(r->path, "/v1/eligible", 12) == 0 ||
            strncmp(r->path, "/v1/activations/", 16) == 0);
}

/* One's own things are not in the scope of a token that was given for some actions. */
static enum err allow_anyone(struct request *rq, const struct session *s)
{
    if (s->claims.limited && strcmp(rq->route->method, "GET") != 0)
        return fail(rq, ERR_DENIED, "the token's scope is for other things");
    return is_privileged(rq->route) ? second_factor_fresh(rq) : OK;
}

enum err auth_allow(struct request *rq)
{
    struct session *s;
    enum err e;

    if (rq->route->action == PUBLIC)
        return OK;
    s = session_of(rq);
    if (s == NULL)
        return ERR_TOKEN;
    if (rq->route->action == DENY || rq->route->action >= ACTION_COUNT)
        return ERR_DENIED;
    if (rq->route->action == ANYONE)
        return allow_anyone(rq, s);
    if (rq->route->scope == SCOPE_PROJECT && name_valid(rq->args[0]))
        rq->project = rq->args[0];
    e = decide(rq, s);
    if (e == ERR_DENIED || e == ERR_NOT_FOUND)
        e = decide_anew(rq, s, e);
    return e == OK && is_privileged(rq->route) ? second_factor_fresh(rq) : e;
}

const char *auth_project_id(struct request *rq)
{
    const struct session *s = session_of(rq);

    return s == NULL || s->project == POLICY_NONE ? nil : policy_project(s->policy, s->project)->id;
}

bool auth_principal_may(struct request *rq, const char *id, enum action a, const char *project,
                        const char *asset)
{
    const struct session *s = session_of(rq);
    uint32_t scope = s == NULL ? SCOPE_AT_TENANT : session_asset_scope(s, project, asset);

    return scope != SCOPE_AT_TENANT &&
           policy_allows(s->policy, policy_find_principal(s->policy, id), a, scope, time_now_ms());
}

const char *auth_project_of(struct request *rq, const char *name)
{
    const struct session *s = session_of(rq);
    uint32_t p = s == NULL ? POLICY_NONE : policy_find_project(s->policy, name);

    if (p == POLICY_NONE || !policy_project(s->policy, p)->active)
        return NULL;
    return policy_project(s->policy, p)->id;
}

bool auth_may_asset(struct request *rq, enum action a, const char *asset)
{
    const struct session *s = session_of(rq);

    return s != NULL && s->project != POLICY_NONE &&
           session_may(s, a, policy_asset_scope(s->policy, s->project, asset));
}

bool auth_may_alias(struct request *rq, enum action a, const char *asset, const char *alias)
{
    struct session *s = session_of(rq);

    if (s == NULL)
        return false;
    s->circumstances.alias = alias;
    return auth_may_asset(rq, a, asset);
}

bool auth_may_version(struct request *rq, enum action a, const struct auth_version *v)
{
    struct session *s = session_of(rq);
    struct circumstances before;
    bool may;

    if (s == NULL || session_scope(s, v->project) == SCOPE_AT_TENANT)
        return false;
    before = s->circumstances;
    s->circumstances.alias = v->alias;
    s->circumstances.version = v->number;
    may = session_may(s, a, session_asset_scope(s, v->project, v->asset));
    s->circumstances = before;
    return may;
}

bool auth_may(struct request *rq, enum action a, const char *project)
{
    const struct session *s = session_of(rq);

    return s != NULL && session_may(s, a, session_scope(s, project));
}

static bool person_may(const struct policy *p, uint32_t user, enum action a, uint32_t scope)
{
    for (uint32_t i = 0; i < policy_principals(p); i++)
        if ((i == user ||
             strcmp(policy_principal(p, i)->owner, policy_principal(p, user)->id) == 0) &&
            policy_allows(p, i, a, scope, time_now_ms()))
            return true;
    return false;
}

struct people auth_people(struct request *rq, enum action a, enum action other)
{
    const struct session *s = session_of(rq);
    struct people n = {.able = 0};

    if (s == NULL || s->project == POLICY_NONE)
        return n;
    for (uint32_t i = 0; i < policy_principals(s->policy); i++) {
        bool able;
        bool also;

        if (policy_principal(s->policy, i)->kind != PRINCIPAL_USER)
            continue;
        able = person_may(s->policy, i, a, SCOPE_AT_PROJECTS + s->project);
        also = person_may(s->policy, i, other, SCOPE_AT_PROJECTS + s->project);
        n.able += able;
        n.both += able && also;
        n.others += !able && also;
    }
    return n;
}

static const struct policy_principal *principal_of(struct request *rq, const char *id)
{
    const struct session *s = session_of(rq);

    return s == NULL ? NULL : policy_principal(s->policy, policy_find_principal(s->policy, id));
}

const char *auth_principal_name(struct request *rq, const char *id)
{
    const struct policy_principal *who = principal_of(rq, id);

    return who == NULL ? NULL : who->name;
}

const char *auth_answerable(struct request *rq, const char *id)
{
    const struct policy_principal *who = principal_of(rq, id);

    if (who == NULL)
        return NULL;
    return who->kind == PRINCIPAL_SERVICE ? who->owner : who->id;
}
