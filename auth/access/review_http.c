/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/access/review.h"

#include "auth/access/place.h"
#include "auth/auth.h"
#include "auth/handlers.h"
#include "auth/session.h"
#include "lineage/document/dsse.h"

#include <stdlib.h>
#include <string.h>

struct new_review {
    const char *name;
    const char *project;
    struct texts reviewers;
    const char *due_at;
};

const struct field new_review_fields[] = {
    NAME(struct new_review, name),
    OPT_NAME(struct new_review, project),
    TEXTS(struct new_review, reviewers, 50),
    TIME(struct new_review, due_at),
    FIELDS_END,
};

struct review_answer {
    const char *binding;
    const char *decision;
    const char *reason;
};

static const char *const decisions[] = {"keep", "remove", NULL};

const struct field review_answer_fields[] = {
    TEXT(struct review_answer, binding, 36),
    CHOICE(struct review_answer, decision, decisions),
    TEXT(struct review_answer, reason, 2000),
    FIELDS_END,
};

static bool is_reviewer(const struct request *rq, const struct review *r)
{
    for (size_t i = 0; i < r->reviewers.count; i++)
        if (strcmp(r->reviewers.items[i], rq->caller.name) == 0)
            return true;
    return false;
}

/* For its reviewers and whoever may read who has which role. */
static enum err find_review(struct request *rq, struct review *r)
{
    request_object(rq, "reviews/%s", rq->args[0]);
    TRY(review_find(rq->db, rq->args[0], r));
    return is_reviewer(rq, r) || auth_may(rq, BINDING_READ, NULL) ? OK : ERR_NOT_FOUND;
}

/* GET /v1/reviews */
enum err get_reviews(struct request *rq)
{
    struct rows rows;
    struct review *list;
    size_t kept = 0;

    TRY(review_list(rq->db, &rows));
    list = rows.items;
    for (size_t i = 0; i < rows.count; i++)
        if (is_reviewer(rq, &list[i]) || auth_may(rq, BINDING_READ, NULL))
            list[kept++] = list[i];
    rows.count = kept;
    return request_reply_list(rq, review_fields, sizeof(struct review), &rows, NULL);
}

static enum err review_json(struct request *rq, const struct review *r, json_t **out)
{
    const struct review_item *items;
    struct rows rows;
    json_t *list;

    TRY(review_items(rq->db, r->id, &rows));
    items = rows.items;
    list = json_array();
    for (size_t i = 0; i < rows.count; i++)
        json_array_append_new(list, field_to_json(review_item_fields, &items[i]));
    *out = field_to_json(review_fields, r);
    json_object_set_new(*out, "value", list);
    return OK;
}

/* GET /v1/reviews/{review} */
enum err get_review(struct request *rq)
{
    struct review r;
    json_t *json;

    TRY(find_review(rq, &r));
    TRY(review_json(rq, &r, &json));
    return request_reply_json(rq, json);
}

static enum err check_new(struct request *rq, const struct new_review *n)
{
    const struct policy *p = session_of(rq)->policy;
    int64_t due;

    if (!time_parse(n->due_at, &due) || due <= time_now_ms())
        return place_invalid(rq, "due_at", "is a time to come in RFC 3339");
    if (n->reviewers.count == 0)
        return place_invalid(rq, "reviewers", "names none");
    for (size_t i = 0; i < n->reviewers.count; i++)
        if (policy_find_principal_name(p, n->reviewers.items[i]) == POLICY_NONE)
            return place_invalid(
                rq, "reviewers",
                arena_printf(rq->arena, "there is no user %.63s", n->reviewers.items[i]));
    return OK;
}

/* POST /v1/reviews: whoever may not take privileged roles begins no review of them. */
enum err post_review(struct request *rq)
{
    struct new_review n = {.project = NULL};
    struct place_found place = {.project_id = NULL};
    struct review r;
    char id[ID_SIZE];
    enum err e;

    TRY(request_read(rq, &n));
    request_object(rq, "reviews/%s", n.name);
    TRY(authority_fence(rq));
    TRY(check_new(rq, &n));
    if (n.project != NULL)
        TRY(place_find(rq, &(struct place){.scope = "project", .project = n.project}, REVIEW_WRITE,
                       &place));
    id_new(id);
    r = (struct review){.id = id, .name = n.name, .reviewers = n.reviewers, .due_at = n.due_at};
    e = review_begin(rq->db, &r, place.project_id, auth_may(rq, BINDING_ADMINISTER, NULL),
                     rq->caller.id);
    if (e == ERR_EXISTS)
        return fail(rq, e, "there is a review %s already", n.name);
    TRY(e);
    TRY(authority_admin_remains(rq));
    TRY(review_find(rq->db, n.name, &r));
    request_status(rq, 201);
    return request_reply(rq, review_fields, &r);
}

/* Nobody answers for their own role, nor after the end. */
static enum err may_answer(struct request *rq, const struct review *r, const char *principal_id)
{
    const char *holder = principal_id == NULL ? NULL : auth_answerable(rq, principal_id);
    const char *self = auth_answerable(rq, rq->caller.id);
    int64_t due;

    if (!is_reviewer(rq, r))
        return fail(rq, ERR_DENIED, "this is for the reviewers of %s", r->name);
    if (!time_parse(r->due_at, &due) || due <= time_now_ms())
        return fail(rq, ERR_CONFLICT, "the review ended at %s; what was not kept is gone",
                    r->due_at);
    if (holder != NULL && self != NULL && strcmp(holder, self) == 0)
        return fail(rq, ERR_FOUR_EYES, "nobody reviews their own roles");
    return OK;
}

/* POST /v1/reviews/{review}/decisions */
enum err post_review_decision(struct request *rq)
{
    struct review_answer b;
    struct review r;
    const char *holder;
    enum err e;

    TRY(request_read(rq, &b));
    if (!id_valid(b.binding))
        return place_invalid(rq, "binding", "is the id of one of the review's");
    TRY(authority_fence(rq));
    TRY(find_review(rq, &r));
    TRY(review_holder(rq->db, r.id, b.binding, &holder));
    TRY(may_answer(rq, &r, holder));
    e = review_decide(
        rq->db, r.id,
        &(struct review_item){.binding = b.binding, .decision = b.decision, .reason = b.reason},
        rq->caller.id);
    if (e == ERR_NOT_FOUND)
        return fail(rq, ERR_CONFLICT, "this role is decided on already");
    TRY(e);
    e = strcmp(b.decision, "keep") == 0 ? review_keep(rq->db, r.id, b.binding)
                                        : review_remove(rq->db, b.binding);
    if (e == ERR_NOT_FOUND)
        return fail(rq, ERR_CONFLICT, "this role has been taken back meanwhile");
    TRY(e);
    TRY(authority_admin_remains(rq));
    return request_reply_empty(rq);
}

/* GET /v1/reviews/{review}/evidence: a DSSE envelope signed with the key of the audit log. */
enum err get_review_evidence(struct request *rq)
{
    struct text payload = text_new(DSSE_MAX);
    struct review r;
    json_t *json;
    json_t *envelope = NULL;
    char *bytes;
    enum err e;

    TRY(find_review(rq, &r));
    TRY(review_json(rq, &r, &json));
    bytes = json_dumps(json, JSON_COMPACT | JSON_SORT_KEYS);
    json_decref(json);
    if (bytes == NULL)
        return ERR_INTERNAL;
    text_puts(&payload, bytes);
    free(bytes);
    e = dsse_sign(rq->db, "application/vnd.chancery.access-review+json", &payload, &envelope);
    text_free(&payload);
    return e == OK ? request_reply_json(rq, envelope) : e;
}
