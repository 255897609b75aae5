/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/auth.h"

#include "auth/access/authority.h"
#include "auth/access/explain.h"
#include "auth/access/place.h"
#include "auth/handlers.h"
#include "auth/session.h"

#include <stdlib.h>
#include <string.h>

/* The caller's own, and questions about who may what: all answered from memory. */

static const char *scope_text(const struct policy *p, uint32_t scope)
{
    return scope == SCOPE_AT_PLATFORM       ? "platform"
           : scope == SCOPE_AT_TENANT       ? "tenant"
           : policy_asset(p, scope) == NULL ? "project"
                                            : "asset";
}

static bool in_force(const struct policy_grant *g)
{
    int64_t now = time_now_ms();

    return g->kind == GRANT_ALLOW && g->from_ms <= now && now < g->until_ms;
}

static json_t *own_role(const struct policy *p, const struct policy_grant *g)
{
    const struct policy_project *project = policy_scope_project(p, g->scope);
    const struct policy_asset *asset = policy_asset(p, g->scope);
    const struct condition *condition = policy_condition(p, g->condition);

    return json_pack("{s:s,s:s,s:s?,s:s*,s:s*,s:s*}", "role", policy_role(p, g->role)->name,
                     "scope", scope_text(p, g->scope), "project",
                     project == NULL ? NULL : project->name, "asset",
                     asset == NULL ? NULL : asset->name, "group",
                     g->group == 0 ? NULL : policy_group(p, g->group - 1)->name, "condition",
                     condition == NULL ? NULL : condition->text);
}

static json_t *own_roles(const struct session *s)
{
    json_t *list = json_array();
    size_t count;
    const struct policy_grant *grants = policy_grants(s->policy, s->principal, &count);

    for (size_t i = 0; i < count; i++)
        if (in_force(&grants[i]))
            json_array_append_new(list, own_role(s->policy, &grants[i]));
    return list;
}

/* GET /v1/me */
enum err get_me(struct request *rq)
{
    const struct caller *c = &rq->caller;
    const struct session *s = session_of(rq);

    return request_reply_json(
        rq, json_pack("{s:s,s:s,s:s,s:s,s:s,s:o}", "tenant", c->tenant, "tenant_id", c->tenant_id,
                      "id", c->id, "name", c->name, "kind",
                      c->kind == PRINCIPAL_SERVICE ? "service" : "user", "roles", own_roles(s)));
}

struct access_question {
    const char *action;
    const char *project;
    const char *asset;
    const char *principal;
    const char *purpose;
    const char *network;
};

const struct field access_question_fields[] = {
    TEXT(struct access_question, action, 100),
    OPT_NAME(struct access_question, project),
    OPT_TEXT(struct access_question, asset, 80),
    OPT_NAME(struct access_question, principal),
    OPT_TEXT(struct access_question, purpose, 63),
    OPT_TEXT(struct access_question, network, 63),
    FIELDS_END,
};

struct access_answer {
    bool allowed;
    bool conditional;
    const char *reason;
    struct texts steps;
};

static const struct field access_answer_fields[] = {
    BOOL(struct access_answer, allowed),
    BOOL(struct access_answer, conditional),
    TEXT(struct access_answer, reason, 500),
    FIELDS_END,
};

static const struct field access_explanation_fields[] = {
    BOOL(struct access_answer, allowed),
    BOOL(struct access_answer, conditional),
    TEXT(struct access_answer, reason, 500),
    TEXTS(struct access_answer, steps, 1000),
    FIELDS_END,
};

static enum err find_subject(struct request *rq, const struct access_question *q, uint32_t scope,
                             uint32_t *who)
{
    const struct session *s = session_of(rq);

    *who = s->principal;
    if (q->principal == NULL || strcmp(q->principal, rq->caller.name) == 0)
        return OK;
    if (!session_may(s, ACCESS_CHECK, scope))
        return fail(rq, ERR_DENIED, "asking about others needs %s", action_text(ACCESS_CHECK));
    *who = policy_find_principal_name(s->policy, q->principal);
    return *who != POLICY_NONE
               ? OK
               : place_invalid(rq, "principal", "there is no such user or service account");
}

static enum err find_action(struct request *rq, const char *text, enum action *a)
{
    *a = text == NULL ? DENY : action_find(text);
    return *a == DENY ? place_invalid(rq, "action", "there is no such action") : OK;
}

/* A project that the caller has no business with is not there. */
static enum err find_scope(struct request *rq, const char *project, const char *asset,
                           enum action a, uint32_t *scope)
{
    const struct session *s = session_of(rq);

    *scope = a == TENANT_CREATE ? SCOPE_AT_PLATFORM : SCOPE_AT_TENANT;
    if (project == NULL)
        return asset == NULL ? OK : place_invalid(rq, "asset", "is asked about in a project");
    *scope = session_asset_scope(s, project, asset);
    return *scope != SCOPE_AT_TENANT &&
                   (session_may(s, PROJECT_READ, *scope) || session_may(s, a, *scope))
               ? OK
               : ERR_NOT_FOUND;
}

/* What the question supposes of a request, or that of this one. */
static struct circumstances suppose(const struct session *s, const struct access_question *q)
{
    struct circumstances c = s->circumstances;

    if (q->purpose != NULL)
        c.purpose = q->purpose;
    if (q->network != NULL)
        c.remote = q->network;
    return c;
}

static enum err answer(struct request *rq, const struct field *fields)
{
    const struct session *s = session_of(rq);
    struct access_question q = {.action = NULL};
    struct policy_question ask = {.now_ms = time_now_ms()};
    struct circumstances given;
    struct explanation e;

    TRY(request_read(rq, &q));
    TRY(find_action(rq, q.action, &ask.action));
    TRY(find_scope(rq, q.project, q.asset, ask.action, &ask.scope));
    TRY(find_subject(rq, &q, ask.scope, &ask.principal));
    given = suppose(s, &q);
    ask.circumstances = &given;
    e = explain(rq->arena, s->policy, &ask);
    if (ask.action == PUBLIC || ask.action == ANYONE) {
        e.allowed = ask.action == PUBLIC || policy_alive(s->policy, ask.principal);
        e.reason = action_meaning(ask.action);
    }
    return request_reply(rq, fields,
                         &(struct access_answer){e.allowed, e.conditional, e.reason, e.steps});
}

/* POST /v1/access/check */
enum err post_access_check(struct request *rq)
{
    return answer(rq, access_answer_fields);
}

/* POST /v1/access/explain */
enum err post_access_explain(struct request *rq)
{
    return answer(rq, access_explanation_fields);
}

struct who_can {
    const char *principal;
    const char *kind;
    bool conditional;
    const char *reason;
};

static const struct field who_can_fields[] = {
    NAME(struct who_can, principal),
    TEXT(struct who_can, kind, 10),
    BOOL(struct who_can, conditional),
    TEXT(struct who_can, reason, 500),
    FIELDS_END,
};

static bool who_can_line(struct request *rq, const struct policy_question *q, struct who_can *out)
{
    const struct policy *p = session_of(rq)->policy;
    const struct policy_principal *who = policy_principal(p, q->principal);
    struct explanation e = explain(rq->arena, p, q);

    *out = (struct who_can){who->name, who->kind == PRINCIPAL_SERVICE ? "service" : "user",
                            e.conditional, e.reason};
    return e.allowed || e.conditional;
}

static int by_principal(const void *a, const void *b)
{
    return strcmp(((const struct who_can *)a)->principal, ((const struct who_can *)b)->principal);
}

/* GET /v1/access/who-can?action=&project=&asset= */
enum err get_who_can(struct request *rq)
{
    const struct session *s = session_of(rq);
    const char *project = request_query(rq, "project");
    struct policy_question q = {.now_ms = time_now_ms()};
    struct who_can *all;
    struct rows rows = {.count = 0};

    TRY(find_action(rq, request_query(rq, "action"), &q.action));
    TRY(find_scope(rq, project, request_query(rq, "asset"), q.action, &q.scope));
    if (!session_may(s, ACCESS_CHECK, q.scope))
        return fail(rq, ERR_DENIED, "this needs %s", action_text(ACCESS_CHECK));
    all = arena_alloc(rq->arena, policy_principals(s->policy) * sizeof(*all));
    rows.items = all;
    for (q.principal = 0; q.principal < policy_principals(s->policy); q.principal++)
        rows.count += who_can_line(rq, &q, &all[rows.count]);
    qsort(all, rows.count, sizeof(*all), by_principal);
    return request_reply_list(rq, who_can_fields, sizeof(*all), &rows, NULL);
}

static json_t *actions_at(const struct policy *p, uint32_t who, uint32_t scope)
{
    json_t *list = json_array();

    for (unsigned a = ANYONE + 1; a < ACTION_COUNT; a++)
        if (policy_allows(p, who, (enum action)a, scope, time_now_ms()))
            json_array_append_new(list, json_string(action_text((enum action)a)));
    return list;
}

/* A scope is listed when it differs from the one above. */
static void add_scope(const struct policy *p, uint32_t who, uint32_t scope, json_t *out)
{
    const struct policy_project *project = policy_scope_project(p, scope);
    const struct policy_asset *asset = policy_asset(p, scope);
    json_t *here = actions_at(p, who, scope);
    json_t *above =
        scope == SCOPE_AT_PLATFORM ? json_array() : actions_at(p, who, policy_parent(p, scope));

    if (json_equal(here, above))
        json_decref(here);
    else
        json_array_append_new(out,
                              json_pack("{s:s,s:s*,s:s*,s:o}", "scope", scope_text(p, scope),
                                        "project", project == NULL ? NULL : project->name, "asset",
                                        asset == NULL ? NULL : asset->name, "actions", here));
    json_decref(above);
}

/* GET /v1/access/what-can?principal= */
enum err get_what_can(struct request *rq)
{
    const struct session *s = session_of(rq);
    const struct access_question q = {.principal = request_query(rq, "principal")};
    json_t *scopes;
    uint32_t who;

    TRY(find_subject(rq, &q, SCOPE_AT_TENANT, &who));
    scopes = json_array();
    for (uint32_t scope = 0; scope < policy_scopes(s->policy); scope++)
        add_scope(s->policy, who, scope, scopes);
    return request_reply_json(rq,
                              json_pack("{s:s,s:o}", "principal",
                                        policy_principal(s->policy, who)->name, "value", scopes));
}
