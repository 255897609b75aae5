/* SPDX-License-Identifier: Apache-2.0 */
#include "compute/job_end.h"

#include "compute/job_columns.h"
#include "compute/runner.h"
#include "core/log.h"
#include "lineage/audit.h"
#include "lineage/graph/code.h"
#include "lineage/graph/provenance.h"
#include "registry/asset.h"
#include "registry/version.h"

#include <string.h>
#include <unistd.h>

enum { HASH_BLOCK = 1 << 18 };

enum err digest_of_file(int fd, struct digest *out)
{
    static _Thread_local unsigned char block[HASH_BLOCK];
    struct sha256 *h = sha256_begin();
    off_t at = 0;
    ssize_t n;

    while ((n = pread(fd, block, sizeof(block), at)) > 0) {
        sha256_add(h, block, (size_t)n);
        at += n;
    }
    *out = sha256_end(h);
    return n < 0 ? ERR_INTERNAL : OK;
}

static bool trains(const struct run *r)
{
    return strcmp(r->work.kind, "train") == 0;
}

/* "models/risk" */
static enum err ensure_asset(struct run *r, const char *kind, const char *name)
{
    struct asset a;
    enum err e = asset_find(r->db, r->work.project_id, kind, name, &a);

    if (e == ERR_NOT_FOUND) {
        a = (struct asset){.name = name, .kind = kind, .description = ""};
        return asset_create(r->db, r->work.project_id, &a, r->work.requested_by_id);
    }
    TRY(e);
    if (strcmp(a.state, "active") == 0)
        return OK;
    r->why = arena_printf(r->arena, "%ss/%s was deleted meanwhile", kind, name);
    return ERR_CONFLICT;
}

/* The facts that join the manifest. */
static json_t *facts_of(const struct run *r)
{
    json_t *facts = json_object();
    const char *name;
    json_t *value;

    json_object_set_new(facts, "made_by",
                        json_pack("{s:s, s:O, s:s*, s:s*}", "job", r->work.id, "spec", r->work.spec,
                                  "approval", r->work.approval, "model", r->work.model));
    json_object_foreach(trains(r) ? r->done : r->profile, name, value)
    {
        if (strcmp(name, "event") != 0 && strcmp(name, "model") != 0)
            json_object_set(facts, name, value);
    }
    return facts;
}

/* The engine's own account of what it wrote must be what is there. */
static enum err check_output(struct run *r, struct version_file *file, char sha256[65])
{
    const json_t *said = json_object_get(r->done, trains(r) ? "model" : "output");
    const char *claimed = json_string_value(json_object_get(said, "sha256"));
    struct digest digest;
    off_t size = lseek(r->output, 0, SEEK_END);

    TRY(digest_of_file(r->output, &digest));
    hex_encode(digest.bytes, SHA256_SIZE, sha256);
    if (size < 0 || claimed == NULL || strcmp(claimed, sha256) != 0) {
        r->why = "the engine wrote other bytes than it said";
        return ERR_ENGINE;
    }
    if (fsync(r->output) != 0)
        return ERR_STORAGE;
    *file = (struct version_file){
        .path = trains(r) ? "model.onnx" : "predictions.csv", .sha256 = sha256, .size = size};
    return OK;
}

/* The commit that whoever asked for the job named. */
static enum err trace_code(struct run *r, const char *job)
{
    const json_t *code = json_object_get(r->work.spec, "code");
    const char *node =
        code_node(r->arena, r->work.project, json_string_value(json_object_get(code, "repository")),
                  json_string_value(json_object_get(code, "commit")));

    if (node == NULL)
        return OK;
    TRY(provenance_node(r->db, "code", node, r->work.project, NULL));
    return provenance_edge(r->db, node, job, "use", r->work.id);
}

static enum err trace(struct run *r, const struct version *made)
{
    const struct job_work *w = &r->work;
    const char *job = arena_printf(r->arena, "projects/%s/jobs/%s", w->project, w->id);

    TRY(provenance_node(r->db, "job", job, w->project, NULL));
    TRY(provenance_edge(r->db, w->input, job, "consume", w->id));
    if (w->model != NULL)
        TRY(provenance_edge(r->db, w->model, job, "consume", w->id));
    if (w->approval != NULL)
        TRY(provenance_edge(
            r->db, arena_printf(r->arena, "projects/%s/approvals/%s", w->project, w->approval), job,
            "approve", w->id));
    TRY(trace_code(r, job));
    TRY(provenance_edge(r->db, job, version_node(r->arena, made), "produce", w->id));
    return job_trace_columns(r, made);
}

/* The worker acts for whoever asked for the job. */
static enum err record(struct run *r, const char *action, enum err outcome, json_t *detail)
{
    const struct audit_event event = {.actor_id = r->work.requested_by_id,
                                      .actor = r->work.requested_by,
                                      .tenant = r->work.tenant,
                                      .action = action,
                                      .method = "RUN",
                                      .project = r->work.project,
                                      .object = arena_printf(r->arena, "jobs/%s", r->claim->id),
                                      .request = r->claim->id,
                                      .outcome = outcome,
                                      .status = err_status(outcome),
                                      .failure = outcome == OK ? NULL : r->why,
                                      .detail = detail};
    enum err e = audit_record(r->db, &event, NULL);

    json_decref(detail);
    return e;
}

static enum err succeed_body(void *arg)
{
    struct run *r = arg;
    const char *output = json_string_value(json_object_get(r->work.spec, "output"));
    const char *kind = trains(r) ? "model" : "dataset";
    const char *name = output == NULL ? NULL : strchr(output, '/') + 1;
    struct version_file file;
    char sha256[2 * SHA256_SIZE + 1];
    struct version made;
    json_t *facts;
    enum err e;

    if (name == NULL)
        return ERR_INTERNAL;
    TRY(check_output(r, &file, sha256));
    TRY(ensure_asset(r, kind, name));
    TRY(version_create(r->db,
                       &(struct version_draft){.project_id = r->work.project_id,
                                               .kind = kind,
                                               .asset = name,
                                               .author_id = r->work.requested_by_id,
                                               .job_id = r->work.id},
                       &made));
    TRY(version_add_file(r->db, &made, &file, r->output_path));
    facts = facts_of(r);
    e = version_seal(r->db, &made, facts);
    json_decref(facts);
    TRY(e);
    TRY(trace(r, &made));
    TRY(job_finish(r->db, r->work.id, "succeeded", "done", made.id, r->done));
    TRY(job_say(
        r->db, r->work.id, "state",
        json_pack("{s:s, s:s}", "state", "succeeded", "output", version_path(r->arena, &made))));
    return record(
        r, "job_succeeded", OK,
        json_pack("{s:s, s:s}", "output", version_path(r->arena, &made), "digest", made.digest));
}

enum err job_succeed(struct run *r)
{
    json_object_del(r->done, "event");
    return db_tx(r->db, TX_WRITE, r->claim->tenant_id, succeed_body, r);
}

struct ending {
    struct run *run;
    enum err err;
    const char *state;
};

static enum err ending_body(void *arg)
{
    const struct ending *end = arg;
    struct run *r = end->run;

    TRY(job_finish(r->db, r->claim->id, end->state, r->why, NULL, NULL));
    TRY(job_say(r->db, r->claim->id, "state",
                json_pack("{s:s, s:s}", "state", end->state, "message", r->why)));
    if (strcmp(end->state, "queued") == 0)
        return OK;
    return record(r, "job_ended", end->err, json_pack("{s:s}", "state", end->state));
}

/* What the failure means for the job: the input's fault is final, everything else may pass. */
static const char *state_after(const struct run *r, enum err e)
{
    if (e == ERR_CONFLICT && r->done == NULL && !runner_stopping())
        return "cancelled";
    if (e == ERR_CONTENT || e == ERR_TIMEOUT || e == ERR_CONFLICT)
        return runner_stopping() ? "queued" : "failed";
    return r->work.attempts < r->work.attempts_max ? "queued" : "failed";
}

void job_give_up(struct run *r, enum err e)
{
    struct ending end = {.run = r, .err = e, .state = state_after(r, e)};

    if (r->lost || r->work.id == NULL) {
        log_world("job %s: given up, its lease passes: %s", r->claim->id, err_meaning(e));
        return;
    }
    if (r->why == NULL)
        r->why = strcmp(end.state, "cancelled") == 0 ? "cancelled" : err_meaning(e);
    log_info("job %s: %s: %s", r->claim->id, end.state, r->why);
    if (db_tx(r->db, TX_WRITE, r->claim->tenant_id, ending_body, &end) != OK)
        log_world("job %s: its end could not be recorded; its lease passes", r->claim->id);
}

struct closing {
    struct db *db;
    const struct claim *claim;
};

static enum err close_body(void *arg)
{
    const struct closing *c = arg;
    struct run r = {.db = c->db, .claim = c->claim, .arena = c->db->arena, .why = "abandoned"};
    const char *state;

    TRY(job_work_load(c->db, c->claim->id, &r.work));
    TRY(job_abandon(c->db, c->claim->id, &state));
    TRY(job_say(c->db, c->claim->id, "state", json_pack("{s:s}", "state", state)));
    return record(&r, "job_ended", ERR_CONFLICT, json_pack("{s:s}", "state", state));
}

void job_close(struct db *db, const struct claim *claim)
{
    struct closing c = {.db = db, .claim = claim};
    enum err e = db_tx(db, TX_WRITE, claim->tenant_id, close_body, &c);

    if (e != OK && e != ERR_NOT_FOUND)
        log_world("job %s cannot be closed: %s", claim->id, err_meaning(e));
}
