/* SPDX-License-Identifier: Apache-2.0 */
#include "lineage/graph/answer.h"
#include "lineage/graph/path.h"
#include "lineage/jsontext.h"
#include "lineage/routes.h"

#include <string.h>

/* GET /v1/lineage?node=&direction=&depth=&as_of=&known_at= */
enum err get_lineage(struct request *rq)
{
    struct text *t = answer_text(rq);
    struct walk_question q;
    struct walk w;

    TRY(question_read(rq, "node", &q));
    TRY(question_ways(rq, &q.ways));
    TRY(request_query_int(rq, "depth", 1, DEPTH_MAX, DEPTH, &q.depth));
    TRY(walk_run(rq->db, &q, &w));
    graph_add(t, &w);
    return answer_reply(rq, t);
}

static void add_path(struct text *t, const struct path *p)
{
    const struct walk *w = &p->walk;

    json_add_member(t, false, "direction", p->way == WALK_DOWN ? "downstream" : "upstream");
    text_puts(t, ",\"nodes\":[");
    graph_add_node(t, &w->nodes[0]);
    for (size_t i = 0; i < p->count; i++) {
        const struct walk_edge *e = &w->edges[p->edges[i]];

        text_puts(t, ",");
        graph_add_node(t, &w->nodes[p->way == WALK_DOWN ? e->dst : e->src]);
    }
    text_puts(t, "],\"edges\":[");
    for (size_t i = 0; i < p->count; i++) {
        text_puts(t, i == 0 ? "" : ",");
        graph_add_edge(t, w, p->edges[i]);
    }
    text_puts(t, "]");
}

/* GET /v1/lineage/path?from=&to=&direction=&as_of=&known_at= */
enum err get_lineage_path(struct request *rq)
{
    struct text *t = answer_text(rq);
    struct walk_question q;
    struct path p;

    TRY(question_read(rq, "from", &q));
    TRY(question_ways(rq, &q.ways));
    q.depth = DEPTH_MAX;
    q.stop = request_query(rq, "to");
    if (q.stop == NULL) {
        rq->target = "to";
        return fail(rq, ERR_INVALID, "to is missing: the name of a node");
    }
    TRY(path_find(rq->db, &q, &p));
    text_puts(t, "{");
    json_add_member(t, true, "from", q.node);
    json_add_member(t, false, "to", q.stop);
    text_printf(t, ",\"found\":%s", p.found ? "true" : "false");
    if (p.found)
        add_path(t, &p);
    graph_add_end(t, p.truncated);
    return answer_reply(rq, t);
}
