/* SPDX-License-Identifier: Apache-2.0 */
#include "lineage/graph/ol_store.h"

#include <string.h>

QUERY(ol_look_sql,
      "SELECT 'digests', encode(digest, 'hex'), '' FROM ol_event WHERE tenant_id = current_tenant()"
      "   AND digest IN (SELECT decode(x, 'hex') FROM unnest($1::text[]) x)"
      " UNION ALL SELECT 'projects', name, '' FROM project WHERE tenant_id = current_tenant()"
      "   AND state = 'active' AND name = ANY ($2::text[])"
      " UNION ALL SELECT 'nodes', name, project FROM lineage_node"
      " WHERE tenant_id = current_tenant() AND name = ANY ($3::text[])");

static void release_json(void *json)
{
    json_decref(json);
}

enum err ol_look(struct db *db, const struct ol_names *names, json_t **out)
{
    PGresult *rows;

    *out = json_pack("{s:{}, s:{}, s:{}}", "digests", "projects", "nodes");
    arena_own(db->arena, *out, release_json);
    TRY(db_rows(db, &ol_look_sql, &rows,
                PARAMS(P_TEXTS(names->digests, names->digest_count),
                       P_TEXTS(names->projects, names->project_count),
                       P_TEXTS(names->nodes, names->node_count))));
    for (int i = 0; i < PQntuples(rows); i++)
        json_object_set_new(json_object_get(*out, PQgetvalue(rows, i, 0)), PQgetvalue(rows, i, 1),
                            json_string(PQgetvalue(rows, i, 2)));
    return OK;
}

QUERY(ol_event_put,
      "INSERT INTO ol_event (tenant_id, digest, kind, type, at, project, namespace, name, run_id,"
      "                      raw, request_id)"
      " VALUES (current_tenant(), $1, $2, $3, $4::timestamptz, $5, $6, $7, $8, $9::json, $10::uuid)"
      " ON CONFLICT (tenant_id, digest) DO NOTHING");

/* Rows go in the order of their keys, so that writers of the same things wait for each other rather
 * than deadlock. */
QUERY(ol_node_put, "INSERT INTO lineage_node (tenant_id, kind, name, project)"
                   " SELECT DISTINCT ON (n.name) current_tenant(), n.kind, n.name, n.project"
                   "   FROM jsonb_to_recordset($1::jsonb) AS n (kind text, name text, project text)"
                   "  ORDER BY n.name ON CONFLICT (tenant_id, name) DO NOTHING");
QUERY(ol_edge_put,
      "INSERT INTO lineage_edge (tenant_id, src, dst, kind, at, request_id)"
      " SELECT DISTINCT current_tenant(), s.id, d.id, e.kind, $2::timestamptz, $3::uuid"
      "   FROM jsonb_to_recordset($1::jsonb) AS e (src text, dst text, kind text)"
      "   JOIN lineage_node s ON s.tenant_id = current_tenant() AND s.name = e.src"
      "   JOIN lineage_node d ON d.tenant_id = current_tenant() AND d.name = e.dst"
      "  ORDER BY 2, 3, 4 ON CONFLICT (tenant_id, src, dst, kind) DO NOTHING");

/* Events come in any order: of each facet the newest stays. Only who owns a thing describes it. */
/* clang-format off */
#define THING_PUT(table, kind)                                                                     \
    "INSERT INTO " table " (tenant_id, id, project, namespace, name, facets, created_at, updated_at)" \
    " SELECT n.tenant_id, n.id, n.project, x.row ->> 'namespace', x.row ->> 'name',"               \
    "        x.row -> 'facets', $2::timestamptz, $2::timestamptz"                                  \
    "   FROM jsonb_each($1::jsonb) AS x (node, row)"                                               \
    "   JOIN lineage_node n ON n.tenant_id = current_tenant() AND n.name = x.node"                 \
    "    AND n.kind = '" kind "' AND n.project = x.row ->> 'project'"                              \
    "  ORDER BY n.id"                                                                              \
    " ON CONFLICT (tenant_id, id) DO UPDATE SET"                                                   \
    "   facets = CASE WHEN excluded.updated_at >= " table ".updated_at"                            \
    "            THEN " table ".facets || excluded.facets"                                         \
    "            ELSE excluded.facets || " table ".facets END,"                                    \
    "   created_at = least(" table ".created_at, excluded.created_at),"                            \
    "   updated_at = greatest(" table ".updated_at, excluded.updated_at)"
/* clang-format on */
QUERY(ol_job_put, THING_PUT("ol_job", "ol-job"));
QUERY(ol_dataset_put, THING_PUT("ol_dataset", "ol-dataset"));

/* A run has ended once any event said so. */
#define ENDED "('COMPLETE', 'ABORT', 'FAIL')"
QUERY(ol_run_put,
      "INSERT INTO ol_run (tenant_id, id, run_id, job, state, started_at, ended_at, facets,"
      "                    created_at, updated_at)"
      " SELECT n.tenant_id, n.id, r.run_id, j.id,"
      "        CASE r.type WHEN 'START' THEN 'RUNNING' WHEN 'OTHER' THEN 'NEW' ELSE r.type END,"
      "        CASE r.type WHEN 'START' THEN $2::timestamptz END,"
      "        CASE WHEN r.type IN " ENDED " THEN $2::timestamptz END, r.facets,"
      "        $2::timestamptz, $2::timestamptz"
      "   FROM jsonb_to_recordset($1::jsonb) AS r (node text, run_id text, job text, type text,"
      "                                            facets jsonb)"
      "   JOIN lineage_node n ON n.tenant_id = current_tenant() AND n.name = r.node"
      "   JOIN lineage_node j ON j.tenant_id = current_tenant() AND j.name = r.job"
      " ON CONFLICT (tenant_id, id) DO UPDATE SET"
      "   state = CASE WHEN excluded.state IN " ENDED " AND (ol_run.state NOT IN " ENDED
      "                  OR excluded.updated_at >= ol_run.updated_at) THEN excluded.state"
      "                WHEN ol_run.state IN " ENDED " OR excluded.state = 'NEW' THEN ol_run.state"
      "                ELSE excluded.state END,"
      "   started_at = least(ol_run.started_at, excluded.started_at),"
      "   ended_at = greatest(ol_run.ended_at, excluded.ended_at),"
      "   facets = CASE WHEN excluded.updated_at >= ol_run.updated_at"
      "            THEN ol_run.facets || excluded.facets ELSE excluded.facets || ol_run.facets END,"
      "   created_at = least(ol_run.created_at, excluded.created_at),"
      "   updated_at = greatest(ol_run.updated_at, excluded.updated_at)");

QUERY(ol_io_put,
      "INSERT INTO ol_io (tenant_id, job, dataset, output)"
      " SELECT DISTINCT current_tenant(), j.id, d.id, x.output"
      "   FROM jsonb_to_recordset($1::jsonb) AS x (job text, dataset text, output boolean)"
      "   JOIN lineage_node j ON j.tenant_id = current_tenant() AND j.name = x.job"
      "   JOIN lineage_node d ON d.tenant_id = current_tenant() AND d.name = x.dataset"
      "  ORDER BY 2, 3, 4 ON CONFLICT (tenant_id, job, dataset, output) DO NOTHING");
QUERY(ol_column_put,
      "INSERT INTO ol_column (tenant_id, id, dataset, field)"
      " SELECT DISTINCT ON (c.id) current_tenant(), c.id, d.id, x.field"
      "   FROM jsonb_to_recordset($1::jsonb) AS x (node text, dataset text, field text)"
      "   JOIN lineage_node c ON c.tenant_id = current_tenant() AND c.name = x.node"
      "   JOIN lineage_node d ON d.tenant_id = current_tenant() AND d.name = x.dataset"
      "  ORDER BY c.id ON CONFLICT (tenant_id, id) DO NOTHING");

static enum err put_list(struct db *db, const struct query *q, const json_t *rows, const char *at)
{
    size_t count = json_is_object(rows) ? json_object_size(rows) : json_array_size(rows);

    if (count == 0)
        return OK;
    return at == NULL ? db_defer_any(db, q, PARAMS(P_JSON(rows)))
                      : db_defer_any(db, q, PARAMS(P_JSON(rows), P_TEXT(at)));
}

enum err ol_put(struct db *db, const struct ol_facts *f, const char *request_id)
{
    const struct ol_event *e = f->event;

    TRY(db_defer_any(db, &ol_event_put,
                     PARAMS(P_BYTES(e->digest.bytes, SHA256_SIZE), P_TEXT(e->kind), P_TEXT(e->type),
                            P_TEXT(e->at), P_TEXT(f->project), P_TEXT(e->job.namespace),
                            P_TEXT(e->job.name), P_TEXT(e->run_id), P_JSON(e->json),
                            P_TEXT(request_id))));
    TRY(put_list(db, &ol_node_put, f->nodes, NULL));
    TRY(put_list(db, &ol_job_put, f->jobs, e->at));
    TRY(put_list(db, &ol_dataset_put, f->datasets, e->at));
    TRY(put_list(db, &ol_run_put, f->runs, e->at));
    TRY(put_list(db, &ol_io_put, f->io, NULL));
    TRY(put_list(db, &ol_column_put, f->columns, NULL));
    if (json_array_size(f->edges) == 0)
        return OK;
    return db_defer_any(db, &ol_edge_put,
                        PARAMS(P_JSON(f->edges), P_TEXT(e->at), P_TEXT(request_id)));
}
