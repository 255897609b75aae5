/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRAPH_WALK_READ_H
#define GRAPH_WALK_READ_H

#include "lineage/graph/walk.h"

/* How a walk reads its edges: a level at a time, or all levels by one recursive statement that
 * holds the set of nodes seen as an array, so that it reads each edge once as well. */

/* The edges of the nodes that are so many steps away. All is in db's arena. */
struct walk_level {
    size_t count;
    const int64_t *near; /* the ends that were followed */
    const int64_t *far;
    const char **kinds;
    const char **at; /* RFC 3339 */
    size_t next;     /* how many nodes were to be followed after it; only of many levels */
};

struct walk_reading {
    const struct walk_question *q;
    enum walk_way way;
    int64_t root; /* id of a node */
    int64_t stop; /* likewise: no level after the one that has it; 0 for none */
    size_t edges; /* no level after so many */
    int64_t ms;
    const char **seen; /* projects whose nodes are followed; NULL for all */
    size_t seen_count;
};

/* The edges of these nodes, at most so many. */
MUST_CHECK enum err walk_read_level(struct db *db, const struct walk_reading *r,
                                    const struct param *ids, size_t most, struct walk_level *out);

/* Level 0 has no edges. The last is level q->depth + 1, of which one edge at most is read, unless a
 * budget ended the walk before. */
MUST_CHECK enum err walk_read_levels(struct db *db, const struct walk_reading *r,
                                     struct walk_level **out, size_t *count);

#endif
