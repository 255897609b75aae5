/* SPDX-License-Identifier: Apache-2.0 */
#include "core/request.h"
#include "lineage/audit_check.h"
#include "lineage/audit_store.h"
#include "lineage/jsontext.h"
#include "lineage/routes.h"

#include <stdlib.h>
#include <string.h>

enum {
    PAGE_MAX = 1000,
    PAGE = 100,
    EXPORT_MAX = 10000,
    EXPORT_BYTES = 256 << 20,
    CHECK_MS = 30000
};

/* An entry as it is told: from its leaf and payload, not from the columns that found it. */
struct audit_view {
    const char *id;
    json_t *index;
    const char *at;
    const char *actor;
    const char *actor_name;
    const char *action;
    const char *method;
    const char *project;
    const char *object;
    const char *outcome;
    int64_t status;
    const char *request;
    const char *leaf_hash;
    json_t *detail;
    json_t *tampered;
    const char *fault;
};

static const struct field audit_view_fields[] = {
    TEXT(struct audit_view, id, 36),
    JSON(struct audit_view, index),
    TIME(struct audit_view, at),
    TEXT(struct audit_view, actor, 36),
    TEXT(struct audit_view, actor_name, 255),
    TEXT(struct audit_view, action, 255),
    TEXT(struct audit_view, method, 16),
    TEXT(struct audit_view, project, 255),
    TEXT(struct audit_view, object, 4096),
    TEXT(struct audit_view, outcome, 64),
    INT(struct audit_view, status, 100, 599),
    TEXT(struct audit_view, request, 36),
    TEXT(struct audit_view, leaf_hash, 64),
    OBJECT(struct audit_view, detail),
    OPT_JSON(struct audit_view, tampered),
    OPT_TEXT(struct audit_view, fault, 16),
    FIELDS_END,
};

static void release_json(void *json)
{
    json_decref(json);
}

static json_t *keep(struct arena *a, json_t *json)
{
    if (json != NULL)
        arena_own(a, json, release_json);
    return json;
}

/* NULL for "", which is how a leaf says none. */
static const char *said(const json_t *leaf, const char *name)
{
    const char *text = json_string_value(json_object_get(leaf, name));

    return text == NULL || *text == '\0' ? NULL : text;
}

static void view(struct arena *a, const struct audit_row *row, struct audit_view *out)
{
    json_t *leaf, *payload;
    const char *fault = audit_fault(a, row, &leaf);

    payload = row->payload == NULL ? NULL : keep(a, json_loads(row->payload, 0, NULL));
    *out = (struct audit_view){
        .id = said(leaf, "id"),
        .index = row->index < 0 ? NULL : keep(a, json_integer(row->index)),
        .at = said(leaf, "at"),
        .actor = said(leaf, "actor"),
        .actor_name = said(payload, "actor"),
        .action = said(leaf, "action"),
        .method = said(leaf, "method"),
        .project = said(leaf, "project"),
        .object = said(leaf, "object"),
        .outcome = said(leaf, "outcome"),
        .status = json_integer_value(json_object_get(leaf, "status")),
        .request = said(leaf, "request"),
        .leaf_hash = row->leaf_hash,
        .detail = payload,
        .tampered = fault == NULL ? NULL : json_true(),
        .fault = fault,
    };
    if (out->id == NULL)
        out->id = row->id; /* a leaf that says nothing must still be found */
}

static enum err query_time(struct request *rq, const char *name, const char **out)
{
    int64_t ms;

    *out = request_query(rq, name);
    if (*out == NULL || time_parse(*out, &ms))
        return OK;
    rq->target = name;
    return fail(rq, ERR_INVALID, "%s must be an RFC 3339 time", name);
}

static enum err query_id(struct request *rq, const char *name, const char **out)
{
    *out = request_query(rq, name);
    if (*out == NULL || id_valid(*out))
        return OK;
    rq->target = name;
    return fail(rq, ERR_INVALID, "%s must be an id", name);
}

static enum err query_after(struct request *rq, const char **out)
{
    uint64_t seq;

    *out = request_query(rq, "after");
    if (*out == NULL || uint_parse(*out, INT64_MAX, &seq))
        return OK;
    rq->target = "after";
    return fail(rq, ERR_INVALID, "after must be a cursor of this list");
}

static enum err query_order(struct request *rq, bool *ascending)
{
    const char *order = request_query(rq, "order");

    *ascending = order != NULL && strcmp(order, "asc") == 0;
    if (order == NULL || *ascending || strcmp(order, "desc") == 0)
        return OK;
    rq->target = "order";
    return fail(rq, ERR_INVALID, "order must be asc or desc");
}

static enum err read_filter(struct request *rq, struct audit_filter *f)
{
    *f = (struct audit_filter){
        .actor = request_query(rq, "actor"),
        .action = request_query(rq, "action"),
        .object = request_query(rq, "object"),
        .project = request_query(rq, "project"),
        .outcome = request_query(rq, "outcome"),
    };
    TRY(query_time(rq, "from", &f->from));
    TRY(query_time(rq, "to", &f->to));
    TRY(query_id(rq, "request", &f->request));
    TRY(query_after(rq, &f->after));
    TRY(query_order(rq, &f->ascending));
    return request_query_int(rq, "limit", 1, PAGE_MAX, PAGE, &f->limit);
}

/* GET /v1/audit?actor=&action=&object=&project=&outcome=&from=&to=&request=&order=&after=&limit= */
enum err get_audit(struct request *rq)
{
    struct rows found = {.items = NULL}, views = {.items = NULL};
    const char *next = NULL;
    struct audit_filter f;
    enum err e = OK;
    size_t limit;

    TRY(read_filter(rq, &f));
    limit = (size_t)f.limit++; /* one more tells whether there is a next page */
    if (f.actor != NULL && !id_valid(f.actor))
        e = audit_actor(rq->db, f.actor, &f.actor);
    if (e == OK)
        e = audit_list(rq->db, &f, &found);
    if (e != OK && e != ERR_NOT_FOUND) /* nobody of that name has done anything */
        return e;
    views.count = found.count > limit ? limit : found.count;
    views.items = arena_alloc(rq->arena, (views.count + 1) * sizeof(struct audit_view));
    for (size_t i = 0; i < views.count; i++)
        view(rq->arena, (struct audit_row *)found.items + i, (struct audit_view *)views.items + i);
    if (found.count > limit)
        next = arena_printf(rq->arena, "%lld",
                            (long long)((struct audit_row *)found.items)[limit - 1].seq);
    return request_reply_list(rq, audit_view_fields, sizeof(struct audit_view), &views, next);
}

/* GET /v1/audit/entries/{id} */
enum err get_audit_entry(struct request *rq)
{
    struct audit_row row;
    struct audit_view shown;

    TRY(audit_find(rq->db, rq->args[0], &row));
    view(rq->arena, &row, &shown);
    return request_reply(rq, audit_view_fields, &shown);
}

/* GET /v1/audit/check */
enum err get_audit_check(struct request *rq)
{
    struct audit_report *r = arena_alloc(rq->arena, sizeof(*r));
    json_t *problems;

    TRY(audit_check(rq->db, CHECK_MS, r));
    problems = json_array();
    for (int64_t i = 0; i < r->faults && i < AUDIT_PROBLEMS_MAX; i++) {
        const struct audit_problem *p = &r->problems[i];

        json_array_append_new(problems,
                              json_pack("{s:o, s:s?, s:s}", "index",
                                        p->index < 0 ? json_null() : json_integer(p->index), "id",
                                        p->id, "what", p->what));
    }
    return request_reply_json(rq,
                              json_pack("{s:I, s:I, s:b, s:I, s:o}", "size", (json_int_t)r->size,
                                        "checked", (json_int_t)r->checked, "complete", r->complete,
                                        "faults", (json_int_t)r->faults, "problems", problems));
}

static void release_text(void *text)
{
    text_free(text);
}

static void add_payload(struct text *out, const struct audit_row *row)
{
    text_printf(out, "{\"index\":%lld", (long long)row->index);
    json_add_member(out, false, "id", row->id);
    json_add_member(out, false, "salt", row->salt);
    json_add_member(out, false, "payload", row->payload);
    text_puts(out, "}\n");
}

/* GET /v1/audit/payloads?from_index=&limit= : JSON lines; salt is hexadecimal, payload the exact
 * text that HMAC-SHA256(salt, payload) commits to; both null where they were erased. */
enum err get_audit_payloads(struct request *rq)
{
    struct text *out = arena_alloc(rq->arena, sizeof(*out));
    int64_t from, limit;
    struct rows rows;

    TRY(request_query_int(rq, "from_index", 0, INT64_MAX - EXPORT_MAX, 0, &from));
    TRY(request_query_int(rq, "limit", 1, EXPORT_MAX, PAGE_MAX, &limit));
    TRY(audit_range(rq->db, from, limit, &rows));
    *out = text_new(EXPORT_BYTES);
    arena_own(rq->arena, out, release_text);
    for (size_t i = 0; i < rows.count; i++)
        add_payload(out, (struct audit_row *)rows.items + i);
    if (out->failed)
        return fail(rq, ERR_TOO_LARGE, "ask for fewer than %lld at once", (long long)limit);
    request_audit(rq, "from_index", json_integer(from));
    request_audit(rq, "count", json_integer((json_int_t)rows.count));
    return request_reply_bytes(rq, "application/jsonl", out->length == 0 ? "" : out->data,
                               out->length);
}
