/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/access/eligible.h"

#include "auth/access/binding.h"
#include "auth/access/place.h"
#include "auth/auth.h"
#include "auth/handlers.h"
#include "auth/session.h"
#include "auth/sign_in/second_factor.h"
#include "lineage/audit.h"

#include <string.h>

enum { HOUR_MS = 3600000, STEP_UP_S = 900 };

struct new_eligible {
    const char *principal;
    const char *group;
    const char *role;
    struct place place;
    int64_t max_hours;
    bool approval;
    bool step_up;
    const char *valid_until;
};

static const char *const places[] = {"tenant", "project", "asset", NULL};

const struct field new_eligible_fields[] = {
    OPT_NAME(struct new_eligible, principal),
    OPT_NAME(struct new_eligible, group),
    TEXT(struct new_eligible, role, 63),
    PLACE_FIELDS(struct new_eligible, places),
    OPT_INT(struct new_eligible, max_hours, 1, 720),
    OPT_BOOL(struct new_eligible, approval),
    OPT_BOOL(struct new_eligible, step_up),
    OPT_TIME(struct new_eligible, valid_until),
    FIELDS_END,
};

struct activation_body {
    const char *eligible;
    const char *justification;
    const char *ticket;
    int64_t hours;
};

const struct field activation_body_fields[] = {
    TEXT(struct activation_body, eligible, 36),
    TEXT(struct activation_body, justification, 2000),
    OPT_TEXT(struct activation_body, ticket, 200),
    OPT_INT(struct activation_body, hours, 1, 720),
    FIELDS_END,
};

struct activation_verdict {
    const char *verdict;
    const char *reason;
};

static const char *const verdicts[] = {"approve", "reject", NULL};

const struct field activation_verdict_fields[] = {
    CHOICE(struct activation_verdict, verdict, verdicts),
    TEXT(struct activation_verdict, reason, 2000),
    FIELDS_END,
};

/* One's own, through groups too; with the right to read roles everyone's. */
static bool is_mine(const struct session *s, const struct eligible *e)
{
    uint32_t group = e->group_id == NULL ? POLICY_NONE : policy_find_group(s->policy, e->group_id);

    if (e->principal_id != NULL)
        return strcmp(e->principal_id, s->claims.principal) == 0;
    return group != POLICY_NONE && policy_in_group(s->policy, group, s->principal, time_now_ms());
}

/* GET /v1/eligible */
enum err get_eligible(struct request *rq)
{
    const struct session *s = session_of(rq);
    bool all = session_may(s, BINDING_READ, SCOPE_AT_TENANT);
    struct rows rows;
    struct eligible *list;
    size_t kept = 0;

    TRY(eligible_list(rq->db, &rows));
    list = rows.items;
    for (size_t i = 0; i < rows.count; i++)
        if (all || is_mine(s, &list[i]))
            list[kept++] = list[i];
    rows.count = kept;
    return request_reply_list(rq, eligible_fields, sizeof(struct eligible), &rows, NULL);
}

static enum err find_role(struct request *rq, const struct new_eligible *n,
                          const struct place_found *place, uint32_t *role)
{
    const struct policy *p = session_of(rq)->policy;

    *role = policy_find_role(p, n->role);
    if (*role == POLICY_NONE || *n->role == '!')
        return place_invalid(rq, "role", "there is no such role; GET /v1/roles lists them");
    if ((policy_role(p, *role)->places & (unsigned)place->kind) == 0)
        return place_invalid(rq, "scope", "this role cannot be given there");
    return OK;
}

static enum err insert(struct request *rq, const struct new_eligible *n, struct holder to,
                       const struct place_found *place)
{
    char id[ID_SIZE];
    struct eligible e = {.id = id,
                         .principal_id = to.group == 0 ? holder_id(rq, to) : NULL,
                         .group_id = to.group != 0 ? holder_id(rq, to) : NULL,
                         .role = n->role,
                         .scope = n->place.scope,
                         .project_id = place->project_id,
                         .asset = n->place.asset,
                         .max_hours = n->max_hours,
                         .approval = n->approval,
                         .step_up = n->step_up,
                         .valid_until = n->valid_until};
    enum err result;

    id_new(id);
    result = eligible_insert(rq->db, &e, rq->caller.id);
    if (result == ERR_EXISTS)
        return fail(rq, result, "%s may ask for %s there already", holder_name(rq, to), n->role);
    TRY(result);
    TRY(authority_result(rq));
    TRY(eligible_find(rq->db, id, &e));
    request_status(rq, 201);
    return request_reply(rq, eligible_fields, &e);
}

/* POST /v1/eligible: who may not give a role may not let others ask for it either. */
enum err post_eligible(struct request *rq)
{
    struct new_eligible n = {.max_hours = 8, .approval = true};
    struct place_found place;
    struct holder to;
    uint32_t role;

    TRY(request_read(rq, &n));
    TRY(place_until(rq, n.valid_until));
    TRY(authority_fence(rq));
    authority_about(rq, n.role, n.principal, n.group);
    if (!authority_anywhere(rq, BINDING_WRITE))
        return fail(rq, ERR_DENIED, "this needs %s", action_text(BINDING_WRITE));
    TRY(place_find(rq, &n.place, BINDING_WRITE, &place));
    TRY(find_role(rq, &n, &place, &role));
    TRY(place_holder(rq, n.principal, n.group, &to));
    request_object(rq, "eligible/%s/%s", holder_name(rq, to), n.role);
    TRY(authority_give(rq, role, place.scope, to));
    return insert(rq, &n, to, &place);
}

static enum err may_give(struct request *rq, const struct eligible *e, uint32_t principal)
{
    const struct session *s = session_of(rq);
    uint32_t role = policy_find_role(s->policy, e->role);
    uint32_t scope = session_asset_scope(s, e->project, e->asset);

    if (role == POLICY_NONE)
        return fail(rq, ERR_CONFLICT, "there is no role %s any more", e->role);
    return authority_give(rq, role, scope, (struct holder){.principal = principal});
}

/* DELETE /v1/eligible/{eligible} */
enum err delete_eligible(struct request *rq)
{
    struct eligible e;

    request_object(rq, "eligible/%s", rq->args[0]);
    TRY(authority_fence(rq));
    TRY(eligible_find(rq->db, rq->args[0], &e));
    if (!session_may(session_of(rq), BINDING_READ, SCOPE_AT_TENANT) && !is_mine(session_of(rq), &e))
        return ERR_NOT_FOUND;
    TRY(may_give(rq, &e, POLICY_NONE));
    audit_before(rq, eligible_fields, &e);
    TRY(eligible_delete(rq->db, e.id));
    return request_reply_empty(rq);
}

static enum err activate(struct request *rq, const struct eligible *e, struct activation *a,
                         const char *by)
{
    char id[ID_SIZE];
    char until[TIME_SIZE];
    enum err result;

    id_new(id);
    time_format(time_now_ms() + a->hours * HOUR_MS, until);
    result = binding_insert(rq->db,
                            &(struct binding){.id = id,
                                              .principal_id = a->principal_id,
                                              .role = e->role,
                                              .scope = e->scope,
                                              .project_id = e->project_id,
                                              .asset = e->asset,
                                              .valid_until = until,
                                              .eligible_id = e->id},
                            by == NULL ? a->principal_id : by);
    if (result == ERR_EXISTS)
        return fail(rq, result, "%s has the role %s there already", a->principal, e->role);
    TRY(result);
    a->state = "active";
    a->binding_id = arena_text(rq->arena, id);
    a->expires_at = arena_text(rq->arena, until);
    TRY(activation_update(rq->db, a, by));
    return authority_result(rq);
}

/* What the request must meet: the eligibility is the caller's and in force, its hours, a second
 * factor of late where one is wanted. */
static enum err may_ask(struct request *rq, const struct eligible *e, int64_t hours)
{
    const struct session *s = session_of(rq);
    int64_t until;

    if (!is_mine(s, e))
        return ERR_NOT_FOUND;
    if (e->valid_until != NULL && (!time_parse(e->valid_until, &until) || until <= time_now_ms()))
        return fail(rq, ERR_CONFLICT, "this eligibility has run out");
    if (hours > e->max_hours)
        return place_invalid(rq, "hours", "is more than this eligibility gives");
    if (e->step_up && (s->circumstances.mfa_age_s < 0 || s->circumstances.mfa_age_s > STEP_UP_S))
        return second_factor_demand(rq, STEP_UP_S);
    return OK;
}

static enum err reply_activation(struct request *rq, const char *id)
{
    struct activation a;

    TRY(activation_lock(rq->db, id, &a));
    return request_reply(rq, activation_fields, &a);
}

/* POST /v1/activations */
enum err post_activation(struct request *rq)
{
    struct activation_body b = {.hours = 0};
    struct activation a;
    struct eligible e;
    char id[ID_SIZE];
    enum err result;

    TRY(request_read(rq, &b));
    TRY(authority_fence(rq));
    if (!id_valid(b.eligible))
        return place_invalid(rq, "eligible", "is the id of one of GET /v1/eligible");
    TRY(eligible_find(rq->db, b.eligible, &e));
    request_object(rq, "eligible/%s", e.id);
    b.hours = b.hours == 0 ? e.max_hours : b.hours;
    TRY(may_ask(rq, &e, b.hours));
    id_new(id);
    a = (struct activation){.id = id,
                            .principal_id = rq->caller.id,
                            .principal = rq->caller.name,
                            .role = e.role,
                            .hours = b.hours,
                            .justification = b.justification,
                            .ticket = b.ticket};
    result = activation_insert(rq->db, &a, e.id);
    if (result == ERR_EXISTS)
        return fail(rq, result, "this is asked for already");
    TRY(result);
    if (!e.approval)
        TRY(activate(rq, &e, &a, NULL));
    request_status(rq, 201);
    return reply_activation(rq, id);
}

/* GET /v1/activations */
enum err get_activations(struct request *rq)
{
    struct rows rows;

    TRY(activation_list(rq->db, auth_may(rq, BINDING_READ, NULL) ? NULL : rq->caller.id, &rows));
    return request_reply_list(rq, activation_fields, sizeof(struct activation), &rows, NULL);
}

/* Neither who asked nor a service account of theirs decides, nor their owner for it. */
static bool same_person(struct request *rq, const char *principal_id)
{
    const char *asked = auth_answerable(rq, principal_id);
    const char *decides = auth_answerable(rq, rq->caller.id);

    return asked == NULL || decides == NULL || strcmp(asked, decides) == 0;
}

/* By a right that is no younger than the request (E11). */
static enum err had_the_right(struct request *rq, const struct eligible *e, const char *since)
{
    uint32_t scope = session_asset_scope(session_of(rq), e->project, e->asset);
    bool here;
    bool anywhere;

    TRY(authority_held(rq, BINDING_WRITE, scope, since, &here));
    TRY(authority_held(rq, BINDING_ADMINISTER, SCOPE_AT_TENANT, since, &anywhere));
    return here || anywhere ? OK
                            : fail(rq, ERR_FOUR_EYES,
                                   "the right to decide came with a group joined after this was "
                                   "asked for");
}

/* POST /v1/activations/{activation}/decision */
enum err post_activation_decision(struct request *rq)
{
    struct activation_verdict b;
    struct activation a;
    struct eligible e;

    TRY(request_read(rq, &b));
    request_object(rq, "activations/%s", rq->args[0]);
    TRY(authority_fence(rq));
    TRY(activation_lock(rq->db, rq->args[0], &a));
    if (!authority_anywhere(rq, BINDING_WRITE) && strcmp(a.principal_id, rq->caller.id) != 0)
        return ERR_NOT_FOUND;
    if (strcmp(a.state, "pending") != 0)
        return fail(rq, ERR_CONFLICT, "the request is already %s", a.state);
    if (same_person(rq, a.principal_id))
        return fail(rq, ERR_FOUR_EYES, "nobody decides on their own request for a role");
    TRY(eligible_find(rq->db, a.eligible, &e));
    TRY(may_give(rq, &e, policy_find_principal(session_of(rq)->policy, a.principal_id)));
    TRY(had_the_right(rq, &e, a.created_at));
    a.reason = b.reason;
    if (strcmp(b.verdict, "approve") == 0) {
        TRY(activate(rq, &e, &a, rq->caller.id));
    } else {
        a.state = "rejected";
        TRY(activation_update(rq->db, &a, rq->caller.id));
    }
    return reply_activation(rq, a.id);
}
