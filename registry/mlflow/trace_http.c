/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/mlflow/trace.h"

#include "auth/auth.h"
#include "registry/handlers.h"
#include "registry/mlflow/assessment.h"
#include "registry/mlflow/linked.h"
#include "registry/mlflow/mlflow.h"
#include "registry/mlflow/run.h"
#include "registry/mlflow/run_http.h"
#include "registry/reply.h"
#include "registry/rules.h"

#include <stdlib.h>
#include <string.h>

bool trace_id_valid(const char *id)
{
    size_t length = strspn(id, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-");

    return id[length] == '\0' && length >= 1 && length <= TRACE_ID_MAX && *id != '-' && *id != '_';
}

enum err trace_absent(struct request *rq, enum err e, const char *id)
{
    if (e != ERR_NOT_FOUND)
        return e;
    return fail(rq, e, "Trace with ID '%s' not found.", mlflow_cut(rq->arena, id, 300));
}

enum err trace_of_path(struct request *rq, const char **id)
{
    *id = rq->args[0];
    if (!trace_id_valid(*id))
        return trace_absent(rq, ERR_NOT_FOUND, *id);
    request_object(rq, "traces/%s", *id);
    return OK;
}

/* GET …/traces/{trace_id} */
enum err get_mlflow_trace_info(struct request *rq)
{
    const char *json = NULL;
    const char *id;

    TRY(trace_of_path(rq, &id));
    TRY(trace_absent(rq, trace_get(rq->db, auth_project_id(rq), id, &json), id));
    return mlflow_reply(rq, json);
}

static void release_text(void *text)
{
    text_free(text);
}

/* {"<before>": …} of whole traces. */
static enum err reply_whole(struct request *rq, const struct texts *ids, bool one)
{
    struct text *out = arena_alloc(rq->arena, sizeof(*out));
    size_t empty;

    *out = text_new(TRACE_REPLY_MAX);
    arena_own(rq->arena, out, release_text);
    text_puts(out, one ? "{\"trace\":" : "{\"traces\":[");
    empty = out->length;
    TRY(trace_whole(rq->db, auth_project_id(rq), ids, out));
    if (one && out->length == empty)
        return trace_absent(rq, ERR_NOT_FOUND, ids->items[0]);
    text_puts(out, one ? "}" : "]}");
    if (out->failed)
        return fail(rq, ERR_TOO_LARGE, "the spans asked for are larger than %d bytes together",
                    TRACE_REPLY_MAX);
    return request_reply_bytes(rq, "application/json", out->data, out->length);
}

/* GET …/traces/get?trace_id= */
enum err get_mlflow_trace(struct request *rq)
{
    struct texts ids = {.items = arena_alloc(rq->arena, sizeof(char *)), .count = 1};

    TRY(mlflow_need(rq, "trace_id", 256, &ids.items[0]));
    return reply_whole(rq, &ids, true);
}

static enum err read_ids(struct request *rq, const char *name, struct texts *ids)
{
    TRY(mlflow_texts(rq, name, TRACE_IDS_MAX, ids));
    return ids->count == 0 ? mlflow_missing(rq, name) : OK;
}

/* GET …/traces/batchGet?trace_ids=&trace_ids= */
enum err get_mlflow_traces(struct request *rq)
{
    struct texts ids;

    TRY(read_ids(rq, "trace_ids", &ids));
    return reply_whole(rq, &ids, false);
}

/* POST …/traces/batchGetInfos */
enum err post_mlflow_trace_infos(struct request *rq)
{
    const char *json = NULL;
    struct texts ids;

    TRY(read_ids(rq, "trace_ids", &ids));
    TRY(trace_infos(rq->db, auth_project_id(rq), &ids, &json));
    return mlflow_reply(rq, json);
}

/* Tags that say where things lie are the server's (mlflow/utils/mlflow_tags.py IMMUTABLE_TAGS). */
static bool reserved(const char *key)
{
    return strcmp(key, "mlflow.artifactLocation") == 0 ||
           strcmp(key, "mlflow.trace.spansLocation") == 0 ||
           strcmp(key, "mlflow.trace.archiveLocation") == 0;
}

/* An object of texts, as protobuf's maps are written; long values are cut. */
static enum err read_labels(struct request *rq, const json_t *info, const char *name, json_t **out)
{
    const json_t *given = json_object_get(info, name);
    const json_t *value;
    const char *key;

    *out = json_object();
    arena_own(rq->arena, *out, json_release);
    if (given != NULL && (!json_is_object(given) || json_object_size(given) > TRACE_LABELS_MAX))
        return mlflow_invalid(rq, name, "that is no object of at most 1000 texts");
    json_object_foreach((json_t *)given, key, value)
    {
        if (!json_is_string(value))
            return mlflow_invalid(rq, name, key);
        if (*key == '\0' || strlen(key) > MLFLOW_KEY_MAX)
            return mlflow_invalid(rq, name, "with a name of no or too many characters");
        if (reserved(key))
            continue;
        json_object_set_new(
            *out, key,
            json_string(mlflow_cut(rq->arena, json_string_value(value), TRACE_VALUE_MAX)));
    }
    return OK;
}

/* protobuf's Duration: "1.5s". */
static bool read_duration(const char *text, int64_t *ms)
{
    char *end;
    double seconds = strtod(text, &end);

    if (end == text || strcmp(end, "s") != 0 || !(seconds >= 0 && seconds < 3e8))
        return false;
    *ms = (int64_t)(seconds * 1000 + 0.5);
    return true;
}

static enum err read_times(struct request *rq, const json_t *info, struct trace_draft *d)
{
    const char *duration = mlflow_member(info, "execution_duration");
    const char *start = mlflow_member(info, "request_time");

    if (start == NULL)
        return mlflow_missing(rq, "request_time");
    if (!time_parse(start, &d->start_ms) || d->start_ms < 0)
        return mlflow_invalid(rq, "request_time", start);
    d->duration_ms = -1;
    if (duration != NULL && !read_duration(duration, &d->duration_ms))
        return mlflow_invalid(rq, "execution_duration", duration);
    return OK;
}

static enum err read_state(struct request *rq, const json_t *info, const char **state)
{
    static const char *const states[] = {"STATE_UNSPECIFIED", "OK", "ERROR", "IN_PROGRESS"};
    const char *given = mlflow_member(info, "state");

    *state = "STATE_UNSPECIFIED";
    if (given == NULL)
        return OK;
    for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++)
        if (strcmp(given, states[i]) == 0)
            *state = states[i];
    return strcmp(given, *state) == 0 ? OK : mlflow_invalid(rq, "state", given);
}

static const char *preview(struct request *rq, const json_t *info, const char *name)
{
    const char *text = mlflow_member(info, name);

    return text == NULL ? NULL : mlflow_cut(rq->arena, text, TRACE_PREVIEW_MAX);
}

static enum err read_place(struct request *rq, const json_t *info, struct trace_draft *d)
{
    const json_t *location = json_object_get(info, "trace_location");
    const char *experiment =
        mlflow_member(json_object_get(location, "mlflow_experiment"), "experiment_id");

    d->id = mlflow_member(info, "trace_id");
    if (d->id == NULL)
        return mlflow_missing(rq, "trace_id");
    if (!trace_id_valid(d->id))
        return mlflow_invalid(rq, "trace_id", d->id);
    request_object(rq, "traces/%s", d->id);
    if (experiment == NULL)
        return mlflow_missing(rq, "trace_location.mlflow_experiment.experiment_id");
    return mlflow_experiment_id(rq, experiment, &d->experiment_id);
}

static enum err read_draft(struct request *rq, const json_t *info, struct trace_draft *d)
{
    json_t *labels;

    TRY(read_place(rq, info, d));
    TRY(read_times(rq, info, d));
    TRY(read_state(rq, info, &d->state));
    TRY(read_labels(rq, info, "trace_metadata", &labels));
    d->metadata = labels;
    TRY(read_labels(rq, info, "tags", &labels));
    d->tags = labels;
    d->client_request_id = preview(rq, info, "client_request_id");
    d->request_preview = preview(rq, info, "request_preview");
    d->response_preview = preview(rq, info, "response_preview");
    d->by = rq->caller.id;
    return OK;
}

/* POST …/traces: StartTraceV3, which clients send when a trace has ended. */
enum err post_mlflow_trace(struct request *rq)
{
    const json_t *info = json_object_get(json_object_get(rq->body, "trace"), "trace_info");
    struct trace_draft d = {.id = NULL};
    const char *json = NULL;
    enum err e;

    if (!json_is_object(info))
        return mlflow_missing(rq, "trace");
    TRY(read_draft(rq, info, &d));
    e = trace_start(rq->db, auth_project_id(rq), &d);
    if (e == ERR_NOT_FOUND)
        return fail(rq, e, "No active Experiment with id=%lld exists", (long long)d.experiment_id);
    if (e == ERR_EXISTS)
        return fail(rq, e, "Trace '%s' belongs to another experiment", d.id);
    TRY(e);
    TRY(linked_call(rq, d.id, mlflow_member(d.tags, LINKED_PROMPTS)));
    TRY(assessments_of_trace(rq, d.id, json_object_get(info, "assessments")));
    TRY(trace_get(rq->db, auth_project_id(rq), d.id, &json));
    return mlflow_reply(rq, json);
}

static enum err change_tag(struct request *rq, const char *key, const char *value)
{
    const char *id;
    enum err e;

    TRY(trace_of_path(rq, &id));
    if (reserved(key))
        return fail(rq, ERR_INVALID, "Tag '%s' is immutable and cannot be %s on a trace.", key,
                    value == NULL ? "deleted" : "set");
    e = trace_set_tag(rq->db, auth_project_id(rq), id, key, value);
    if (e == ERR_CONFLICT)
        return fail(rq, ERR_NOT_FOUND, "No trace tag with key '%s' for trace with ID '%s'", key,
                    id);
    TRY(trace_absent(rq, e, id));
    if (value != NULL && strcmp(key, LINKED_PROMPTS) == 0)
        TRY(linked_call(rq, id, value));
    return mlflow_reply_empty(rq);
}

/* PATCH …/traces/{trace_id}/tags */
enum err patch_mlflow_trace_tag(struct request *rq)
{
    const char *value;
    const char *key;

    TRY(mlflow_text(rq, "key", 65536, &key));
    TRY(mlflow_key_check(rq, "key", key));
    TRY(mlflow_text(rq, "value", 1 << 20, &value));
    return change_tag(rq, key, value == NULL ? "" : mlflow_cut(rq->arena, value, TRACE_VALUE_MAX));
}

/* DELETE …/traces/{trace_id}/tags */
enum err delete_mlflow_trace_tag(struct request *rq)
{
    const char *key;

    TRY(mlflow_need(rq, "key", MLFLOW_KEY_MAX, &key));
    return change_tag(rq, key, NULL);
}

/* POST …/traces/link-to-run */
enum err post_mlflow_trace_link(struct request *rq)
{
    int64_t experiment;
    struct texts ids;
    const char *run;

    TRY(run_of_request(rq, &run));
    TRY(read_ids(rq, "trace_ids", &ids));
    TRY(run_absent(rq, run_experiment(rq->db, auth_project_id(rq), run, &experiment), run));
    TRY(trace_link_run(rq->db, auth_project_id(rq), &ids, run_hex(rq->arena, run)));
    return mlflow_reply_empty(rq);
}

static enum err prompts_text(struct request *rq, char **out)
{
    json_t *kept = json_array();
    const json_t *versions;
    const json_t *item;
    size_t i;

    arena_own(rq->arena, kept, json_release);
    TRY(mlflow_list(rq, "prompt_versions", TRACE_IDS_MAX, &versions));
    if (json_array_size(versions) == 0)
        return mlflow_missing(rq, "prompt_versions");
    json_array_foreach(versions, i, item)
    {
        const char *version = mlflow_member(item, "version");
        const char *name = mlflow_member(item, "name");

        if (name == NULL || version == NULL)
            return mlflow_invalid(rq, "prompt_versions", "without name and version");
        json_array_append_new(kept, json_pack("{s:s, s:s}", "name", name, "version", version));
    }
    *out = json_dumps(kept, 0);
    arena_own(rq->arena, *out, free);
    return OK;
}

/* POST …/traces/link-prompts: kept where clients look, in a tag. */
enum err post_mlflow_trace_prompts(struct request *rq)
{
    const char *id;
    char *text = NULL;

    TRY(mlflow_need(rq, "trace_id", TRACE_ID_MAX, &id));
    TRY(prompts_text(rq, &text));
    request_object(rq, "traces/%s", id);
    TRY(trace_absent(rq, trace_set_tag(rq->db, auth_project_id(rq), id, LINKED_PROMPTS, text), id));
    TRY(linked_call(rq, id, text));
    return mlflow_reply_empty(rq);
}

/* What the project's policy keeps is refused when it is named, and passed over when it is not. */
static enum err check_kept(struct request *rq, struct trace_deletion *d)
{
    int64_t kept = 0;
    struct rules rules;

    TRY(rules_load(rq->db, auth_project_id(rq), &rules));
    d->kept_ms = rules.trace_days == 0 ? INT64_MAX : time_now_ms() - rules.trace_days * 86400000;
    TRY(trace_count_kept(rq->db, auth_project_id(rq), d, &kept));
    if (kept > 0)
        return fail(rq, ERR_DENIED,
                    "%lld of these traces are kept: the project's policy says %lld "
                    "days (trace_days)",
                    (long long)kept, (long long)rules.trace_days);
    return OK;
}

/* POST …/traces/delete-traces */
enum err post_mlflow_trace_deletion(struct request *rq)
{
    struct trace_deletion d = {.until_ms = -1, .most = INT32_MAX};
    int64_t deleted = 0;
    const char *text;
    struct texts ids;

    TRY(mlflow_need(rq, "experiment_id", 64, &text));
    TRY(mlflow_experiment_id(rq, text, &d.experiment_id));
    TRY(mlflow_texts(rq, "request_ids", TRACE_LABELS_MAX, &ids));
    TRY(mlflow_int(rq, "max_timestamp_millis", -1, INT64_MAX, &d.until_ms));
    TRY(mlflow_int(rq, "max_traces", 1, INT32_MAX, &d.most));
    if ((d.until_ms >= 0) == (ids.count > 0))
        return fail(
            rq, ERR_INVALID,
            "Either `max_timestamp_millis` or `request_ids` must be specified, but not both.");
    request_object(rq, "experiments/%lld/traces", (long long)d.experiment_id);
    d.ids = &ids;
    TRY(check_kept(rq, &d));
    TRY(trace_delete(rq->db, auth_project_id(rq), &d, &deleted));
    request_audit(rq, "deleted", json_integer((json_int_t)deleted));
    return mlflow_reply(rq,
                        arena_printf(rq->arena, "{\"traces_deleted\":%lld}", (long long)deleted));
}
