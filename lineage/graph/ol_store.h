/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRAPH_OL_STORE_H
#define GRAPH_OL_STORE_H

#include "core/db.h"
#include "lineage/graph/ol_facts.h"

/* OpenLineage events in the database, in the TX_WRITE of db->tenant. */

/* What is there already: an object with "digests" {hex: true}, "projects" {name: true} (active ones
 * of the names asked for) and "nodes" {name: project}. Owned by the arena. */
struct ol_names {
    const char **digests; /* hexadecimal */
    const char **projects;
    const char **nodes;
    size_t digest_count;
    size_t project_count;
    size_t node_count;
};
MUST_CHECK enum err ol_look(struct db *db, const struct ol_names *names, json_t **out);

/* Queue the event and all that it says. */
MUST_CHECK enum err ol_put(struct db *db, const struct ol_facts *f, const char *request_id);

#endif
