/* SPDX-License-Identifier: Apache-2.0 */
#include "lineage/graph/impact.h"

#include "core/text.h"

#include <stdlib.h>
#include <string.h>

static const struct field impact_row_fields[] = {
    NAME(struct impact_row, project),
    NAME(struct impact_row, endpoint),
    TEXT(struct impact_row, deployment, 36),
    TEXT(struct impact_row, kind, 63),
    NAME(struct impact_row, asset),
    INT(struct impact_row, number, 1, INT64_MAX),
    BOOL(struct impact_row, serving),
    TIME(struct impact_row, since),
    OPT_TIME(struct impact_row, until),
    JSON(struct impact_row, approvals),
    FIELDS_END,
};

/* The id of the thing that a node stands for is the last part of its name. */
#define NODE_ID(alias) "substring(" alias ".name FROM '[^/]*$')::uuid"

QUERY(impact_rows,
      "SELECT p.name AS project, n.name AS endpoint, d.id AS deployment, a.kind, a.name AS asset,"
      "       v.number, d.ended_at AS until, d.deployed_at AS since,"
      "       d.ended_at IS NULL OR d.ended_at > $3::timestamptz AS serving,"
      "       (SELECT coalesce(json_agg(json_build_object('id', x.id, 'action', x.action,"
      "                'subject', x.subject, 'decided_by',"
      "                (SELECT coalesce(json_agg(u.name ORDER BY c.at), '[]'::json)"
      "                   FROM approval_decision c"
      "                   JOIN principal u ON u.tenant_id = c.tenant_id AND u.id = c.decided_by"
      "                  WHERE c.tenant_id = x.tenant_id AND c.approval_id = x.id"
      "                    AND c.verdict = 'approve')) ORDER BY x.created_at, x.id), '[]'::json)"
      "          FROM approval x WHERE x.tenant_id = d.tenant_id AND (x.id = d.approval_id OR x.id"
      "            IN (SELECT " NODE_ID(
          "y") " FROM endpoint_ancestor c"
               "                  JOIN lineage_node y ON y.tenant_id = c.tenant_id AND y.id = "
               "c.ancestor"
               "                 WHERE c.tenant_id = d.tenant_id AND c.deployment = m.id"
               "                   AND c.kind = 'approval'))) AS approvals"
               "  FROM lineage_node m"
               "  JOIN deployment d ON d.tenant_id = m.tenant_id AND d.id = " NODE_ID(
                   "m") "  JOIN endpoint n ON n.tenant_id = d.tenant_id AND n.id = d.endpoint_id"
                        "  JOIN project p ON p.tenant_id = n.tenant_id AND p.id = n.project_id"
                        "  JOIN version v ON v.tenant_id = d.tenant_id AND v.id = d.version_id"
                        "  JOIN asset a ON a.tenant_id = v.tenant_id AND a.id = v.asset_id"
                        " WHERE m.tenant_id = $1::uuid AND m.id = ANY ($2::bigint[]) AND m.kind = "
                        "'deployment'"
                        "   AND ($3::timestamptz IS NULL OR d.deployed_at <= $3)"
                        " ORDER BY p.name, n.name, d.deployed_at DESC");

QUERY(impact_node, "SELECT id, project FROM lineage_node WHERE tenant_id = $1::uuid AND name = $2");
QUERY(impact_lookup, "SELECT deployment FROM endpoint_ancestor WHERE tenant_id = $1::uuid"
                     " AND ancestor = $2::bigint AND ($3::timestamptz IS NULL OR known_at <= $3)");

struct ids {
    int64_t *items;
    size_t count;
};

static enum err look_up(struct db *db, const struct walk_question *q, struct ids *out)
{
    PGresult *rows;
    int64_t node;

    TRY(db_rows(db, &impact_node, &rows, PARAMS(P_TEXT(db->tenant), P_TEXT(q->node))));
    if (PQntuples(rows) != 1 || !q->may(q->context, PQgetvalue(rows, 0, 1), q->node))
        return ERR_NOT_FOUND;
    node = strtoll(PQgetvalue(rows, 0, 0), NULL, 10);
    TRY(db_rows(db, &impact_lookup, &rows,
                PARAMS(P_TEXT(db->tenant), P_INT(node), P_TEXT(q->known_at))));
    out->items = arena_alloc(db->arena, ((size_t)PQntuples(rows) + 1) * sizeof(*out->items));
    for (int i = 0; i < PQntuples(rows); i++)
        out->items[out->count++] = strtoll(PQgetvalue(rows, i, 0), NULL, 10);
    return OK;
}

static enum err walk(struct db *db, const struct walk_question *q, struct ids *out,
                     const char **cut)
{
    struct walk w;

    TRY(walk_run(db, q, &w));
    out->items = arena_alloc(db->arena, (w.node_count + 1) * sizeof(*out->items));
    for (size_t i = 0; i < w.node_count; i++)
        if (w.nodes[i].name != NULL && strcmp(w.nodes[i].kind, "deployment") == 0)
            out->items[out->count++] = w.nodes[i].id;
    *cut = w.truncated;
    return OK;
}

/* An endpoint that may be seen can serve what may not. */
static void drop_hidden(struct arena *a, const struct walk_question *q, struct impact *out)
{
    struct impact_row *rows = out->rows.items;
    size_t kept = 0;

    for (size_t i = 0; i < out->rows.count; i++)
        if (q->may(q->context, rows[i].project,
                   arena_printf(a, "projects/%s/%ss/%s", rows[i].project, rows[i].kind,
                                rows[i].asset)))
            rows[kept++] = rows[i];
    if (kept < out->rows.count && out->truncated == NULL)
        out->truncated = "redacted";
    out->rows.count = kept;
}

enum err impact_of(struct db *db, const struct walk_question *q, struct impact *out)
{
    struct ids ids = {.items = NULL};
    bool all;

    *out = (struct impact){.node = q->node};
    TRY(walk_open(db, q, &all));
    if (all)
        TRY(look_up(db, q, &ids));
    else
        TRY(walk(db, q, &ids, &out->truncated));
    TRY(db_list(db, &impact_rows, impact_row_fields, sizeof(struct impact_row), &out->rows,
                PARAMS(P_TEXT(db->tenant), P_INTS(ids.items, ids.count), P_TEXT(q->as_of))));
    if (!all)
        drop_hidden(db->arena, q, out);
    return OK;
}
