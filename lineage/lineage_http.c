/* SPDX-License-Identifier: Apache-2.0 */
#include "core/request.h"
#include "lineage/impact.h"
#include "lineage/jsontext.h"
#include "lineage/provenance.h"
#include "lineage/routes.h"

#include <stdlib.h>
#include <string.h>

enum {
    DEPTH = 20,
    DEPTH_MAX = 64,
    NODES_MAX = 10000,
    EDGES_MAX = 100000,
    WALK_MS = 5000,
    ANSWER_MAX = 256 << 20,
};

static bool may(void *context, const char *project)
{
    return lineage_visibility != NULL && lineage_visibility(context, project);
}

static enum err read_node(struct request *rq, struct walk_question *q)
{
    *q = (struct walk_question){
        .node = request_query(rq, "node"),
        .depth = DEPTH,
        .nodes = NODES_MAX,
        .edges = EDGES_MAX,
        .ms = WALK_MS,
        .may = may,
        .context = rq,
    };
    if (q->node != NULL)
        return OK;
    rq->target = "node";
    return fail(rq, ERR_INVALID, "node is missing: projects/P/models/N/versions/V or the like");
}

static enum err read_ways(struct request *rq, unsigned *ways)
{
    static const char *const names[] = {"both", "upstream", "downstream"};
    static const unsigned values[] = {WALK_UP | WALK_DOWN, WALK_UP, WALK_DOWN};
    const char *way = request_query(rq, "direction");

    for (size_t i = 0; i < 3; i++) {
        if (way != NULL && strcmp(way, names[i]) != 0)
            continue;
        *ways = values[i];
        return OK;
    }
    rq->target = "direction";
    return fail(rq, ERR_INVALID, "direction must be one of: upstream, downstream, both");
}

static enum err read_question(struct request *rq, struct walk_question *q)
{
    int64_t ms;

    TRY(read_node(rq, q));
    TRY(read_ways(rq, &q->ways));
    TRY(request_query_int(rq, "depth", 1, DEPTH_MAX, DEPTH, &q->depth));
    q->as_of = request_query(rq, "as_of");
    if (q->as_of == NULL || time_parse(q->as_of, &ms))
        return OK;
    rq->target = "as_of";
    return fail(rq, ERR_INVALID, "as_of must be an RFC 3339 time");
}

/* What edges call a node by. */
static void add_name(struct text *t, const char *member, const struct walk_node *node)
{
    text_puts(t, member);
    if (node->name != NULL)
        json_add_text(t, node->name);
    else
        text_printf(t, "\"redacted-%lld\"", (long long)node->id);
}

static void add_node(struct text *t, const struct walk_node *node)
{
    if (node->name == NULL) {
        add_name(t, "{\"redacted\":true,\"id\":", node);
    } else {
        add_name(t, "{\"name\":", node);
        json_add_member(t, false, "kind", node->kind);
        json_add_member(t, false, "project", node->project);
        json_add_member(t, false, "digest", node->digest);
        json_add_member(t, false, "created_at", node->created_at);
    }
    text_printf(t, ",\"depth\":%lld}", (long long)node->depth);
}

static void add_end(struct text *t, const struct walk *w)
{
    text_printf(t, ",\"complete\":%s", w->truncated == NULL ? "true" : "false");
    if (w->truncated != NULL)
        json_add_member(t, false, "truncated_reason", w->truncated);
    text_puts(t, "}");
}

static void add_graph(struct text *t, const struct walk *w)
{
    add_name(t, "{\"root\":", &w->nodes[0]);
    text_puts(t, ",\"nodes\":[");
    for (size_t i = 0; i < w->node_count; i++) {
        text_puts(t, i == 0 ? "" : ",");
        add_node(t, &w->nodes[i]);
    }
    text_puts(t, "],\"edges\":[");
    for (size_t i = 0; i < w->edge_count; i++) {
        const struct walk_edge *e = &w->edges[i];

        add_name(t, i == 0 ? "{\"src\":" : ",{\"src\":", &w->nodes[e->src]);
        add_name(t, ",\"dst\":", &w->nodes[e->dst]);
        json_add_member(t, false, "kind", e->kind);
        json_add_member(t, false, "at", e->at);
        text_puts(t, "}");
    }
    text_puts(t, "]");
    add_end(t, w);
}

static void release_text(void *text)
{
    text_free(text);
}

static struct text *answer(struct request *rq)
{
    struct text *t = arena_alloc(rq->arena, sizeof(*t));

    *t = text_new(ANSWER_MAX);
    arena_own(rq->arena, t, release_text);
    return t;
}

static enum err reply(struct request *rq, const struct text *t)
{
    if (t->failed)
        return fail(rq, ERR_TOO_LARGE, "the answer is too large; ask for less depth");
    return request_reply_bytes(rq, "application/json", t->data, t->length);
}

/* GET /v1/lineage?node=&direction=&depth=&as_of= */
enum err get_lineage(struct request *rq)
{
    struct text *t = answer(rq);
    struct walk_question q;
    struct walk w;

    TRY(read_question(rq, &q));
    TRY(walk_run(rq->db, &q, &w));
    add_graph(t, &w);
    return reply(rq, t);
}

static void add_impact(struct request *rq, struct text *t, const struct impact_row *r)
{
    char *approvals = json_dumps(r->approvals, JSON_COMPACT);

    arena_own(rq->arena, approvals, free);
    json_add_member(t, true, "endpoint",
                    arena_printf(rq->arena, "projects/%s/endpoints/%s", r->project, r->endpoint));
    json_add_member(t, false, "deployment", r->deployment);
    json_add_member(
        t, false, "version",
        arena_printf(rq->arena, "%ss/%s/versions/%lld", r->kind, r->asset, (long long)r->number));
    text_printf(t, ",\"serving\":%s", r->serving ? "true" : "false");
    json_add_member(t, false, "from", r->since);
    json_add_member(t, false, "until", r->until);
    text_puts(t, ",\"approvals\":");
    text_puts(t, approvals);
    text_puts(t, "}");
}

/* GET /v1/lineage/impact?node= */
enum err get_lineage_impact(struct request *rq)
{
    struct text *t = answer(rq);
    struct walk_question q;
    struct rows rows;
    struct walk w;

    TRY(read_node(rq, &q));
    q.ways = WALK_DOWN;
    q.depth = DEPTH_MAX;
    q.skip_predictions = true; /* any number of them, and no deployment comes after one */
    TRY(walk_run(rq->db, &q, &w));
    TRY(impact_of(rq->db, &w, &rows));
    add_name(t, "{\"node\":", &w.nodes[0]);
    text_puts(t, ",\"endpoints\":[");
    for (size_t i = 0; i < rows.count; i++) {
        text_puts(t, i == 0 ? "{" : ",{");
        add_impact(rq, t, (const struct impact_row *)rows.items + i);
    }
    text_puts(t, "]");
    add_end(t, &w);
    return reply(rq, t);
}
