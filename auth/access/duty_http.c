/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/access/duty.h"

#include "auth/access/explain.h"
#include "auth/access/place.h"
#include "auth/auth.h"
#include "auth/handlers.h"
#include "auth/session.h"
#include "lineage/audit.h"

#include <string.h>

struct duty_body {
    const char *description;
    struct texts roles;
    int64_t at_most;
    bool active_only;
};

const struct field duty_body_fields[] = {
    OPT_TEXT(struct duty_body, description, 500),
    TEXTS(struct duty_body, roles, 16),
    OPT_INT(struct duty_body, at_most, 1, 15),
    OPT_BOOL(struct duty_body, active_only),
    FIELDS_END,
};

/* GET /v1/duties */
enum err get_duties(struct request *rq)
{
    struct rows rows;

    TRY(duty_list(rq->db, &rows));
    return request_reply_list(rq, duty_fields, sizeof(struct duty), &rows, NULL);
}

static enum err check_roles(struct request *rq, const struct duty_body *b)
{
    const struct policy *p = session_of(rq)->policy;

    for (size_t i = 0; i < b->roles.count; i++) {
        if (policy_find_role(p, b->roles.items[i]) == POLICY_NONE)
            return place_invalid(
                rq, "roles", arena_printf(rq->arena, "there is no role %.63s", b->roles.items[i]));
        for (size_t k = 0; k < i; k++)
            if (strcmp(b->roles.items[i], b->roles.items[k]) == 0)
                return place_invalid(rq, "roles", "names a role twice");
    }
    if (b->roles.count < 2 || b->at_most >= (int64_t)b->roles.count)
        return place_invalid(rq, "at_most",
                             "is less than the number of roles, which is two or more");
    return OK;
}

/* The duty of that name as it is; none is no error. */
static enum err look(struct request *rq, const char *name, const struct duty **out)
{
    const struct duty *all;
    struct rows rows;

    *out = NULL;
    TRY(duty_list(rq->db, &rows));
    all = rows.items;
    for (size_t i = 0; i < rows.count; i++)
        if (strcmp(all[i].name, name) == 0)
            *out = &all[i];
    return OK;
}

/* PUT /v1/duties/{duty}: those who break it already are reported, not stripped. */
enum err put_duty(struct request *rq)
{
    struct duty_body b = {.description = "", .at_most = 1};
    const struct duty *was, *is;
    struct duty d;

    TRY(request_read(rq, &b));
    request_object(rq, "duties/%s", rq->args[0]);
    if (!name_valid(rq->args[0]))
        return fail(rq, ERR_INVALID, "the name of a duty is 1 to 63 of a-z 0-9 . _ -");
    TRY(authority_fence(rq));
    TRY(check_roles(rq, &b));
    d = (struct duty){.name = rq->args[0],
                      .description = b.description,
                      .roles = b.roles,
                      .at_most = b.at_most,
                      .active_only = b.active_only};
    TRY(look(rq, d.name, &was));
    TRY(duty_put(rq->db, &d, rq->caller.id));
    TRY(look(rq, d.name, &is));
    if (was != NULL)
        audit_before(rq, duty_fields, was);
    if (is != NULL)
        audit_after_as(rq, duty_fields, is);
    return request_reply_empty(rq);
}

/* DELETE /v1/duties/{duty} */
enum err delete_duty(struct request *rq)
{
    const struct duty *was;

    request_object(rq, "duties/%s", rq->args[0]);
    TRY(authority_fence(rq));
    TRY(look(rq, rq->args[0], &was));
    if (was != NULL)
        audit_before(rq, duty_fields, was);
    TRY(duty_delete(rq->db, rq->args[0]));
    return request_reply_empty(rq);
}

static json_t *broken_json(struct arena *a, const struct policy *p, const struct duty *d)
{
    const char **has = arena_alloc(a, d->roles.count * sizeof(*has));
    json_t *list = json_array();

    for (uint32_t i = 0; i < policy_principals(p); i++) {
        json_t *roles;
        size_t count;
        uint32_t scope;

        if (policy_principal(p, i)->kind != PRINCIPAL_USER ||
            !duty_broken(p, d, i, &scope, has, &count))
            continue;
        roles = json_array();
        for (size_t r = 0; r < count; r++)
            json_array_append_new(roles, json_string(has[r]));
        json_array_append_new(list, json_pack("{s:s,s:s,s:s,s:o}", "duty", d->name, "user",
                                              policy_principal(p, i)->name, "at",
                                              explain_scope(a, p, scope), "roles", roles));
    }
    return list;
}

/* Could the user, or a service account it answers for, do this there? */
static bool person_may(const struct policy *p, uint32_t user, enum action a, uint32_t scope)
{
    for (uint32_t i = 0; i < policy_principals(p); i++)
        if ((i == user ||
             strcmp(policy_principal(p, i)->owner, policy_principal(p, user)->id) == 0) &&
            policy_allows(p, i, a, scope, time_now_ms()))
            return true;
    return false;
}

/* Who has all of train, approve and deploy in one project. Object history still keeps them from
 * approving what they trained; two of them together can. */
static json_t *alone_json(const struct policy *p)
{
    json_t *list = json_array();

    for (uint32_t i = 0; i < policy_principals(p); i++)
        for (uint32_t k = 0;
             policy_principal(p, i)->kind == PRINCIPAL_USER && k < policy_projects(p); k++)
            if (policy_project(p, k)->active &&
                person_may(p, i, JOB_WRITE, SCOPE_AT_PROJECTS + k) &&
                person_may(p, i, APPROVAL_DECIDE, SCOPE_AT_PROJECTS + k) &&
                person_may(p, i, ENDPOINT_DEPLOY, SCOPE_AT_PROJECTS + k))
                json_array_append_new(list,
                                      json_pack("{s:s,s:s}", "user", policy_principal(p, i)->name,
                                                "project", policy_project(p, k)->name));
    return list;
}

/* GET /v1/access/duties */
enum err get_access_duties(struct request *rq)
{
    const struct policy *p = session_of(rq)->policy;
    json_t *broken;
    struct rows duties;

    TRY(duty_list(rq->db, &duties));
    broken = json_array();
    for (size_t i = 0; i < duties.count; i++) {
        json_t *more = broken_json(rq->arena, p, &((const struct duty *)duties.items)[i]);

        json_array_extend(broken, more);
        json_decref(more);
    }
    return request_reply_json(
        rq, json_pack("{s:o,s:o}", "broken", broken, "train_approve_deploy", alone_json(p)));
}
