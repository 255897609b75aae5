/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/mlflow/assessment.h"

#include "auth/auth.h"
#include "registry/handlers.h"
#include "registry/mlflow/mlflow.h"
#include "registry/mlflow/run_http.h"
#include "registry/mlflow/trace.h"
#include "registry/reply.h"

#include <stdlib.h>
#include <string.h>

enum { RATIONALE_MAX = 65536, WITH_A_TRACE_MAX = 1000 };

static const char *const kinds[] = {"feedback", "expectation", "issue"};

static enum err read_kind(struct request *rq, const json_t *json, struct assessment *a)
{
    unsigned count = 0;

    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        if (json_is_object(json_object_get(json, kinds[i]))) {
            a->kind = kinds[i];
            a->content = json_object_get(json, kinds[i]);
            count++;
        }
    if (count == 1)
        return OK;
    rq->target = "assessment";
    return fail(rq, ERR_INVALID,
                "Exactly one of `expectation`, `feedback`, or `issue` should be specified.");
}

/* mlflow/protos/assessments.proto: SourceType */
static enum err read_source(struct request *rq, const json_t *json, struct assessment *a)
{
    static const char *const types[] = {"SOURCE_TYPE_UNSPECIFIED", "HUMAN", "LLM_JUDGE", "CODE"};
    const json_t *source = json_object_get(json, "source");
    const char *type = mlflow_member(source, "source_type");

    a->source_type = types[0];
    a->source_id = mlflow_member(source, "source_id");
    if (a->source_id == NULL)
        a->source_id = "";
    if (strlen(a->source_id) > MLFLOW_KEY_MAX)
        return mlflow_invalid(rq, "source_id", a->source_id);
    for (size_t i = 0; type != NULL && i < sizeof(types) / sizeof(types[0]); i++)
        if (strcmp(type, types[i]) == 0)
            a->source_type = types[i];
    if (type != NULL && strcmp(type, a->source_type) != 0)
        return mlflow_invalid(rq, "source_type", type);
    return OK;
}

static void release_text(void *text)
{
    free(text);
}

/* A value as searches compare it: a text as it is, anything else as JSON writes it. */
static void read_value(struct arena *arena, const json_t *value, struct assessment *a)
{
    char *text;

    a->value = json_string_value(value);
    if (a->value != NULL || value == NULL || json_is_null(value))
        return;
    text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
    arena_own(arena, text, release_text);
    a->value = text;
    if (json_is_number(value))
        a->number = text;
}

/* Expectations that are lists or objects come as the JSON text of a serialized_value. */
static void read_content(struct arena *arena, struct assessment *a)
{
    const json_t *value = json_object_get(a->content, "value");
    const char *text = mlflow_member(json_object_get(a->content, "serialized_value"), "value");

    if (strcmp(a->kind, "issue") == 0)
        value = json_object_get(a->content, "issue_name");
    if (value == NULL && text != NULL)
        a->value = text;
    else
        read_value(arena, value, a);
}

static enum err read_metadata(struct request *rq, const json_t *json, struct assessment *a)
{
    const json_t *metadata = json_object_get(json, "metadata");
    const json_t *value;
    const char *key;

    if (metadata == NULL || json_is_null(metadata))
        return OK;
    if (!json_is_object(metadata))
        return mlflow_invalid(rq, "metadata", "that is no object");
    json_object_foreach((json_t *)metadata, key, value)
    {
        if (!json_is_string(value) || *key == '\0' || strlen(key) > MLFLOW_KEY_MAX)
            return mlflow_invalid(rq, "metadata", key);
    }
    a->metadata = metadata;
    return OK;
}

static enum err read_time(struct request *rq, const json_t *json, const char *name, int64_t *ms)
{
    const char *text = mlflow_member(json, name);

    if (text != NULL && (!time_parse(text, ms) || *ms < 0))
        return mlflow_invalid(rq, name, text);
    return OK;
}

static enum err read_short(struct request *rq, const json_t *json, const char *name,
                           const char **out)
{
    *out = mlflow_member(json, name);
    if (*out != NULL && **out == '\0')
        *out = NULL;
    if (*out != NULL && strlen(*out) > MLFLOW_KEY_MAX)
        return mlflow_invalid(rq, name, *out);
    return OK;
}

static enum err read_texts(struct request *rq, const json_t *json, struct assessment *a)
{
    TRY(read_short(rq, json, "assessment_name", &a->name));
    TRY(read_short(rq, json, "span_id", &a->span_id));
    TRY(read_short(rq, json, "overrides", &a->overrides));
    a->rationale = mlflow_member(json, "rationale");
    if (a->rationale != NULL)
        a->rationale = mlflow_cut(rq->arena, a->rationale, RATIONALE_MAX);
    return read_metadata(rq, json, a);
}

static enum err read_whole(struct request *rq, const json_t *json, struct assessment *a)
{
    const json_t *nothing = json_object();
    const char *id = mlflow_member(json, "assessment_id");
    char made[ID_SIZE];

    arena_own(rq->arena, (json_t *)nothing, json_release);
    *a = (struct assessment){.created_ms = time_now_ms(), .by = rq->caller.id};
    id_new(made);
    a->id = id != NULL && trace_id_valid(id)
                ? id
                : arena_printf(rq->arena, "a-%s", run_hex(rq->arena, made));
    TRY(read_kind(rq, json, a));
    TRY(read_source(rq, json, a));
    TRY(read_texts(rq, json, a));
    if (a->name == NULL)
        return mlflow_missing(rq, "assessment_name");
    if (a->metadata == NULL)
        a->metadata = nothing;
    TRY(read_time(rq, json, "create_time", &a->created_ms));
    a->updated_ms = a->created_ms;
    TRY(read_time(rq, json, "last_update_time", &a->updated_ms));
    a->valid = !json_is_false(json_object_get(json, "valid"));
    read_content(rq->arena, a);
    return OK;
}

enum err assessments_of_trace(struct request *rq, const char *trace, const json_t *list)
{
    struct assessment a;
    const json_t *item;
    size_t i;

    if (json_array_size(list) > WITH_A_TRACE_MAX)
        return mlflow_invalid(rq, "assessments", "of too many items");
    json_array_foreach(list, i, item)
    {
        TRY(read_whole(rq, item, &a));
        TRY(assessment_create_once(rq->db, auth_project_id(rq), trace, &a));
    }
    return OK;
}

static enum err absent(struct request *rq, enum err e, const char *trace, const char *id)
{
    if (e != ERR_NOT_FOUND)
        return e;
    return fail(rq, e, "Assessment with ID '%s' not found for trace '%s'",
                mlflow_cut(rq->arena, id, 300), trace);
}

static enum err body_of(struct request *rq, const json_t **json)
{
    *json = json_object_get(rq->body, "assessment");
    return json_is_object(*json) ? OK : mlflow_missing(rq, "assessment");
}

/* POST …/traces/{trace_id}/assessments */
enum err post_mlflow_assessment(struct request *rq)
{
    const char *json = NULL;
    const json_t *body;
    struct assessment a;
    const char *trace;
    enum err e;

    TRY(trace_of_path(rq, &trace));
    TRY(body_of(rq, &body));
    TRY(read_whole(rq, body, &a));
    request_object(rq, "traces/%s/assessments/%s", trace, a.id);
    e = assessment_create(rq->db, auth_project_id(rq), trace, &a, &json);
    if (e == ERR_NOT_FOUND && a.overrides != NULL)
        return absent(rq, e, trace, a.overrides);
    TRY(trace_absent(rq, e, trace));
    return mlflow_reply(rq, json);
}

static enum err of_path(struct request *rq, const char **trace, const char **id)
{
    TRY(trace_of_path(rq, trace));
    *id = rq->args[1];
    if (!trace_id_valid(*id))
        return absent(rq, ERR_NOT_FOUND, *trace, *id);
    request_object(rq, "traces/%s/assessments/%s", *trace, *id);
    return OK;
}

/* GET …/traces/{trace_id}/assessments/{assessment_id} */
enum err get_mlflow_assessment(struct request *rq)
{
    const char *json = NULL;
    const char *trace;
    const char *id;

    TRY(of_path(rq, &trace, &id));
    TRY(absent(rq, assessment_get(rq->db, auth_project_id(rq), trace, id, &json), trace, id));
    return mlflow_reply(rq, json);
}

/* A FieldMask as protobuf's JSON has it, "assessmentName,rationale", or with the fields' own names.
 */
static bool masked(const char *mask, const char *camel, const char *name)
{
    size_t length;

    for (const char *part = mask; *part != '\0'; part += length + (part[length] == ',')) {
        length = strcspn(part, ",");
        if ((length == strlen(camel) && strncmp(part, camel, length) == 0) ||
            (length == strlen(name) && strncmp(part, name, length) == 0))
            return true;
    }
    return false;
}

static enum err read_changes(struct request *rq, const json_t *body, const char *mask,
                             struct assessment *a)
{
    struct assessment given = {.id = NULL};

    TRY(read_texts(rq, body, &given));
    a->name = masked(mask, "assessmentName", "assessment_name") ? given.name : NULL;
    a->rationale = masked(mask, "rationale", "rationale") ? given.rationale : NULL;
    a->metadata = masked(mask, "metadata", "metadata") ? given.metadata : NULL;
    if (!masked(mask, "feedback", "feedback") && !masked(mask, "expectation", "expectation"))
        return OK;
    TRY(read_kind(rq, body, a));
    read_content(rq->arena, a);
    return OK;
}

/* PATCH …/traces/{trace_id}/assessments/{assessment_id} */
enum err patch_mlflow_assessment(struct request *rq)
{
    struct assessment a = {.updated_ms = time_now_ms()};
    const char *json = NULL;
    const json_t *body;
    const char *trace;
    const char *mask;

    TRY(of_path(rq, &trace, &a.id));
    TRY(body_of(rq, &body));
    TRY(mlflow_need(rq, "update_mask", 1024, &mask));
    TRY(read_changes(rq, body, mask, &a));
    TRY(absent(rq, assessment_update(rq->db, auth_project_id(rq), trace, &a, &json), trace, a.id));
    return mlflow_reply(rq, json);
}

/* DELETE …/traces/{trace_id}/assessments/{assessment_id} */
enum err delete_mlflow_assessment(struct request *rq)
{
    const char *trace;
    const char *id;

    TRY(of_path(rq, &trace, &id));
    TRY(absent(rq, assessment_remove(rq->db, auth_project_id(rq), trace, id), trace, id));
    return mlflow_reply_empty(rq);
}
