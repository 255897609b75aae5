/* SPDX-License-Identifier: Apache-2.0 */
#include "lineage/graph/graph_export.h"

#include <string.h>

static size_t place_of(const struct walk *w, int64_t id, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (w->nodes[i].id == id)
            return i;
    return SIZE_MAX;
}

static void *joined(struct arena *a, const void *items, size_t count, size_t more, size_t size)
{
    char *out = arena_alloc(a, (count + more + 1) * size);

    if (count > 0)
        memcpy(out, items, count * size);
    return out;
}

/* Whoever was reached before had all its edges read then: only those that lead to others are new.
 */
void walk_merge(struct arena *a, struct walk *into, const struct walk *more)
{
    size_t before = into->node_count;
    size_t *places = arena_alloc(a, (more->node_count + 1) * sizeof(*places));

    into->nodes = joined(a, into->nodes, before, more->node_count, sizeof(*into->nodes));
    into->edges = joined(a, into->edges, into->edge_count, more->edge_count, sizeof(*into->edges));
    for (size_t i = 0; i < more->node_count; i++) {
        places[i] = place_of(into, more->nodes[i].id, before);
        if (places[i] != SIZE_MAX)
            continue;
        places[i] = into->node_count;
        into->nodes[into->node_count++] = more->nodes[i];
    }
    for (size_t i = 0; i < more->edge_count; i++) {
        const struct walk_edge *e = &more->edges[i];

        if (places[e->dst] >= before)
            into->edges[into->edge_count++] = (struct walk_edge){
                .src = places[e->src], .dst = places[e->dst], .kind = e->kind, .at = e->at};
    }
}
