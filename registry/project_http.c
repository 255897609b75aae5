/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/project.h"

#include "auth/auth.h"
#include "lineage/audit.h"
#include "registry/handlers.h"
#include "registry/reply.h"
#include "registry/rules.h"

#include <string.h>

struct project_body {
    const char *description;
    const json_t *policy;
};

const struct field project_body_fields[] = {
    OPT_TEXT(struct project_body, description, 2000),
    OPT_OBJECT(struct project_body, policy),
    FIELDS_END,
};

/* A new JSON text of the policy, owned by the arena. */
static json_t *policy_json(struct request *rq, const struct rules *policy)
{
    json_t *json = field_to_json(rules_fields, policy);

    arena_own(rq->arena, json, json_release);
    if (policy->trace_days == 0)
        json_object_del(json, "trace_days");
    return json;
}

/* The policy a body asks for; changing it is a privilege of its own. */
static enum err take_policy(struct request *rq, const char *prefix, const json_t *json,
                            json_t **out)
{
    struct rules policy;

    if (!auth_may(rq, POLICY_WRITE, rq->args[0]))
        return fail(rq, ERR_DENIED, "changing the policy of %s needs projects/policy/write",
                    rq->args[0]);
    TRY(rules_read(rq, prefix, json, &policy));
    *out = policy_json(rq, &policy);
    return OK;
}

static enum err reply_project(struct request *rq)
{
    struct project p;

    TRY(project_find(rq->db, rq->args[0], &p));
    return etag_reply(rq, project_fields, &p, p.revision);
}

static enum err create(struct request *rq, const struct project_body *b)
{
    json_t *policy = policy_json(rq, &rules_usual);

    TRY(etag_check(rq, 0));
    if (!name_valid(rq->args[0]))
        return fail(rq, ERR_INVALID,
                    "a project's name is 1 to 63 of a-z 0-9 . _ - and begins "
                    "with a letter or digit");
    if (b->policy != NULL)
        TRY(take_policy(rq, "policy.", b->policy, &policy));
    TRY(project_create(rq->db, rq->args[0], b->description == NULL ? "" : b->description, policy,
                       rq->caller.id));
    request_status(rq, 201);
    return reply_project(rq);
}

/* PUT /v1/projects/{project} */
enum err put_project(struct request *rq)
{
    struct project_body b = {.description = ""};
    struct project p;
    enum err e;

    TRY(request_read(rq, &b));
    request_object(rq, "projects/%s", rq->args[0]);
    rq->project = rq->args[0];
    e = project_lock(rq->db, rq->args[0], &p);
    if (e == ERR_NOT_FOUND)
        return create(rq, &b);
    TRY(e);
    if (strcmp(p.state, "active") != 0)
        return fail(rq, ERR_CONFLICT, "a deleted project had this name, which is not used again");
    TRY(etag_check(rq, p.revision));
    audit_before(rq, project_fields, &p);
    p.description = b.description;
    if (b.policy != NULL)
        TRY(take_policy(rq, "policy.", b.policy, &p.policy));
    TRY(project_update(rq->db, &p));
    return reply_project(rq);
}

static enum err lock_active(struct request *rq, struct project *p)
{
    request_object(rq, "projects/%s", rq->args[0]);
    TRY(project_lock(rq->db, rq->args[0], p));
    if (strcmp(p->state, "active") != 0)
        return ERR_NOT_FOUND;
    audit_before(rq, project_fields, p);
    return etag_check(rq, p->revision);
}

/* PATCH /v1/projects/{project}: a merge patch (RFC 7396), of the policy too. */
enum err patch_project(struct request *rq)
{
    struct project_body b = {.description = NULL};
    struct project p;

    TRY(request_read(rq, &b));
    TRY(lock_active(rq, &p));
    if (b.description != NULL)
        p.description = b.description;
    if (b.policy != NULL) {
        json_t *merged = json_deep_copy(p.policy);

        arena_own(rq->arena, merged, json_release);
        if (json_object_update_recursive(merged, (json_t *)b.policy) != 0)
            return fail(rq, ERR_INVALID, "policy cannot be merged");
        TRY(take_policy(rq, "policy.", merged, &p.policy));
    }
    TRY(project_update(rq->db, &p));
    return reply_project(rq);
}

/* GET /v1/projects/{project} */
enum err get_project(struct request *rq)
{
    return reply_project(rq);
}

/* DELETE /v1/projects/{project} */
enum err delete_project(struct request *rq)
{
    struct project p;
    enum err e;

    TRY(lock_active(rq, &p));
    e = project_delete(rq->db, &p);
    if (e == ERR_CONFLICT)
        return fail(rq, e, "an endpoint of %s is serving; undeploy it first", p.name);
    TRY(e);
    return request_reply_empty(rq);
}

/* GET /v1/projects */
enum err get_projects(struct request *rq)
{
    struct page page;
    struct texts names;
    struct rows rows;

    TRY(page_read(rq, &page));
    TRY(auth_readable_projects(rq, PROJECT_READ, &names));
    TRY(project_list(rq->db, &names, page.after, page.limit + 1, &rows));
    return page_reply(rq, &page, project_fields, sizeof(struct project), &rows,
                      offsetof(struct project, name));
}

/* GET /v1/projects/{project}/policy */
enum err get_project_policy(struct request *rq)
{
    struct project p;

    TRY(project_find(rq->db, rq->args[0], &p));
    request_set_header(rq, "ETag", arena_printf(rq->arena, "\"%lld\"", (long long)p.revision));
    return request_reply_json(rq, json_incref(p.policy));
}

/* Is there anybody whose request enough others could approve? A rule that nobody can meet is no
 * stricter than one, only harder to take back. */
static enum err satisfiable(struct request *rq, const char *member, int64_t approvals,
                            enum action asks)
{
    struct people n = auth_people(rq, APPROVAL_DECIDE, asks);

    if (approvals == 0 || (n.others > 0 && n.able >= approvals) ||
        (n.both > 0 && n.able - 1 >= approvals))
        return OK;
    rq->target = member;
    return fail(rq, ERR_CONFLICT,
                "%s: nobody could meet this: %lld may approve here, and nobody approves what they "
                "asked for; give roles first",
                member, (long long)n.able);
}

/* PUT /v1/projects/{project}/policy */
enum err put_project_policy(struct request *rq)
{
    struct project p;
    struct rules rules;

    TRY(lock_active(rq, &p));
    TRY(take_policy(rq, "", rq->body, &p.policy));
    TRY(project_update(rq->db, &p));
    TRY(rules_load(rq->db, auth_project_id(rq), &rules));
    TRY(satisfiable(rq, "promote", rules.promote.approvals, APPROVAL_REQUEST));
    TRY(satisfiable(rq, "train", rules.train.approvals, JOB_WRITE));
    TRY(reply_project(rq)); /* what the entry says it is after */
    audit_after(rq);
    return get_project_policy(rq);
}
