/* SPDX-License-Identifier: Apache-2.0 */
#include "lineage/graph/path.h"

#include <string.h>

/* The edge that leads to a node from one a level nearer; a breadth-first walk has one. */
static size_t edge_to(const struct path *p, size_t node)
{
    const struct walk *w = &p->walk;

    for (size_t i = 0; i < w->edge_count; i++) {
        size_t near = p->way == WALK_DOWN ? w->edges[i].src : w->edges[i].dst;
        size_t far = p->way == WALK_DOWN ? w->edges[i].dst : w->edges[i].src;

        if (far == node && w->nodes[near].depth + 1 == w->nodes[far].depth)
            return i;
    }
    return SIZE_MAX;
}

static void trace(struct arena *a, struct path *p)
{
    const struct walk *w = &p->walk;
    size_t at = w->stop;

    p->count = (size_t)w->nodes[at].depth;
    p->edges = arena_alloc(a, (p->count + 1) * sizeof(*p->edges));
    for (size_t i = p->count; i > 0; i--) {
        size_t e = edge_to(p, at);

        if (e == SIZE_MAX)
            return;
        p->edges[i - 1] = e;
        at = p->way == WALK_DOWN ? w->edges[e].src : w->edges[e].dst;
    }
    p->found = true;
}

QUERY(path_end, "SELECT project FROM lineage_node WHERE tenant_id = $1::uuid AND name = $2");

static enum err check_end(struct db *db, const struct walk_question *q)
{
    PGresult *rows;

    TRY(db_rows(db, &path_end, &rows, PARAMS(P_TEXT(db->tenant), P_TEXT(q->stop))));
    if (PQntuples(rows) != 1 || !q->may(q->context, PQgetvalue(rows, 0, 0), q->stop))
        return ERR_NOT_FOUND;
    return OK;
}

enum err path_find(struct db *db, const struct walk_question *q, struct path *out)
{
    static const enum walk_way ways[] = {WALK_DOWN, WALK_UP};
    struct walk_question one_way = *q;

    *out = (struct path){.found = false};
    TRY(check_end(db, q));
    for (size_t i = 0; i < 2 && !out->found; i++) {
        if ((q->ways & ways[i]) == 0)
            continue;
        one_way.ways = out->way = ways[i];
        TRY(walk_run(db, &one_way, &out->walk));
        if (out->walk.truncated != NULL)
            out->truncated = out->walk.truncated;
        if (out->walk.stop != 0)
            trace(db->arena, out);
        else if (strcmp(q->node, q->stop) == 0)
            out->found = true;
    }
    if (out->found)
        out->truncated = NULL;
    return OK;
}
