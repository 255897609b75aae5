/* SPDX-License-Identifier: Apache-2.0 */
#include "compute/handlers.h"

#include "auth/auth.h"
#include "compute/job.h"
#include "compute/job_spec.h"
#include "registry/approval.h"
#include "registry/reply.h"
#include "registry/rules.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct field job_cancel_fields[] = {FIELDS_END};

/* A job is about assets: about one that the caller may not see, it is not there. */
static void assets_of_project(struct request *rq, struct readable_things *out)
{
    auth_readable_things(rq, ASSET_READ, &(struct texts){.items = &rq->args[0], .count = 1}, out);
}

static enum err load(struct request *rq, struct job *job)
{
    struct readable_things may;

    request_object(rq, "jobs/%s", rq->args[1]);
    assets_of_project(rq, &may);
    return job_find(rq->db, auth_project_id(rq), rq->args[1], &may, job);
}

/* GET /v1/projects/{project}/jobs */
enum err get_jobs(struct request *rq)
{
    struct job_search s = {.project_id = auth_project_id(rq), .state = request_query(rq, "state")};
    struct page page;
    struct rows rows;

    TRY(page_read(rq, &page));
    if (page.after != NULL && !id_valid(page.after))
        return fail(rq, ERR_INVALID, "after is not a cursor of this list");
    s.before = page.after;
    s.limit = page.limit + 1;
    assets_of_project(rq, &s.may);
    TRY(job_list(rq->db, &s, &rows));
    return page_reply(rq, &page, job_fields, sizeof(struct job), &rows, offsetof(struct job, id));
}

/* GET /v1/projects/{project}/jobs/{job} */
enum err get_job(struct request *rq)
{
    struct job job;

    TRY(load(rq, &job));
    return request_reply(rq, job_fields, &job);
}

/* The approval of a job covers its specification, which names the digests of what it reads. */
static enum err file_approval(struct request *rq, const struct job_plan *plan, const char *id,
                              const struct rules *rules)
{
    const struct train_request request = {.project_id = auth_project_id(rq),
                                          .project = rq->args[0],
                                          .job_id = id,
                                          .digest = plan->digest,
                                          .evidence = job_plan_evidence(rq, plan),
                                          .rules = rules};
    const char *approval;

    TRY(approval_file_train(rq, &request, &approval));
    return job_bind(rq->db, id, approval);
}

static enum err ask(struct request *rq)
{
    struct readable_things may;
    struct job_plan plan;
    struct rules rules;
    struct job job;
    char id[ID_SIZE];
    bool waits;

    TRY(job_plan_read(rq, &plan));
    TRY(rules_load(rq->db, auth_project_id(rq), &rules));
    waits = plan.trains && rules.train.approvals > 0;
    id_new(id);
    request_object(rq, "jobs/%s", id);
    TRY(job_insert(rq->db, &(struct job_new){.id = id,
                                             .project_id = auth_project_id(rq),
                                             .kind = plan.trains ? "train" : "predict",
                                             .spec = plan.spec,
                                             .spec_digest = plan.digest,
                                             .state = waits ? "waiting" : "queued",
                                             .input_id = plan.input.id,
                                             .model_id = plan.trains ? NULL : plan.model.id,
                                             .requested_by = rq->caller.id}));
    TRY(job_say(rq->db, id, "state", json_pack("{s:s}", "state", waits ? "waiting" : "queued")));
    if (waits)
        TRY(file_approval(rq, &plan, id, &rules));
    assets_of_project(rq, &may);
    TRY(job_find(rq->db, auth_project_id(rq), id, &may, &job));
    request_status(rq, 202);
    request_set_header(rq, "Location", arena_printf(rq->arena, "%s/%s", rq->path, id));
    return request_reply(rq, job_fields, &job);
}

/* POST /v1/projects/{project}/jobs */
enum err post_job(struct request *rq)
{
    enum err e = ask(rq);

    if (e == ERR_CONFLICT && rq->db->constraint != NULL &&
        strcmp(rq->db->constraint, "purposes_meet") == 0)
        return fail(rq, e, "%s", rq->db->message);
    return e;
}

/* POST /v1/projects/{project}/jobs/{job}/cancel */
enum err post_job_cancel(struct request *rq)
{
    struct job job;

    TRY(load(rq, &job));
    if (job_cancel(rq->db, job.id) != OK)
        return fail(rq, ERR_CONFLICT, "the job has ended already: it is %s", job.state);
    TRY(load(rq, &job));
    TRY(job_say(rq->db, job.id, "state", json_pack("{s:s}", "state", job.state)));
    request_status(rq, 202);
    return request_reply(rq, job_fields, &job);
}

/* What a stream of events remembers between two looks. */
struct follower {
    struct arena *arena;
    char tenant[ID_SIZE];
    char job[ID_SIZE];
    int64_t seq;
    struct text *out;
    bool ended;
};

static bool final_state(const char *state)
{
    return strcmp(state, "succeeded") == 0 || strcmp(state, "failed") == 0 ||
           strcmp(state, "cancelled") == 0;
}

/* One event in the text/event-stream format (WHATWG HTML §9.2). */
static void tell(struct follower *f, const struct job_event *event)
{
    const char *state = json_string_value(json_object_get(event->data, "state"));
    char *data = json_dumps(event->data, JSON_COMPACT);

    text_printf(f->out, "id: %lld\nevent: %s\ndata: %s\n\n", (long long)event->seq, event->kind,
                data == NULL ? "{}" : data);
    free(data);
    f->seq = event->seq;
    if (strcmp(event->kind, "state") == 0 && state != NULL && final_state(state))
        f->ended = true;
}

static enum err look(void *arg)
{
    struct follower *f = ((struct follower **)arg)[0];
    struct db *db = ((void **)arg)[1];
    struct rows rows;

    TRY(job_events(db, f->job, f->seq, &rows));
    for (size_t i = 0; i < rows.count; i++)
        tell(f, &((const struct job_event *)rows.items)[i]);
    return OK;
}

static enum err follow(struct db *db, void *state, struct text *out)
{
    struct follower *f = state;
    struct arena *mine = db->arena;
    void *both[2] = {f, db};
    enum err e;

    f->out = out;
    db->arena = arena_new();
    e = db_tx(db, TX_POINT, f->tenant, look, both);
    arena_free(db->arena);
    db->arena = mine;
    if (f->ended)
        return ERR_NOT_FOUND;
    return e == ERR_DB_LOST ? OK : e;
}

/* GET /v1/projects/{project}/jobs/{job}/events */
enum err get_job_events(struct request *rq)
{
    const char *last = request_header(rq, "last-event-id");
    struct follower *f = arena_alloc(rq->arena, sizeof(*f));
    struct job job;
    uint64_t seq = 0;

    TRY(load(rq, &job));
    if (last != NULL && !uint_parse(last, INT64_MAX, &seq))
        return fail(rq, ERR_INVALID, "Last-Event-ID must be the id of an event");
    (void)snprintf(f->tenant, sizeof(f->tenant), "%s", rq->caller.tenant_id);
    (void)snprintf(f->job, sizeof(f->job), "%s", job.id);
    f->seq = (int64_t)seq;
    return request_reply_stream(rq, "text/event-stream",
                                (struct stream){.next = follow, .state = f});
}
