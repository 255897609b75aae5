/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRAPH_PROV_H
#define GRAPH_PROV_H

#include "lineage/graph/walk.h"

/* A graph as PROV-JSON (W3C member submission of 2013-04-24). Jobs, runs, approvals and deployments
 * are activities, all else entities. Hidden nodes and their edges are left out. base is the
 * namespace of the names. A new object. */
json_t *prov_of(struct arena *a, const struct walk *w, const char *base);

#endif
