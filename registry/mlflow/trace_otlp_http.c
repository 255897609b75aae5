/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/mlflow/trace_otlp.h"

#include "auth/auth.h"
#include "lineage/body.h"
#include "registry/handlers.h"
#include "registry/mlflow/mlflow.h"
#include "registry/mlflow/run.h"
#include "registry/mlflow/run_http.h"
#include "registry/mlflow/trace_otlp_json.h"
#include "registry/mlflow/trace_span.h"

/* Compressed, and after that. */
enum { PLAIN_MAX = 32 << 20 };

/* The headers by which MLflow's clients say where spans belong (mlflow/tracing/utils/otlp.py). */
static enum err read_place(struct request *rq, struct trace_spans *s)
{
    const char *experiment = request_header(rq, "x-mlflow-experiment-id");
    const char *run = request_header(rq, "x-mlflow-run-id");
    int64_t of_run;
    const char *id;

    if (experiment == NULL || *experiment == '\0')
        return fail(rq, ERR_INVALID, "the header x-mlflow-experiment-id is missing");
    TRY(mlflow_experiment_id(rq, experiment, &s->experiment_id));
    request_object(rq, "experiments/%lld/traces", (long long)s->experiment_id);
    if (run == NULL || *run == '\0')
        return OK;
    TRY(mlflow_run_id(rq, run, &id));
    TRY(run_absent(rq, run_experiment(rq->db, auth_project_id(rq), id, &of_run), id));
    s->run = run_hex(rq->arena, id);
    return OK;
}

static enum err check_type(struct request *rq, bool *json)
{
    const char *type = request_header(rq, "content-type");

    *json = type != NULL && body_is(type, "application/json");
    if (*json || (type != NULL && body_is(type, "application/x-protobuf")))
        return OK;
    return fail(rq, ERR_MEDIA_TYPE, "the body must be application/x-protobuf or application/json");
}

/* ExportTraceServiceResponse: empty, or in partial_success how many spans were refused and why; in
 * the form in which they came. */
static enum err reply_json(struct request *rq, int64_t rejected, const char *why)
{
    const char *count = arena_printf(rq->arena, "%lld", (long long)rejected);

    if (rejected == 0)
        return mlflow_reply_empty(rq);
    return request_reply_json(rq, json_pack("{s:{s:s, s:s}}", "partialSuccess", "rejectedSpans",
                                            count, "errorMessage", why));
}

static enum err reply(struct request *rq, int64_t rejected, const char *why)
{
    struct text *out = body_text(rq, 4096);
    struct text partial = text_new(2048);

    if (rejected > 0) {
        proto_number(&partial, 1, (uint64_t)rejected);
        proto_string(&partial, 2, why);
        proto_message(out, 1, &partial);
    }
    text_free(&partial);
    return request_reply_bytes(rq, "application/x-protobuf", out->data == NULL ? "" : out->data,
                               out->length);
}

static void release_text(void *text)
{
    text_free(text);
}

static enum err invalid(struct request *rq, enum err e, const char *why)
{
    return fail(rq, e, "Invalid OpenTelemetry format: %s", why == NULL ? "too large" : why);
}

/* JSON is written as protobuf first, so that there is one reader. */
static enum err from_json(struct request *rq, const struct text **body)
{
    struct text *out = arena_alloc(rq->arena, sizeof(*out));
    const char *why = NULL;
    enum err e = otlp_json_read(*body, out, &why);

    arena_own(rq->arena, out, release_text);
    if (e != OK)
        return invalid(rq, e, why);
    *body = out;
    return OK;
}

static enum err read_batch(struct request *rq, struct otlp_batch *batch, bool *json)
{
    const struct text *body;
    const char *why = NULL;
    enum err e;

    TRY(check_type(rq, json));
    TRY(body_read(rq, *json ? OTLP_JSON_MAX : EVENTS_BODY_MAX, *json ? OTLP_JSON_MAX : PLAIN_MAX,
                  &body));
    if (*json)
        TRY(from_json(rq, &body));
    e = otlp_read((struct span){body->data, body->length}, batch, &why);
    arena_own(rq->arena, &batch->records, release_text);
    if (e != OK)
        return invalid(rq, e, why);
    if (batch->taken + batch->rejected == 0)
        return fail(rq, ERR_INVALID, "Invalid OpenTelemetry format - no spans found");
    return OK;
}

/* POST /v1/traces: ExportTraceServiceRequest. */
enum err post_otlp_traces(struct request *rq)
{
    struct otlp_batch *batch = arena_alloc(rq->arena, sizeof(*batch));
    struct trace_spans s = {.by = rq->caller.id};
    int64_t kept = 0;
    bool json;
    enum err e;

    TRY(read_place(rq, &s));
    TRY(read_batch(rq, batch, &json));
    s.records = batch->records.data;
    e = trace_spans_keep(rq->db, auth_project_id(rq), &s, &kept);
    if (e == ERR_NOT_FOUND)
        return fail(rq, e, "No active Experiment with id=%lld exists", (long long)s.experiment_id);
    TRY(e);
    request_audit(rq, "spans", json_integer((json_int_t)kept));
    if (kept < (int64_t)batch->taken && batch->why == NULL)
        batch->why = "the trace belongs to another experiment, or the span was sent twice";
    return (json ? reply_json : reply)(rq, (int64_t)(batch->taken + batch->rejected) - kept,
                                       batch->why);
}
