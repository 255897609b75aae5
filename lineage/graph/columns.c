/* SPDX-License-Identifier: Apache-2.0 */
#include "lineage/graph/columns.h"

void column_facts_begin(struct column_facts *f, struct arena *a, size_t most)
{
    struct texts *lists[] = {&f->src, &f->src_columns, &f->dst, &f->dst_columns};

    *f = (struct column_facts){.most = most < COLUMN_EDGES_MAX ? most : COLUMN_EDGES_MAX};
    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
        lists[i]->items = arena_alloc(a, (f->most + 1) * sizeof(const char *));
}

static void push(struct texts *t, const char *text)
{
    t->items[t->count++] = text;
}

void column_facts_add(struct column_facts *f, const char *src, const char *src_column,
                      const char *dst, const char *dst_column)
{
    if (src == NULL || src_column == NULL || dst == NULL || dst_column == NULL ||
        f->src.count == f->most)
        return;
    push(&f->src, src);
    push(&f->src_columns, src_column);
    push(&f->dst, dst);
    push(&f->dst_columns, dst_column);
}

#define NAME_OF(node, field) "'ol-column:chancery:' || " node " || ':' || " field
#define ENDS                                                                                       \
    "(SELECT node, field FROM unnest($2::text[], $3::text[]) AS s (node, field)"                   \
    " UNION SELECT node, field FROM unnest($4::text[], $5::text[]) AS d (node, field)) x"

/* Rows go in the order of their keys, so that writers of the same things wait for each other rather
 * than deadlock. */
QUERY(column_nodes_put,
      "INSERT INTO lineage_node (tenant_id, kind, name, project)"
      " SELECT $1::uuid, 'column', " NAME_OF(
          "x.node",
          "x.field") ", n.project FROM " ENDS
                     "   JOIN lineage_node n ON n.tenant_id = $1::uuid AND n.name = x.node"
                     "  WHERE octet_length(" NAME_OF(
                         "x.node",
                         "x.field") ") <= 2048"
                                    "  ORDER BY 3 ON CONFLICT (tenant_id, name) DO NOTHING");
QUERY(columns_put, "INSERT INTO ol_column (tenant_id, id, dataset, field)"
                   " SELECT $1::uuid, c.id, n.id, x.field FROM " ENDS
                   "   JOIN lineage_node n ON n.tenant_id = $1::uuid AND n.name = x.node"
                   "   JOIN lineage_node c ON c.tenant_id = $1::uuid AND c.name = " NAME_OF(
                       "x.node", "x.field") "  ORDER BY 2 ON CONFLICT (tenant_id, id) DO NOTHING");
QUERY(column_edges_put,
      "INSERT INTO lineage_edge (tenant_id, src, dst, kind, request_id)"
      " SELECT DISTINCT $1::uuid, s.id, d.id, 'derive', $6::uuid"
      "   FROM unnest($2::text[], $3::text[], $4::text[], $5::text[])"
      "        AS x (src, src_field, dst, dst_field)"
      "   JOIN lineage_node s ON s.tenant_id = $1::uuid AND s.name = " NAME_OF(
          "x.src", "x.src_field") "   JOIN lineage_node d ON d.tenant_id = $1::uuid AND d.name "
                                  "= " NAME_OF("x.dst", "x.dst_field") "  WHERE s.id <> d.id"
                                                                       "  ORDER BY 2, 3 ON "
                                                                       "CONFLICT (tenant_id, src, "
                                                                       "dst, kind) DO NOTHING");

#define P_ENDS(f)                                                                                  \
    P_TEXT(db->tenant), P_TEXTS((f)->src.items, (f)->src.count),                                   \
        P_TEXTS((f)->src_columns.items, (f)->src_columns.count),                                   \
        P_TEXTS((f)->dst.items, (f)->dst.count),                                                   \
        P_TEXTS((f)->dst_columns.items, (f)->dst_columns.count)

enum err column_facts_put(struct db *db, const struct column_facts *f, const char *request_id)
{
    if (f->src.count == 0)
        return OK;
    TRY(db_defer_any(db, &column_nodes_put, PARAMS(P_ENDS(f))));
    TRY(db_defer_any(db, &columns_put, PARAMS(P_ENDS(f))));
    return db_defer_any(db, &column_edges_put, PARAMS(P_ENDS(f), P_TEXT(request_id)));
}
