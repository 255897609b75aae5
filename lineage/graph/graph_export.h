/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRAPH_GRAPH_EXPORT_H
#define GRAPH_GRAPH_EXPORT_H

#include "core/request.h"
#include "lineage/graph/walk.h"
#include "lineage/log.h"

/* A piece of the graph with a proof for every entry of the log that stands behind it. */

struct graph_export {
    const struct walk *walk;
    const char *project; /* with objects: entries about these are added ("approvals/ID") */
    struct texts objects;
};

/* "nodes":[…],"edges":[…],"entries":[…] as lineage/sealed/graph_proof.h reads them, in a TX_READ.
 * log gets the head under which all is proven. ERR_UNAVAILABLE while entries are not signed for
 * yet, ERR_TOO_LARGE for too many. */
MUST_CHECK enum err graph_export(struct request *rq, const struct graph_export *of,
                                 struct text *out, struct log *log);

/* Add what another complete walk upstream found. */
void walk_merge(struct arena *a, struct walk *into, const struct walk *more);

#endif
