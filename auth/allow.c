/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/auth.h"

#include "auth/session.h"
#include "auth/snapshot.h"
#include "core/log.h"

#include <string.h>

/* Finds nothing. */
static const char nil[] = "00000000-0000-0000-0000-000000000000";

static enum err lacking(struct request *rq, const char *place)
{
    const char *action = action_text((enum action)rq->route->action);

    return fail(rq, ERR_DENIED, "this needs %s %s", action, place);
}

/* Whoever may neither do this nor read the project does not learn that it exists. */
static enum err decide_project(struct request *rq, struct session *s)
{
    uint32_t p = policy_find_project(s->policy, rq->args[0]);
    enum action a = (enum action)rq->route->action;

    s->project = POLICY_NONE;
    if (p == POLICY_NONE || !policy_project(s->policy, p)->active)
        return ERR_NOT_FOUND;
    if (session_may(s, a, SCOPE_AT_PROJECTS + p)) {
        s->project = p;
        return OK;
    }
    if (!session_may(s, PROJECT_READ, SCOPE_AT_PROJECTS + p))
        return ERR_NOT_FOUND;
    return lacking(rq, arena_printf(rq->arena, "in project %s", rq->args[0]));
}

static enum err decide(struct request *rq, struct session *s)
{
    enum action a = (enum action)rq->route->action;

    switch (rq->route->scope) {
    case SCOPE_PROJECT:
        return decide_project(rq, s);
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
        return OK;
    if (rq->route->scope == SCOPE_PROJECT && name_valid(rq->args[0]))
        rq->project = rq->args[0];
    e = decide(rq, s);
    return e == ERR_DENIED || e == ERR_NOT_FOUND ? decide_anew(rq, s, e) : e;
}

/* Actions whose use may change who may what; the epoch tells whether it did. */
static bool may_matter(enum action a)
{
    switch (a) {
    case PROJECT_WRITE:
    case PROJECT_DELETE:
    case USER_WRITE:
    case SERVICE_ACCOUNT_WRITE:
    case BINDING_WRITE:
        return true;
    default:
        return false;
    }
}

void auth_settled(struct request *rq)
{
    struct session *s = session_of(rq);
    struct policy *newest = NULL;

    if (s == NULL || rq->outcome != OK || strcmp(rq->route->method, "GET") == 0 ||
        (!s->changed && !may_matter((enum action)rq->route->action)))
        return;
    if (snapshot_renew(rq->db, s->claims.tenant_id, &newest) != OK) {
        log_world("the policy of a tenant cannot be read again; it is forgotten");
        snapshot_forget(s->claims.tenant_id);
    }
    policy_drop(newest);
}

const char *auth_project_id(struct request *rq)
{
    const struct session *s = session_of(rq);

    return s == NULL || s->project == POLICY_NONE ? nil : policy_project(s->policy, s->project)->id;
}

bool auth_may(struct request *rq, enum action a, const char *project)
{
    const struct session *s = session_of(rq);

    return s != NULL && session_may(s, a, session_scope(s, project));
}

enum err auth_readable_projects(struct request *rq, enum action a, struct texts *names)
{
    const struct session *s = session_of(rq);
    size_t count = s == NULL ? 0 : policy_projects(s->policy);

    *names = (struct texts){.items = arena_alloc(rq->arena, (count + 1) * sizeof(const char *))};
    for (uint32_t p = 0; p < count; p++) {
        const struct policy_project *project = policy_project(s->policy, p);

        if (project->active && session_may(s, a, SCOPE_AT_PROJECTS + p))
            names->items[names->count++] = project->name;
    }
    return OK;
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
