/* SPDX-License-Identifier: Apache-2.0 */
#include "core/request.h"
#include "lineage/audit_check.h"
#include "lineage/audit_view.h"
#include "lineage/jsontext.h"
#include "lineage/privacy/search.h"
#include "lineage/routes.h"

#include <stdlib.h>
#include <string.h>

enum { EXPORT_MAX = 10000, EXPORT_BYTES = 256 << 20, CHECK_MS = 30000 };

/* GET /v1/audit?actor=&action=&object=&project=&outcome=&from=&to=&request=&q=&order=&after=&limit=
 */
enum err get_audit(struct request *rq)
{
    struct rows found = {.items = NULL}, views = {.items = NULL};
    const char *next = NULL;
    struct audit_filter f;
    size_t limit;

    TRY(audit_filter_read(rq, &f));
    TRY(audit_search(rq, &f));
    limit = (size_t)f.limit++; /* one more tells whether there is a next page */
    if (!f.nobody)
        TRY(audit_list(rq->db, &f, &found));
    views.count = found.count > limit ? limit : found.count;
    views.items = arena_alloc(rq->arena, (views.count + 1) * sizeof(struct audit_view));
    for (size_t i = 0; i < views.count; i++)
        audit_view(rq->arena, (struct audit_row *)found.items + i,
                   (struct audit_view *)views.items + i);
    if (found.count > limit)
        next = arena_printf(rq->arena, "%lld",
                            (long long)((struct audit_row *)found.items)[limit - 1].seq);
    return request_reply_list(rq, audit_view_fields, sizeof(struct audit_view), &views, next);
}

/* GET /v1/audit/entries/{id} */
enum err get_audit_entry(struct request *rq)
{
    struct audit_filter f = {.limit = 1};
    struct audit_row row;
    struct audit_view shown;

    audit_filter_hide(rq, &f);
    TRY(audit_find(rq->db, rq->args[0], &f, &row));
    audit_view(rq->arena, &row, &shown);
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
    json_add_member(out, false, "payload", row->spoilt ? "" : row->payload);
    text_puts(out, "}\n");
}

/* GET /v1/audit/payloads?from_index=&limit= : JSON lines; salt is hexadecimal, payload the exact
 * text that HMAC-SHA256(salt, payload) commits to; both null where they were erased, only salt
 * where what is there does not open. */
enum err get_audit_payloads(struct request *rq)
{
    struct text *out = arena_alloc(rq->arena, sizeof(*out));
    int64_t from, limit;
    struct rows rows;

    TRY(audit_whole(rq));
    TRY(request_query_int(rq, "from_index", 0, INT64_MAX - EXPORT_MAX, 0, &from));
    TRY(request_query_int(rq, "limit", 1, EXPORT_MAX, AUDIT_PAGE_MAX, &limit));
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
