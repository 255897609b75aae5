/* SPDX-License-Identifier: Apache-2.0 */
#include "lineage/audit_view.h"

#include "lineage/pseudonym.h"

#include <string.h>

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

/* By id or by name; nobody of that name has done anything. */
static enum err query_actor(struct request *rq, struct audit_filter *f)
{
    enum err e;

    if (f->actor == NULL || id_valid(f->actor))
        return OK;
    e = audit_actor(rq->db, f->actor, &f->actor);
    f->nobody = e == ERR_NOT_FOUND;
    return f->nobody ? OK : e;
}

void (*audit_hidden)(struct request *rq, struct texts *projects, struct texts *things);

void audit_filter_hide(struct request *rq, struct audit_filter *f)
{
    if (audit_hidden != NULL)
        audit_hidden(rq, &f->hidden, &f->hidden_things);
}

enum err audit_whole(struct request *rq)
{
    struct audit_filter f = {.limit = 0};

    audit_filter_hide(rq, &f);
    return f.hidden.count == 0 && f.hidden_things.count == 0
               ? OK
               : fail(rq, ERR_DENIED,
                      "this shows the whole log, of which a part is denied to you; use /v1/audit");
}

enum err audit_filter_read(struct request *rq, struct audit_filter *f)
{
    *f = (struct audit_filter){
        .actor = request_query(rq, "actor"),
        .action = request_query(rq, "action"),
        .object = request_query(rq, "object"),
        .project = request_query(rq, "project"),
        .outcome = request_query(rq, "outcome"),
        .words = request_query(rq, "q"),
    };
    audit_filter_hide(rq, f);
    TRY(query_time(rq, "from", &f->from));
    TRY(query_time(rq, "to", &f->to));
    TRY(query_id(rq, "request", &f->request));
    TRY(query_after(rq, &f->after));
    TRY(query_order(rq, &f->ascending));
    TRY(query_actor(rq, f));
    TRY(pseudonym_of(rq->db, NULL, f->object, &f->object));
    return request_query_int(rq, "limit", 1, AUDIT_PAGE_MAX, AUDIT_PAGE_DEFAULT, &f->limit);
}
