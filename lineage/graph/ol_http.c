/* SPDX-License-Identifier: Apache-2.0 */
#include "lineage/body.h"
#include "lineage/graph/ol_take.h"
#include "lineage/graph/provenance.h"
#include "lineage/routes.h"

#include <string.h>

/* As OpenLineage clients send them: gzip or not, with or without charset, one event, a bare list of
 * events, or {"events": […]}. */
enum { EVENTS_MAX = 128 << 20, EVENT_COUNT_MAX = 10000 };

static void release_json(void *json)
{
    json_decref(json);
}

static enum err read_json(struct request *rq, json_t **out)
{
    const char *type = request_header(rq, "content-type");
    const struct text *plain;
    json_error_t error;

    if (type != NULL && !body_is(type, "application/json"))
        return fail(rq, ERR_MEDIA_TYPE, "the body must be application/json");
    TRY(body_read(rq, EVENTS_BODY_MAX, EVENTS_MAX, &plain));
    *out = json_loadb(plain->length == 0 ? "" : plain->data, plain->length, JSON_REJECT_DUPLICATES,
                      &error);
    if (*out == NULL)
        return fail(rq, ERR_INVALID, "the body is not JSON: %s (byte %d)", error.text,
                    error.position);
    arena_own(rq->arena, *out, release_json);
    return OK;
}

/* The project of what names none: ?project= or the header Chancery-Project. */
static enum err read_project(struct request *rq, const char **out)
{
    *out = request_query(rq, "project");
    if (*out == NULL)
        *out = request_header(rq, "chancery-project");
    if (*out == NULL || **out == '\0') {
        *out = "";
        return OK;
    }
    if (!name_valid(*out))
        return fail(rq, ERR_INVALID, "project must be the name of one");
    if (lineage_visibility == NULL || !lineage_visibility(rq, *out, ""))
        return fail(rq, ERR_NOT_FOUND, "there is no project %s", *out);
    return OK;
}

static enum err take(struct request *rq, const json_t *events, struct ol_taken *out)
{
    const char *project;
    char *hex = arena_alloc(rq->arena, 2 * SHA256_SIZE + 1);

    TRY(read_project(rq, &project));
    if (json_array_size(events) > EVENT_COUNT_MAX)
        return fail(rq, ERR_TOO_LARGE, "at most %d events are taken at once", EVENT_COUNT_MAX);
    hex_encode(rq->upload->sha256.bytes, SHA256_SIZE, hex);
    TRY(ol_take(rq, events, project, out));
    request_object(rq, "lineage/events/%s", hex);
    request_audit(rq, "body_sha256", json_string(hex));
    request_audit(rq, "events", json_integer((json_int_t)out->received));
    request_audit(rq, "taken", json_integer((json_int_t)out->taken));
    request_audit(rq, "known", json_integer((json_int_t)out->known));
    return OK;
}

/* The answer of the specification to batches, which fits single events too. */
static enum err tell(struct request *rq, const struct ol_taken *t)
{
    size_t failed = t->received - t->taken;

    return request_reply_json(rq, json_pack("{s:s, s:{s:I, s:I, s:I, s:I, s:I}, s:O}", "status",
                                            failed == 0 ? "success" : "partial_success", "summary",
                                            "received", (json_int_t)t->received, "successful",
                                            (json_int_t)t->taken, "failed", (json_int_t)failed,
                                            "retriable", (json_int_t)0, "non_retriable",
                                            (json_int_t)failed, "failed_events", t->failed));
}

/* POST /api/v1/lineage */
enum err post_openlineage(struct request *rq)
{
    struct ol_taken taken = {.received = 0};
    json_t *event = NULL, *events;
    enum err e;

    TRY(read_json(rq, &event));
    events = json_pack("[O]", event);
    arena_own(rq->arena, events, release_json);
    TRY(take(rq, events, &taken));
    if (taken.taken == 1)
        return tell(rq, &taken);
    e = taken.why;
    return fail(rq, e, "%s",
                json_string_value(json_object_get(json_array_get(taken.failed, 0), "reason")));
}

/* POST /api/v1/lineage/batch */
enum err post_openlineage_batch(struct request *rq)
{
    struct ol_taken taken = {.received = 0};
    json_t *body = NULL;

    TRY(read_json(rq, &body));
    if (json_is_object(body))
        body = json_object_get(body, "events");
    if (!json_is_array(body))
        return fail(rq, ERR_INVALID, "the body must be a list of events, or {\"events\": [...]}");
    TRY(take(rq, body, &taken));
    return tell(rq, &taken);
}
