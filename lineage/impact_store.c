/* SPDX-License-Identifier: Apache-2.0 */
#include "lineage/impact.h"

#include "core/text.h"

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

QUERY(impact_rows,
      "SELECT p.name AS project, n.name AS endpoint, d.id AS deployment, a.kind, a.name AS asset,"
      "       v.number, d.ended_at IS NULL AS serving, d.deployed_at AS since,"
      "       d.ended_at AS until,"
      "       json_build_array(json_build_object('id', d.approval_id, 'decided_by',"
      "        (SELECT coalesce(json_agg(u.name ORDER BY c.at), '[]'::json)"
      "           FROM approval_decision c"
      "           JOIN principal u ON u.tenant_id = c.tenant_id AND u.id = c.decided_by"
      "          WHERE c.tenant_id = d.tenant_id AND c.approval_id = d.approval_id"
      "            AND c.verdict = 'approve'))) AS approvals"
      "  FROM deployment d"
      "  JOIN endpoint n ON n.tenant_id = d.tenant_id AND n.id = d.endpoint_id"
      "  JOIN project p ON p.tenant_id = n.tenant_id AND p.id = n.project_id"
      "  JOIN version v ON v.tenant_id = d.tenant_id AND v.id = d.version_id"
      "  JOIN asset a ON a.tenant_id = v.tenant_id AND a.id = v.asset_id"
      " WHERE d.tenant_id = $1::uuid AND d.id = ANY ($2::uuid[])"
      " ORDER BY p.name, n.name, d.deployed_at DESC");

/* The last part of a path. */
static const char *last_part(const char *name)
{
    const char *slash = strrchr(name, '/');

    return slash == NULL ? name : slash + 1;
}

enum err impact_of(struct db *db, const struct walk *w, struct rows *out)
{
    const char **ids = arena_alloc(db->arena, (w->node_count + 1) * sizeof(*ids));
    size_t count = 0;

    for (size_t i = 0; i < w->node_count; i++) {
        const struct walk_node *node = &w->nodes[i];

        if (node->name != NULL && strcmp(node->kind, "deployment") == 0 &&
            id_valid(last_part(node->name)))
            ids[count++] = last_part(node->name);
    }
    return db_list(db, &impact_rows, impact_row_fields, sizeof(struct impact_row), out,
                   PARAMS(P_TEXT(db->tenant), P_TEXTS(ids, count)));
}
