/* SPDX-License-Identifier: Apache-2.0 */
#include "lineage/graph/provenance.h"

bool (*lineage_visibility)(struct request *rq, const char *project, const char *node);

QUERY(provenance_node_put, "INSERT INTO lineage_node (tenant_id, kind, name, project, digest)"
                           " VALUES ($1::uuid, $2, $3, $4, $5)"
                           " ON CONFLICT (tenant_id, name) DO NOTHING");

enum err provenance_node(struct db *db, const char *kind, const char *name, const char *project,
                         const uint8_t *digest)
{
    return db_defer_any(db, &provenance_node_put,
                        PARAMS(P_TEXT(db->tenant), P_TEXT(kind), P_TEXT(name), P_TEXT(project),
                               P_BYTES(digest, SHA256_SIZE)));
}

/* A name without a node gives NULL, which no end may be. */
QUERY(provenance_edge_put,
      "INSERT INTO lineage_edge (tenant_id, src, dst, kind, request_id) VALUES ($1::uuid,"
      " (SELECT id FROM lineage_node WHERE tenant_id = $1::uuid AND name = $2),"
      " (SELECT id FROM lineage_node WHERE tenant_id = $1::uuid AND name = $3), $4, $5::uuid)"
      " ON CONFLICT (tenant_id, src, dst, kind) DO NOTHING");

enum err provenance_edge(struct db *db, const char *src_name, const char *dst_name,
                         const char *kind, const char *request_id)
{
    return db_defer_any(db, &provenance_edge_put,
                        PARAMS(P_TEXT(db->tenant), P_TEXT(src_name), P_TEXT(dst_name), P_TEXT(kind),
                               P_TEXT(request_id)));
}
