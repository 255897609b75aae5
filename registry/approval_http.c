/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/approval.h"

#include "auth/auth.h"
#include "registry/asset.h"
#include "registry/handlers.h"
#include "registry/pickle_facts.h"
#include "registry/reply.h"
#include "registry/rules.h"

#include <string.h>

struct approval_body {
    const char *action;
    const char *subject;
    const char *alias;
    const char *reason;
};

static const char *const actions[] = {"promote", NULL};

const struct field approval_body_fields[] = {
    CHOICE(struct approval_body, action, actions),
    TEXT(struct approval_body, subject, 200),
    NAME(struct approval_body, alias),
    OPT_TEXT(struct approval_body, reason, 2000),
    FIELDS_END,
};

struct decision_body {
    const char *verdict;
    const char *reason;
    const char *evidence_digest;
};

static const char *const verdicts[] = {"approve", "reject", NULL};

const struct field decision_body_fields[] = {
    CHOICE(struct decision_body, verdict, verdicts),
    TEXT(struct decision_body, reason, 2000),
    OPT_TEXT(struct decision_body, evidence_digest, 64),
    FIELDS_END,
};

struct revoke_body {
    const char *reason;
};

const struct field revoke_body_fields[] = {
    TEXT(struct revoke_body, reason, 2000),
    FIELDS_END,
};

/* One about an asset that the caller may not see is not there. */
static enum err visible(struct request *rq, const struct approval *a)
{
    for (size_t i = 0; i < a->things.count; i++)
        if (!auth_may_asset(rq, ASSET_READ, a->things.items[i]))
            return ERR_NOT_FOUND;
    return OK;
}

static enum err reply_approval(struct request *rq, const char *id)
{
    struct approval a;

    TRY(approval_find(rq->db, auth_project_id(rq), id, &a));
    return request_reply(rq, approval_fields, &a);
}

/* The ready version that a request is about. */
static enum err subject_of(struct request *rq, const char *subject, struct version *v)
{
    struct version_key key;
    enum err e = ERR_NOT_FOUND;

    if (version_key_parse(rq->arena, subject, &key))
        e = version_lock(rq->db, auth_project_id(rq), &key, v);
    if (e == OK && !auth_may_asset(rq, ASSET_READ, asset_path(rq->arena, v->kind, v->asset)))
        e = ERR_NOT_FOUND;
    rq->target = "subject";
    if (e == ERR_NOT_FOUND)
        return fail(rq, ERR_INVALID,
                    "subject must be a version of this project, such as "
                    "models/risk/versions/3");
    TRY(e);
    if (strcmp(v->state, "ready") != 0)
        return fail(rq, ERR_CONFLICT, "%s is pending; finalize it first",
                    version_path(rq->arena, v));
    rq->target = NULL;
    return OK;
}

/* POST /v1/projects/{project}/approvals */
enum err post_approval(struct request *rq)
{
    struct approval_body b = {.reason = ""};
    struct approval_draft d = {.action = "promote", .requested_by = rq->caller.id};
    struct rules rules;
    struct version v;
    json_t *evidence;
    char id[ID_SIZE];
    enum err e;

    TRY(request_read(rq, &b));
    request_object(rq, "%s", b.subject);
    TRY(subject_of(rq, b.subject, &v));
    TRY(rules_load(rq->db, auth_project_id(rq), &rules));
    TRY(pickle_promotable(rq, &v, &rules));
    TRY(approval_evidence(rq->db, auth_project_id(rq), &v, b.alias, &evidence));
    d.project_id = auth_project_id(rq);
    d.subject = version_path(rq->arena, &v);
    d.version_id = v.id;
    d.alias = b.alias;
    d.subject_digest = v.digest;
    d.evidence = evidence;
    d.required = rules.promote.approvals;
    d.hours = rules.approval_hours;
    d.reason = b.reason;
    e = approval_file(rq->db, &d, id);
    if (e == ERR_EXISTS)
        return fail(rq, e, "the promotion of %s to %s is asked for already", d.subject, d.alias);
    TRY(e);
    request_object(rq, "approvals/%s", id);
    request_audit(rq, "subject", json_string(d.subject));
    request_status(rq, 201);
    request_set_header(rq, "Location", arena_printf(rq->arena, "%s/%s", rq->path, id));
    return reply_approval(rq, arena_text(rq->arena, id));
}

/* GET /v1/projects/{project}/approvals/{approval} */
enum err get_approval(struct request *rq)
{
    struct approval a;

    request_object(rq, "approvals/%s", rq->args[1]);
    TRY(approval_find(rq->db, auth_project_id(rq), rq->args[1], &a));
    TRY(visible(rq, &a));
    return request_reply(rq, approval_fields, &a);
}

static enum err reply_list(struct request *rq, const struct texts *projects)
{
    static const char *const states[] = {"pending", "approved", "rejected", "revoked",
                                         "void",    "expired",  NULL};
    const char *state = request_query(rq, "state");
    const char *const *known = states;
    struct approval_search search = {.projects = projects};
    const char *before;
    struct page page;
    struct rows rows;

    while (state != NULL && *known != NULL && strcmp(*known, state) != 0)
        known++;
    if (*known == NULL) {
        rq->target = "state";
        return fail(rq, ERR_INVALID,
                    "state must be one of: pending, approved, rejected, revoked, void, expired");
    }
    TRY(page_read(rq, &page));
    TRY(page_id(rq, &page, &before));
    search.state = state;
    search.before = before;
    search.limit = page.limit + 1;
    auth_readable_things(rq, ASSET_READ, projects, &search.may);
    TRY(approval_list(rq->db, &search, &rows));
    return page_reply(rq, &page, approval_fields, sizeof(struct approval), &rows,
                      offsetof(struct approval, id));
}

/* GET /v1/projects/{project}/approvals */
enum err get_approvals(struct request *rq)
{
    return reply_list(rq, &(struct texts){.items = &rq->args[0], .count = 1});
}

/* GET /v1/approvals */
enum err get_inbox(struct request *rq)
{
    struct texts projects;

    TRY(auth_readable_projects(rq, APPROVAL_READ, &projects));
    return reply_list(rq, &projects);
}

static enum err lock_of_path(struct request *rq, struct approval *a)
{
    request_object(rq, "approvals/%s", rq->args[1]);
    TRY(approval_lock(rq->db, auth_project_id(rq), rq->args[1], a));
    TRY(visible(rq, a));
    request_audit(rq, "subject", json_string(a->subject));
    return OK;
}

static enum err may_decide(struct request *rq, const struct approval *a,
                           const struct decision_body *b)
{
    const char *part;
    enum err e;

    if (strcmp(a->state, "pending") != 0)
        return fail(rq, ERR_CONFLICT, "the request is already %s", a->state);
    if (b->evidence_digest != NULL && strcasecmp(b->evidence_digest, a->evidence_digest) != 0) {
        rq->target = "evidence_digest";
        return fail(rq, ERR_CONFLICT, "the evidence of this request has the digest %s",
                    a->evidence_digest);
    }
    TRY(auth_held_since(rq, APPROVAL_DECIDE, a->created_at));
    e = approval_part(rq->db, a, rq->caller.id, &part);
    if (e == ERR_NOT_FOUND)
        return OK;
    TRY(e);
    if (strcmp(part, "decision") == 0)
        return fail(rq, ERR_FOUR_EYES, "%s has decided already, maybe through a service account",
                    rq->caller.name);
    return fail(rq, ERR_FOUR_EYES, "%s had a part in this, maybe through a service account: %s",
                rq->caller.name, part);
}

static enum err close_decided(struct request *rq, const struct approval *a, bool approved)
{
    TRY(approval_close(rq->db, a, approved ? "approved" : "rejected", rq->caller.id));
    if (approved)
        return approval_carry_out(rq->db, a, rq->caller.id, rq->id);
    return approval_undo(rq->db, a, rq->caller.id,
                         arena_printf(rq->arena, "rejected by %s", rq->caller.name));
}

/* POST /v1/projects/{project}/approvals/{approval}/decision */
enum err post_approval_decision(struct request *rq)
{
    struct decision_body b = {.evidence_digest = NULL};
    struct approval a;
    int64_t approvals;
    bool approve;
    bool stands;

    TRY(request_read(rq, &b));
    TRY(lock_of_path(rq, &a));
    TRY(may_decide(rq, &a, &b));
    approve = strcmp(b.verdict, "approve") == 0;
    TRY(approval_stands(rq->db, auth_project_id(rq), &a, &stands));
    request_audit(rq, "verdict", json_string(stands ? b.verdict : "void"));
    request_audit(rq, "evidence_digest", json_string(a.evidence_digest));
    if (!stands) {
        TRY(approval_close(rq->db, &a, "void", NULL));
        TRY(approval_undo(rq->db, &a, rq->caller.id, "what was to be approved has changed"));
        return reply_approval(rq, a.id);
    }
    TRY(approval_decide(
        rq->db, &a,
        &(struct approval_verdict){.by = rq->caller.id, .verdict = b.verdict, .reason = b.reason},
        &approvals));
    if (!approve || approvals >= a.required)
        TRY(close_decided(rq, &a, approve));
    return reply_approval(rq, a.id);
}

/* One's own open request may be withdrawn; everything else needs the permission. */
static enum err may_revoke(struct request *rq, const struct approval *a)
{
    bool pending = strcmp(a->stored_state, "pending") == 0;

    if (!(pending && strcmp(a->requester_id, rq->caller.id) == 0) &&
        !auth_may(rq, APPROVAL_REVOKE, rq->args[0]))
        return fail(rq, ERR_DENIED,
                    "taking back what others asked for or approved needs "
                    "approvals/revoke");
    if (!pending && strcmp(a->stored_state, "approved") != 0)
        return fail(rq, ERR_CONFLICT, "the request is already %s", a->state);
    return OK;
}

/* POST /v1/projects/{project}/approvals/{approval}/revoke */
enum err post_approval_revoke(struct request *rq)
{
    struct revoke_body b;
    struct approval a;

    TRY(request_read(rq, &b));
    TRY(lock_of_path(rq, &a));
    TRY(may_revoke(rq, &a));
    request_audit(rq, "reason", json_string(b.reason));
    TRY(approval_close(rq->db, &a, "revoked", rq->caller.id));
    TRY(approval_undo(rq->db, &a, rq->caller.id,
                      arena_printf(rq->arena, "approval revoked by %s", rq->caller.name)));
    return reply_approval(rq, a.id);
}
