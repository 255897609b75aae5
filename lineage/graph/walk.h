/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRAPH_WALK_H
#define GRAPH_WALK_H

#include "core/db.h"

/* Breadth-first search of the provenance graph. One statement reads the edges of all levels and one
 * the nodes it found; every edge is read once however many paths lead to it. */

enum walk_way { WALK_UP = 1, WALK_DOWN = 2 };

struct walk_question {
    const char *node; /* name */
    unsigned ways;
    const char *as_of;    /* RFC 3339: only what had happened by then; NULL for all */
    const char *known_at; /* RFC 3339: only what had been recorded by then; NULL for all */
    const char *stop;     /* the walk ends with the level that has a node of this name; or NULL */
    bool skip_predictions;
    int64_t depth;
    size_t nodes; /* most of them in the answer */
    size_t edges;
    int64_t ms;
    /* Nodes that may not be seen are shown by their id only, and the walk does not go past them.
     * node NULL: is there nothing in the project that may not? */
    bool (*may)(void *context, const char *project, const char *node);
    void *context;
};

struct walk_node {
    int64_t id;
    int64_t depth;
    const char *name; /* NULL: redacted, as is all below */
    const char *kind;
    const char *project;
    const char *digest;     /* hexadecimal; NULL for none */
    const char *created_at; /* RFC 3339 */
    unsigned seen;          /* the ways in which it was reached, */
    unsigned followed;      /* and those in which its edges were read */
};

struct walk_edge {
    size_t src; /* in nodes */
    size_t dst;
    const char *kind;
    const char *at; /* RFC 3339 */
};

struct walk {
    struct walk_node *nodes; /* the first is where it began; nearest first */
    size_t node_count;
    struct walk_edge *edges;
    size_t edge_count;
    /* Why the answer is not all there is: "depth", "nodes", "edges", "time" or "redacted". NULL
     * when it is complete. */
    const char *truncated;
    size_t stop; /* the node it was to end with; 0 when it was not met */
};

/* Within a TX_READ of db->tenant. ERR_NOT_FOUND, before anything is walked, for a node that is
 * unknown or may not be seen. The answer is in db's arena. */
MUST_CHECK enum err walk_run(struct db *db, const struct walk_question *q, struct walk *out);

/* The same with a statement for each level: for tenants with more projects than can be asked about
 * beforehand, and to check the other by. */
MUST_CHECK enum err walk_run_by_levels(struct db *db, const struct walk_question *q,
                                       struct walk *out);

/* Whether every project may be seen, so that nothing needs to be hidden. */
MUST_CHECK enum err walk_open(struct db *db, const struct walk_question *q, bool *open);

#endif
