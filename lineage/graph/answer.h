/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRAPH_ANSWER_H
#define GRAPH_ANSWER_H

#include "core/request.h"
#include "lineage/graph/walk.h"

/* Graphs as JSON, written straight into the answer, and the questions all routes of the graph
 * share.
 */

/* Text that lives as long as the request. */
struct text *answer_text(struct request *rq);
enum err answer_reply(struct request *rq, const struct text *t);

/* What edges call a node by, after prefix. */
void graph_add_name(struct text *t, const char *prefix, const struct walk_node *node);
void graph_add_node(struct text *t, const struct walk_node *node);
void graph_add_edge(struct text *t, const struct walk *w, size_t edge);
/* root, nodes, edges and the end. */
void graph_add(struct text *t, const struct walk *w);
/* ,"complete":… and the closing brace; truncated is NULL for complete. */
void graph_add_end(struct text *t, const char *truncated);

enum { DEPTH = 20, DEPTH_MAX = 64, NODES_MAX = 10000, EDGES_MAX = 100000, WALK_MS = 5000 };

/* A question about the node that the query parameter names, with the service's budgets, as_of and
 * known_at; ways and depth are still to be set. */
MUST_CHECK enum err question_read(struct request *rq, const char *parameter,
                                  struct walk_question *q);
/* direction: upstream, downstream or both, which is the default. */
MUST_CHECK enum err question_ways(struct request *rq, unsigned *ways);
MUST_CHECK enum err question_time(struct request *rq, const char *parameter, const char **out);
/* Whether the caller may see that node of that project; with NULL, all of them. */
bool question_may(void *request, const char *project, const char *node);

#endif
