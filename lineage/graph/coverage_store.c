/* SPDX-License-Identifier: Apache-2.0 */
#include "lineage/graph/impact.h"

#include <string.h>

static const struct field coverage_fields[] = {
    TEXT(struct coverage_row, endpoint, 200),
    NAME(struct coverage_row, project),
    TEXT(struct coverage_row, model, 512),
    TEXTS(struct coverage_row, unknown, 0),
    FIELDS_END,
};

/* A version of a model is of known origin when a job made it, a job when it says what it read. Data
 * may begin here: its digest says what it is. */
QUERY(coverage_sql,
      "SELECT format('projects/%s/endpoints/%s', p.name, n.name) AS endpoint, p.name AS project,"
      "       format('projects/%s/%ss/%s/versions/%s', p.name, a.kind, a.name, v.number) AS model,"
      "       CASE WHEN m.id IS NULL THEN ARRAY [p.name || ' unrecorded'] ELSE"
      "       ARRAY (SELECT y.project || ' ' || y.name FROM endpoint_ancestor c"
      "                JOIN lineage_node y ON y.tenant_id = c.tenant_id AND y.id = c.ancestor"
      "               WHERE c.tenant_id = d.tenant_id AND c.deployment = m.id"
      "                 AND ($3::timestamptz IS NULL OR c.known_at <= $3)"
      "                 AND c.kind IN ('model-version', 'job', 'ol-run',"
      "                   'imported-model-version', 'imported-job') AND NOT EXISTS"
      "                   (SELECT FROM lineage_edge e WHERE e.tenant_id = c.tenant_id"
      "                       AND e.dst = y.id AND e.kind = ANY (CASE WHEN y.kind LIKE "
      "'%model-version'"
      "                           THEN ARRAY ['produce', 'import'] ELSE ARRAY ['consume'] END)"
      "                       AND ($3::timestamptz IS NULL OR e.recorded_at <= $3))"
      "               ORDER BY y.name) END AS unknown"
      "  FROM deployment d"
      "  JOIN endpoint n ON n.tenant_id = d.tenant_id AND n.id = d.endpoint_id"
      "  JOIN project p ON p.tenant_id = n.tenant_id AND p.id = n.project_id"
      "  JOIN version v ON v.tenant_id = d.tenant_id AND v.id = d.version_id"
      "  JOIN asset a ON a.tenant_id = v.tenant_id AND a.id = v.asset_id"
      "  LEFT JOIN lineage_node m ON m.tenant_id = d.tenant_id AND m.name ="
      "       format('projects/%s/endpoints/%s/deployments/%s', p.name, n.name, d.id)"
      " WHERE d.tenant_id = $1::uuid AND d.deployed_at <= coalesce($2::timestamptz, now())"
      "   AND (d.ended_at IS NULL OR d.ended_at > $2::timestamptz)"
      " ORDER BY p.name, n.name");

/* "project name", as the statement gives them, to what may be told. */
static void tell(struct arena *a, const struct walk_question *q, const char **unknown)
{
    const char *space = strchr(*unknown, ' ');
    size_t length = space == NULL ? 0 : (size_t)(space - *unknown);

    *unknown = space != NULL && q->may(q->context, arena_copy(a, *unknown, length), space + 1)
                   ? space + 1
                   : "redacted";
}

enum err coverage_of(struct db *db, const struct walk_question *q, struct rows *out)
{
    struct coverage_row *items;
    size_t kept = 0;

    TRY(db_list(db, &coverage_sql, coverage_fields, sizeof(struct coverage_row), out,
                PARAMS(P_TEXT(db->tenant), P_TEXT(q->as_of), P_TEXT(q->known_at))));
    items = out->items;
    for (size_t i = 0; i < out->count; i++) {
        if (!q->may(q->context, items[i].project, items[i].endpoint) ||
            !q->may(q->context, items[i].project, items[i].model))
            continue;
        for (size_t k = 0; k < items[i].unknown.count; k++)
            tell(db->arena, q, &items[i].unknown.items[k]);
        items[kept++] = items[i];
    }
    out->count = kept;
    return OK;
}
