/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/access/binding.h"

#include "auth/access/lattice.h"
#include "auth/access/place.h"
#include "auth/auth.h"
#include "auth/handlers.h"
#include "auth/listing.h"
#include "auth/session.h"
#include "lineage/audit.h"

#include <string.h>

struct new_binding {
    const char *principal;
    const char *group;
    const char *role;
    struct place place;
    const char *condition;
    const char *valid_until;
};

static const char *const places[] = {"tenant", "project", "asset", "platform", NULL};

const struct field new_binding_fields[] = {
    OPT_NAME(struct new_binding, principal),
    OPT_NAME(struct new_binding, group),
    TEXT(struct new_binding, role, 63),
    PLACE_FIELDS(struct new_binding, places),
    OPT_TEXT(struct new_binding, condition, 500),
    OPT_TIME(struct new_binding, valid_until),
    FIELDS_END,
};

/* Is the role known, and can it be given at such a scope? */
static enum err read_role(struct request *rq, const char *name, enum role_place kind,
                          uint32_t *role)
{
    const struct policy *p = session_of(rq)->policy;

    *role = policy_find_role(p, name);
    if (*role == POLICY_NONE || *name == '!')
        return place_invalid(rq, "role", "there is no such role; GET /v1/roles lists them");
    if ((policy_role(p, *role)->places & (unsigned)kind) == 0)
        return place_invalid(rq, "scope", "this role cannot be given there");
    return OK;
}

static enum err read_condition(struct request *rq, const char *text)
{
    struct condition c;
    struct levels levels;
    const char *why;

    if (text == NULL)
        return OK;
    TRY(lattice_load(rq->db, &levels));
    return condition_parse(text, &levels, &c, &why) ? OK : place_invalid(rq, "condition", why);
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
    uint32_t role;
    struct place_found place;
    struct holder to;
};

static enum err understand(struct request *rq, const struct new_binding *n, struct wish *w)
{
    TRY(place_until(rq, n->valid_until));
    TRY(place_find(rq, &n->place, BINDING_WRITE, &w->place));
    TRY(read_role(rq, n->role, w->place.kind, &w->role));
    TRY(read_condition(rq, n->condition));
    return place_holder(rq, n->principal, n->group, &w->to);
}

static enum err insert(struct request *rq, const struct new_binding *n, const struct wish *w)
{
    char id[ID_SIZE];
    const char *holder = holder_id(rq, w->to);
    struct binding b = {.id = id,
                        .principal_id = w->to.group == 0 ? holder : NULL,
                        .group_id = w->to.group != 0 ? holder : NULL,
                        .role = n->role,
                        .scope = n->place.scope,
                        .project_id = w->place.project_id,
                        .asset = n->place.asset,
                        .condition = n->condition,
                        .valid_until = n->valid_until};
    enum err e;

    id_new(id);
    e = binding_insert(rq->db, &b, rq->caller.id);
    if (e == ERR_EXISTS)
        return fail(rq, e, "%s has the role %s there already", holder_name(rq, w->to), n->role);
    TRY(e);
    TRY(authority_result(rq));
    return reply_binding(rq, id);
}

/* POST /v1/bindings */
enum err post_binding(struct request *rq)
{
    struct new_binding n = {.principal = NULL};
    struct wish w = {.role = 0};

    TRY(request_read(rq, &n));
    TRY(authority_fence(rq));
    authority_about(rq, n.role, n.principal, n.group);
    TRY(may_at_all(rq));
    TRY(understand(rq, &n, &w));
    request_object(rq, "bindings/%s/%s", holder_name(rq, w.to), n.role);
    TRY(authority_give(rq, w.role, w.place.scope, w.to));
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

/* GET /v1/bindings?principal=&group=&project= */
enum err get_bindings(struct request *rq)
{
    struct binding_search search = {.principal = request_query(rq, "principal"),
                                    .group = request_query(rq, "group"),
                                    .project = request_query(rq, "project")};
    struct listing l;
    struct rows rows;

    TRY(listing_read(rq, true, &l));
    TRY(may_list(rq, search.principal, search.project));
    search.after = l.after;
    search.limit = l.limit + 1;
    TRY(binding_list(rq->db, &search, &rows));
    return listing_reply(rq, &l, binding_fields, sizeof(struct binding), &rows,
                         offsetof(struct binding, id));
}

/* Whoever may give a role may take it. One that this version does not know gives nothing. */
static enum err may_delete(struct request *rq, const struct binding *b)
{
    const struct session *s = session_of(rq);
    uint32_t role = policy_find_role(s->policy, b->role);
    uint32_t scope = strcmp(b->scope, "platform") == 0
                         ? SCOPE_AT_PLATFORM
                         : session_asset_scope(s, b->project, b->asset);
    struct holder from = {.principal = POLICY_NONE};

    if (!session_may(s, BINDING_READ, scope) &&
        (b->principal_id == NULL || strcmp(b->principal_id, rq->caller.id) != 0))
        return ERR_NOT_FOUND;
    if (role == POLICY_NONE)
        return may_at_all(rq);
    if (b->group_id == NULL)
        from.principal = policy_find_principal(s->policy, b->principal_id);
    else
        from.group = 1 + policy_find_group(s->policy, b->group_id);
    return authority_give(rq, role, scope, from);
}

/* DELETE /v1/bindings/{binding} */
enum err delete_binding(struct request *rq)
{
    struct binding b;

    TRY(authority_fence(rq));
    TRY(binding_find(rq->db, rq->args[0], &b));
    request_object(rq, "bindings/%s/%s", b.principal != NULL ? b.principal : b.group, b.role);
    rq->project = b.project;
    TRY(may_delete(rq, &b));
    audit_before(rq, binding_fields, &b);
    TRY(binding_delete(rq->db, b.id));
    TRY(authority_admin_remains(rq));
    return request_reply_empty(rq);
}
