/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRAPH_OL_FACTS_H
#define GRAPH_OL_FACTS_H

#include "lineage/graph/ol_event.h"

/* What an event says, as rows that the database takes whole, made for ol_store.c. */
struct ol_facts {
    struct arena *arena;
    const struct ol_event *event;
    const char *project; /* of what the event makes */
    /* The node of ours that a dataset is (namespace "chancery", name a node's), or NULL. */
    const char *(*known)(void *context, const struct ol_thing *dataset);
    /* The project that a dataset belongs to. */
    const char *(*owner)(void *context, const struct ol_thing *dataset);
    void *context;
    json_t *nodes;    /* {kind, name, project} */
    json_t *edges;    /* {src, dst, kind} */
    json_t *jobs;     /* node: {project, namespace, name, facets} */
    json_t *datasets; /* the same */
    json_t *runs;     /* {node, run_id, job, type, facets}, one at most */
    json_t *io;       /* {job, dataset, output} */
    json_t *columns;  /* {node, dataset, field} */
    size_t columns_left;
};

/* event, project and the functions are set; the lists are made and owned by the arena. NULL, or why
 * the event cannot be taken. */
const char *ol_facts_make(struct ol_facts *f);

#endif
