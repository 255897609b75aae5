/* SPDX-License-Identifier: Apache-2.0 */
#include "lineage/audit_view.h"
#include "lineage/background.h"
#include "lineage/log.h"
#include "lineage/ocsf.h"
#include "lineage/sink.h"

#include "core/log.h"

#include <stdlib.h>
#include <string.h>

enum { PAUSE_MS = 500, BATCH = 200 };

static void deliver(struct background *b);
static struct background it = {.name = "courier", .round = deliver, .pause_ms = PAUSE_MS};
static struct sink_context context;
static const char *version;

QUERY(courier_work, "SELECT tenant_id FROM audit_sink_work()");

struct delivery {
    struct db *db;
    struct sink *sink;
    struct rows rows;
    int64_t signed_size;
    char why[WIRE_WHY];
};

static enum err read_batch(void *arg)
{
    struct delivery *d = arg;
    int64_t left;
    struct log l;

    TRY(log_find(d->db, &l));
    left = (int64_t)l.signed_size - d->sink->next;
    return audit_range(d->db, d->sink->next, left < BATCH ? left : BATCH, &d->rows);
}

static const char *event_text(struct db *db, const struct audit_row *row, struct audit_view *v)
{
    json_t *event;
    char *text;

    audit_view(db->arena, row, v);
    event = ocsf_event(v, db->tenant, row->index, version);
    text = json_dumps(event, JSON_COMPACT);
    json_decref(event);
    if (text != NULL)
        arena_own(db->arena, text, free);
    return text == NULL ? "{}" : text;
}

static enum err send_rows(struct delivery *d)
{
    size_t count = d->rows.count;
    const char **events = arena_alloc(d->db->arena, (count + 1) * sizeof(*events));
    const char **times = arena_alloc(d->db->arena, (count + 1) * sizeof(*times));
    bool *refused = arena_alloc(d->db->arena, count + 1);
    struct sink_batch batch = {.tenant = d->db->tenant, .first = d->sink->next, .count = count};

    for (size_t i = 0; i < count; i++) {
        struct audit_view v;

        events[i] = event_text(d->db, (const struct audit_row *)d->rows.items + i, &v);
        times[i] = v.at == NULL ? "-" : v.at;
        refused[i] = v.outcome == NULL || strcmp(v.outcome, "ok") != 0;
    }
    batch.events = events;
    batch.times = times;
    batch.refused = refused;
    return sink_send(d->db, &context, d->sink, &batch, d->why);
}

/* The cursor moves after the other side has it all: a crash in between sends it twice. */
static enum err send_batch(void *arg)
{
    struct delivery *d = arg;
    enum err e = send_rows(d);

    if (e == OK)
        return sink_advance(d->db, d->sink, d->sink->next + (int64_t)d->rows.count);
    log_world("audit sink %s of tenant %s: %s", d->sink->name, d->db->tenant, d->why);
    return sink_postpone(d->db, d->sink, d->why);
}

static enum err claim(void *arg)
{
    struct delivery *d = arg;

    return sink_claim(d->db, &d->rows);
}

static void serve_sink(struct background *b, const char *tenant, struct sink *s)
{
    struct arena *outer = b->db.arena, *a = arena_new();
    struct delivery d = {.db = &b->db, .sink = s};

    b->db.arena = a;
    if (db_tx(&b->db, TX_READ, tenant, read_batch, &d) == OK && d.rows.count > 0 &&
        db_tx(&b->db, TX_POINT, tenant, send_batch, &d) == OK)
        background_wake(b);
    log_arena_back(&b->db, outer);
    arena_free(a);
}

static void serve_tenant(struct background *b, const char *tenant)
{
    struct delivery d = {.db = &b->db};

    if (db_tx(&b->db, TX_POINT, tenant, claim, &d) != OK)
        return;
    for (size_t i = 0; i < d.rows.count && !background_stopping(b); i++)
        serve_sink(b, tenant, (struct sink *)d.rows.items + i);
}

static void deliver(struct background *b)
{
    background_tenants(b, &courier_work, serve_tenant);
}

enum err courier_start(const struct service *service)
{
    context = (struct sink_context){.home = service->home,
                                    .key = service->key,
                                    .private_too = service->config->audit_private_targets};
    version = service->version;
    return background_start(&it, service->conninfo);
}

void courier_stop(void)
{
    background_stop(&it);
}

void courier_wake(void)
{
    background_wake(&it);
}
