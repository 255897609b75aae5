/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRAPH_PROVENANCE_H
#define GRAPH_PROVENANCE_H

#include "core/db.h"
#include "core/request.h"

/* The provenance graph: what was made from what. Nodes and edges are facts, written in the
 * transaction that makes them true and never changed.
 *
 * Names are paths: projects/P/datasets/N/versions/V (and so every kind of asset),
 * projects/P/jobs/ID, projects/P/approvals/ID, projects/P/endpoints/E/deployments/ID,
 * projects/P/predictions/ID; projects/P/runs/ID, projects/P/mlflow-datasets/NAME/DIGEST,
 * projects/P/logged-models/m-ID, projects/P/traces/ID, projects/P/mlflow-notebooks/PATH;
 * projects/P/code/REPOSITORY@COMMIT (code.h); projects/P/external/TEXT: what a manifest names that
 * is none of ours. Kinds of nodes: dataset-version model-version environment component prompt
 * notebook flow connection job approval deployment prediction run dataset logged-model trace code
 * external column. Kinds of edges, src upstream of dst: consume produce approve deploy predict use
 * derive. A prompt leads to a trace by predict, as a deployment to a prediction: nothing comes of
 * either. What other systems declare (OpenLineage) has nodes ol-job ol-run ol-dataset ol-column
 * code, named ol-dataset:NAMESPACE:NAME and so on, and edges run (job to run) parent (run to run)
 * derive (between columns, or datasets without a job) use (code). Columns of ours have the names
 * that others would call them by, ol-column:chancery:NODE:COLUMN, and the kind column. */

/* Queue a node into the running TX_WRITE of db->tenant. A node of that name that is there already
 * stays as it is. digest is 32 bytes or NULL. */
MUST_CHECK enum err provenance_node(struct db *db, const char *kind, const char *name,
                                    const char *project, const uint8_t *digest);

/* Queue an edge between nodes that are there or were queued before. An edge that is there already
 * stays as it is; a missing end fails the transaction. request_id may be NULL. */
MUST_CHECK enum err provenance_edge(struct db *db, const char *src_name, const char *dst_name,
                                    const char *kind, const char *request_id);

/* Whether the caller may see a node of a project, by their names; with NULL, every node there. Set
 * once, before requests are served, by a floor that knows permissions; until then nobody sees
 * anything. */
extern bool (*lineage_visibility)(struct request *rq, const char *project, const char *node);
/* Whether the caller may add to the graph there; NULL: in the tenant at large. */
extern bool (*lineage_writer)(struct request *rq, const char *project);

#endif
