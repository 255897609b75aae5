/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/binding.h"

#include "auth/auth.h"
#include "auth/authority.h"
#include "auth/handlers.h"
#include "auth/listing.h"
#include "auth/session.h"

#include <string.h>

struct new_binding {
    const char *principal;
    const char *role;
    const char *scope;
    const char *project;
    const char *valid_until;
};

static const char *const places[] = {"tenant", "project", "platform", NULL};

const struct field new_binding_fields[] = {
    NAME(struct new_binding, principal),       TEXT(struct new_binding, role, 63),
    CHOICE(struct new_binding, scope, places), OPT_NAME(struct new_binding, project),
    OPT_TIME(struct new_binding, valid_until), FIELDS_END,
};

static enum err invalid(struct request *rq, const char *member, const char *what)
{
    rq->target = member;
    return fail(rq, ERR_INVALID, "%s: %s", member, what);
}

/* Is the role known, and can it be given at such a scope? */
static enum err read_role(struct request *rq, const struct new_binding *n, enum role *role)
{
    unsigned place = strcmp(n->scope, "project") == 0  ? AT_PROJECT
                     : strcmp(n->scope, "tenant") == 0 ? AT_TENANT
                                                       : AT_PLATFORM;

    *role = role_find(n->role);
    if (*role == ROLE_COUNT)
        return invalid(rq, "role", "there is no such role; GET /v1/roles lists them");
    if ((role_facts(*role)->places & place) == 0)
        return invalid(rq, "scope", "this role cannot be given there");
    if ((place == AT_PROJECT) != (n->project != NULL))
        return invalid(rq, "project", "is needed at scope project, and only there");
    return OK;
}

static enum err read_until(struct request *rq, const struct new_binding *n)
{
    int64_t until;

    if (n->valid_until == NULL)
        return OK;
    if (!time_parse(n->valid_until, &until))
        return invalid(rq, "valid_until", "is no time in RFC 3339");
    return until > time_now_ms() ? OK : invalid(rq, "valid_until", "lies in the past");
}

/* A project that the caller has no business with is not there. */
static enum err find_scope(struct request *rq, const struct new_binding *n, uint32_t *scope,
                           const char **project_id)
{
    const struct session *s = session_of(rq);
    uint32_t p;

    *scope = strcmp(n->scope, "platform") == 0 ? SCOPE_AT_PLATFORM : SCOPE_AT_TENANT;
    if (n->project == NULL)
        return OK;
    p = policy_find_project(s->policy, n->project);
    *scope = session_scope(s, n->project);
    if (*scope == SCOPE_AT_TENANT ||
        (!session_may(s, PROJECT_READ, *scope) && !session_may(s, BINDING_WRITE, *scope)))
        return invalid(rq, "project", "there is no such project");
    *project_id = policy_project(s->policy, p)->id;
    rq->project = n->project;
    return OK;
}

static enum err find_principal(struct request *rq, const char *name, uint32_t *out)
{
    const struct session *s = session_of(rq);

    *out = policy_find_principal_name(s->policy, name);
    return *out == POLICY_NONE
               ? invalid(rq, "principal", "there is no such user or service account")
               : OK;
}

static enum err reply_binding(struct request *rq, const char *id)
{
    struct binding b;

    TRY(binding_find(rq->db, id, &b));
    request_status(rq, 201);
    return request_reply(rq, binding_fields, &b);
}

/* Whoever may give roles nowhere is told only that. */
static enum err may_at_all(struct request *rq)
{
    return authority_anywhere(rq, BINDING_WRITE) || auth_may(rq, BINDING_ADMINISTER, NULL)
               ? OK
               : fail(rq, ERR_DENIED, "this needs %s", action_text(BINDING_WRITE));
}

/* What the body asks for, in terms of the policy. */
struct wish {
    enum role role;
    uint32_t scope;
    uint32_t principal;
    const char *project_id;
};

static enum err understand(struct request *rq, const struct new_binding *n, struct wish *w)
{
    TRY(read_role(rq, n, &w->role));
    TRY(read_until(rq, n));
    TRY(find_scope(rq, n, &w->scope, &w->project_id));
    return find_principal(rq, n->principal, &w->principal);
}

static enum err insert(struct request *rq, const struct new_binding *n, const struct wish *w)
{
    char id[ID_SIZE];
    struct binding b = {.id = id,
                        .principal_id = policy_principal(session_of(rq)->policy, w->principal)->id,
                        .role = n->role,
                        .scope = n->scope,
                        .project_id = w->project_id,
                        .valid_until = n->valid_until};
    enum err e;

    id_new(id);
    e = binding_insert(rq->db, &b, rq->caller.id);
    if (e == ERR_EXISTS)
        return fail(rq, e, "%s has the role %s there already", n->principal, n->role);
    return e == OK ? reply_binding(rq, id) : e;
}

/* POST /v1/bindings */
enum err post_binding(struct request *rq)
{
    struct new_binding n = {.principal = NULL};
    struct wish w = {.project_id = NULL};

    TRY(request_read(rq, &n));
    TRY(authority_fence(rq));
    TRY(may_at_all(rq));
    TRY(understand(rq, &n, &w));
    request_object(rq, "bindings/%s/%s", n.principal, n.role);
    TRY(authority_give(rq, w.role, w.scope, w.principal));
    return insert(rq, &n, &w);
}

/* Own bindings are everyone's to see; others by the right to read them, there. */
static enum err may_list(struct request *rq, const char *principal, const char *project)
{
    const struct session *s = session_of(rq);
    uint32_t scope = session_scope(s, project);

    if (project != NULL && scope == SCOPE_AT_TENANT && !session_may(s, BINDING_READ, scope))
        return ERR_NOT_FOUND;
    if (session_may(s, BINDING_READ, scope) ||
        (principal != NULL && strcmp(principal, rq->caller.name) == 0))
        return OK;
    if (project != NULL && !session_may(s, PROJECT_READ, scope))
        return ERR_NOT_FOUND;
    return fail(rq, ERR_DENIED, "this needs %s%s", action_text(BINDING_READ),
                project == NULL ? " in the tenant; say ?project= for those of one project" : "");
}

/* GET /v1/bindings?principal=&project= */
enum err get_bindings(struct request *rq)
{
    const char *principal = request_query(rq, "principal");
    const char *project = request_query(rq, "project");
    struct listing l;
    struct rows rows;

    TRY(listing_read(rq, true, &l));
    TRY(may_list(rq, principal, project));
    TRY(binding_list(rq->db, principal, project, l.after, l.limit + 1, &rows));
    return listing_reply(rq, &l, binding_fields, sizeof(struct binding), &rows,
                         offsetof(struct binding, id));
}

/* Whoever may give a role may take it. One that this version does not know gives nothing. */
static enum err may_delete(struct request *rq, const struct binding *b)
{
    const struct session *s = session_of(rq);
    enum role role = role_find(b->role);
    uint32_t scope =
        strcmp(b->scope, "platform") == 0 ? SCOPE_AT_PLATFORM : session_scope(s, b->project);

    if (!session_may(s, BINDING_READ, scope) && strcmp(b->principal_id, rq->caller.id) != 0)
        return ERR_NOT_FOUND;
    if (role == ROLE_COUNT)
        return may_at_all(rq);
    return authority_give(rq, role, scope, policy_find_principal(s->policy, b->principal_id));
}

/* DELETE /v1/bindings/{binding} */
enum err delete_binding(struct request *rq)
{
    struct binding b;

    TRY(authority_fence(rq));
    TRY(binding_find(rq->db, rq->args[0], &b));
    request_object(rq, "bindings/%s/%s", b.principal, b.role);
    rq->project = b.project;
    TRY(may_delete(rq, &b));
    TRY(binding_delete(rq->db, b.id));
    TRY(authority_admin_remains(rq));
    return request_reply_empty(rq);
}
