/* SPDX-License-Identifier: Apache-2.0 */
#include "lineage/audit_view.h"
#include "lineage/log.h"
#include "lineage/routes.h"

#include <stdlib.h>
#include <string.h>

/* The log as it grows, as server-sent events (WHATWG HTML §9.2): the id is the leaf index, so that
 * a client that comes back with Last-Event-ID misses nothing and gets nothing twice. */

enum { TAIL_ROWS = 50 };

struct tail {
    char tenant[ID_SIZE];
    int64_t next;
    int64_t until_ms; /* the token's end */
};

struct looking {
    struct tail *tail;
    struct db *db;
    struct text *out;
};

static void tell(struct looking *l, const struct audit_row *row)
{
    struct audit_view v;
    json_t *json;
    char *data;

    audit_view(l->db->arena, row, &v);
    json = field_to_json(audit_view_fields, &v);
    data = json_dumps(json, JSON_COMPACT);
    text_printf(l->out, "id: %lld\nevent: entry\ndata: %s\n\n", (long long)row->index,
                data == NULL ? "{}" : data);
    free(data);
    json_decref(json);
    l->tail->next = row->index + 1;
}

static enum err look(void *arg)
{
    struct looking *l = arg;
    struct rows rows;

    TRY(audit_range(l->db, l->tail->next, TAIL_ROWS, &rows));
    for (size_t i = 0; i < rows.count && l->out->length < l->out->max / 2; i++)
        tell(l, (const struct audit_row *)rows.items + i);
    return OK;
}

static enum err follow(struct db *db, void *state, struct text *out)
{
    struct looking l = {.tail = state, .db = db, .out = out};
    enum err e;

    if (l.tail->until_ms != 0 && time_now_ms() > l.tail->until_ms)
        return ERR_TOKEN;
    e = db_tx(db, TX_READ, l.tail->tenant, look, &l);
    return e == ERR_DB_LOST ? OK : e;
}

/* GET /v1/audit/tail?from_index= : from there, from after Last-Event-ID, or from now on. */
enum err get_audit_tail(struct request *rq)
{
    const char *last = request_header(rq, "last-event-id");
    struct tail *t = arena_alloc(rq->arena, sizeof(*t));
    uint64_t seen = 0;
    struct log l = {.size = 0};
    enum err e = log_find(rq->db, &l);

    if (e != OK && e != ERR_NOT_FOUND)
        return e;
    TRY(audit_whole(rq));
    if (last != NULL && !uint_parse(last, INT64_MAX - 1, &seen))
        return fail(rq, ERR_INVALID, "Last-Event-ID must be the id of an event");
    TRY(request_query_int(rq, "from_index", 0, INT64_MAX - 1, (int64_t)l.size, &t->next));
    if (last != NULL)
        t->next = (int64_t)seen + 1;
    (void)snprintf(t->tenant, sizeof(t->tenant), "%s", rq->caller.tenant_id);
    t->until_ms = rq->caller.expires_ms;
    return request_reply_stream(rq, "text/event-stream",
                                (struct stream){.next = follow, .state = t});
}
