/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/auth.h"

#include "auth/authority.h"
#include "auth/handlers.h"
#include "auth/session.h"

#include <string.h>

/* Roles, the caller's own, and questions about what somebody may: all answered from memory. */

struct role_view {
    const char *name;
    const char *description;
    const char *cannot;
    bool privileged;
    struct texts actions;
    struct texts scopes;
};

static const struct field role_fields[] = {
    NAME(struct role_view, name),
    TEXT(struct role_view, description, 500),
    TEXT(struct role_view, cannot, 500),
    BOOL(struct role_view, privileged),
    TEXTS(struct role_view, actions, ACTION_COUNT),
    TEXTS(struct role_view, scopes, 3),
    FIELDS_END,
};

static void add(struct texts *list, bool applies, const char *text)
{
    if (applies)
        list->items[list->count++] = text;
}

static struct role_view view(struct arena *a, enum role role)
{
    const struct role_facts *facts = role_facts(role);
    struct role_view v = {.name = facts->text,
                          .description = facts->description,
                          .cannot = facts->cannot,
                          .privileged = facts->class == CLASS_PRIVILEGED};

    v.actions.items = arena_alloc(a, ACTION_COUNT * sizeof(const char *));
    v.scopes.items = arena_alloc(a, 3 * sizeof(const char *));
    for (unsigned i = DENY + 1; i < ACTION_COUNT; i++)
        add(&v.actions, action_in(&facts->actions, (enum action)i), action_text((enum action)i));
    add(&v.scopes, (facts->places & AT_PLATFORM) != 0, "platform");
    add(&v.scopes, (facts->places & AT_TENANT) != 0, "tenant");
    add(&v.scopes, (facts->places & AT_PROJECT) != 0, "project");
    return v;
}

/* GET /v1/roles */
enum err get_roles(struct request *rq)
{
    struct role_view *views = arena_alloc(rq->arena, ROLE_COUNT * sizeof(*views));
    const struct rows rows = {.items = views, .count = ROLE_COUNT};

    for (unsigned r = 0; r < ROLE_COUNT; r++)
        views[r] = view(rq->arena, (enum role)r);
    return request_reply_list(rq, role_fields, sizeof(*views), &rows, NULL);
}

/* GET /v1/roles/{role} */
enum err get_role(struct request *rq)
{
    enum role role = role_find(rq->args[0]);
    struct role_view v;

    if (role == ROLE_COUNT)
        return ERR_NOT_FOUND;
    v = view(rq->arena, role);
    return request_reply(rq, role_fields, &v);
}

static const char *scope_text(uint32_t scope)
{
    return scope == SCOPE_AT_PLATFORM ? "platform"
           : scope == SCOPE_AT_TENANT ? "tenant"
                                      : "project";
}

static const char *scope_project(const struct session *s, uint32_t scope)
{
    return scope < SCOPE_AT_PROJECTS ? NULL
                                     : policy_project(s->policy, scope - SCOPE_AT_PROJECTS)->name;
}

static bool in_force(const struct policy_grant *g)
{
    int64_t now = time_now_ms();

    return !g->deny && g->from_ms <= now && now < g->until_ms;
}

static json_t *own_roles(const struct session *s)
{
    json_t *list = json_array();
    size_t count;
    const struct policy_grant *grants = policy_grants(s->policy, s->principal, &count);

    for (size_t i = 0; i < count; i++)
        if (in_force(&grants[i]))
            json_array_append_new(list, json_pack("{s:s,s:s,s:s?}", "role",
                                                  role_facts(grants[i].role)->text, "scope",
                                                  scope_text(grants[i].scope), "project",
                                                  scope_project(s, grants[i].scope)));
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
    const char *principal;
};

const struct field access_question_fields[] = {
    TEXT(struct access_question, action, 100),
    OPT_NAME(struct access_question, project),
    OPT_NAME(struct access_question, principal),
    FIELDS_END,
};

struct access_answer {
    bool allowed;
    const char *reason;
};

static const struct field access_answer_fields[] = {
    BOOL(struct access_answer, allowed),
    TEXT(struct access_answer, reason, 500),
    FIELDS_END,
};

/* The grant that allows, in words. */
static const char *explain(struct request *rq, uint32_t who, enum action a, uint32_t scope)
{
    const struct session *s = session_of(rq);
    size_t count;
    const struct policy_grant *grants = policy_grants(s->policy, who, &count);

    if (!policy_alive(s->policy, who))
        return "the principal, its owner or the tenant is disabled";
    for (size_t i = 0; i < count; i++) {
        const struct policy_grant *g = &grants[i];
        bool above = g->scope == scope || g->scope < SCOPE_AT_TENANT ||
                     (g->scope == SCOPE_AT_TENANT && scope >= SCOPE_AT_PROJECTS);

        if (above && in_force(g) && action_in(&role_facts(g->role)->actions, a))
            return arena_printf(rq->arena, "role %s at scope %s%s%s", role_facts(g->role)->text,
                                scope_text(g->scope), g->scope < SCOPE_AT_PROJECTS ? "" : " ",
                                g->scope < SCOPE_AT_PROJECTS ? "" : scope_project(s, g->scope));
    }
    return "no role in force allows it there";
}

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
    if (*who != POLICY_NONE)
        return OK;
    rq->target = "principal";
    return fail(rq, ERR_INVALID, "principal: there is no such user or service account");
}

static uint32_t scope_of(const struct session *s, const struct access_question *q, enum action a)
{
    if (q->project != NULL)
        return session_scope(s, q->project);
    return a == TENANT_CREATE ? SCOPE_AT_PLATFORM : SCOPE_AT_TENANT;
}

/* POST /v1/access/check */
enum err post_access_check(struct request *rq)
{
    const struct session *s = session_of(rq);
    struct access_question q = {.action = NULL};
    struct access_answer answer;
    enum action a;
    uint32_t scope;
    uint32_t who;

    TRY(request_read(rq, &q));
    a = action_find(q.action);
    if (a == DENY) {
        rq->target = "action";
        return fail(rq, ERR_INVALID, "action: there is no such action");
    }
    scope = scope_of(s, &q, a);
    if (q.project != NULL && (scope == SCOPE_AT_TENANT ||
                              (!session_may(s, PROJECT_READ, scope) && !session_may(s, a, scope))))
        return ERR_NOT_FOUND;
    TRY(find_subject(rq, &q, scope, &who));
    answer.allowed = a == PUBLIC || (a == ANYONE && policy_alive(s->policy, who)) ||
                     policy_allows(s->policy, who, a, scope, time_now_ms());
    answer.reason = a == PUBLIC || a == ANYONE ? action_meaning(a) : explain(rq, who, a, scope);
    return request_reply(rq, access_answer_fields, &answer);
}
