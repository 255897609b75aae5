/* SPDX-License-Identifier: Apache-2.0 */
/* The read routes of Marquez (0.51) for its clients and its pages: what other systems told, of
 * projects the caller may read. The database makes the JSON. */
#include "lineage/graph/answer.h"
#include "lineage/routes.h"

#include <string.h>

enum { PAGE = 100, PAGE_MAX = 1000, OFFSET_MAX = 10000000, STEPS = 20, STEPS_MAX = 64 };

QUERY(marquez_projects, "SELECT '' UNION ALL SELECT name FROM project"
                        " WHERE tenant_id = current_tenant() AND state = 'active'");

struct seen {
    const char **items;
    size_t count;
};
#define P_SEEN(s) P_TEXTS((s).items, (s).count)

static enum err projects_seen(struct request *rq, struct seen *out)
{
    PGresult *rows;

    TRY(db_rows(rq->db, &marquez_projects, &rows, NO_PARAMS));
    *out = (struct seen){
        .items = arena_alloc(rq->arena, ((size_t)PQntuples(rows) + 1) * sizeof(const char *))};
    for (int i = 0; i < PQntuples(rows); i++)
        if (question_may(rq, PQgetvalue(rows, i, 0), ""))
            out->items[out->count++] = PQgetvalue(rows, i, 0);
    return OK;
}

/* Those of which everything may be seen. */
static void projects_whole(struct request *rq, const struct seen *seen, struct seen *out)
{
    *out = (struct seen){.items = arena_alloc(rq->arena, (seen->count + 1) * sizeof(const char *))};
    for (size_t i = 0; i < seen->count; i++)
        if (question_may(rq, seen->items[i], NULL))
            out->items[out->count++] = seen->items[i];
}

struct page {
    int64_t limit;
    int64_t offset;
};

static enum err page_of(struct request *rq, struct page *out)
{
    TRY(request_query_int(rq, "limit", 0, PAGE_MAX, PAGE, &out->limit));
    return request_query_int(rq, "offset", 0, OFFSET_MAX, 0, &out->offset);
}

/* The one text that a statement gives. */
static enum err answer(struct request *rq, const PGresult *rows)
{
    if (PQntuples(rows) != 1 || PQgetisnull(rows, 0, 0))
        return ERR_NOT_FOUND;
    return request_reply_bytes(rq, "application/json", PQgetvalue(rows, 0, 0),
                               (size_t)PQgetlength(rows, 0, 0));
}

/* clang-format off */
#define NAMESPACES                                                                                 \
    "(SELECT namespace AS name, min(created_at) AS created, max(updated_at) AS updated FROM"       \
    "  (SELECT namespace, created_at, updated_at FROM ol_job WHERE tenant_id = current_tenant()"   \
    "      AND project = ANY ($1::text[])"                                                         \
    "   UNION ALL SELECT namespace, created_at, updated_at FROM ol_dataset"                        \
    "    WHERE tenant_id = current_tenant() AND project = ANY ($1::text[])) x GROUP BY namespace) n"
#define NAMESPACE_JSON                                                                             \
    "json_build_object('name', n.name, 'createdAt', utc_text(n.created), 'updatedAt',"             \
    " utc_text(n.updated), 'ownerName', '', 'description', '', 'isHidden', false)"
/* clang-format on */
QUERY(marquez_namespaces, "SELECT json_build_object('namespaces', coalesce(json_agg(" NAMESPACE_JSON
                          " ORDER BY n.name), '[]'))::text FROM (SELECT * FROM " NAMESPACES
                          " ORDER BY n.name LIMIT $2::bigint OFFSET $3::bigint) n");
QUERY(marquez_namespace, "SELECT " NAMESPACE_JSON "::text FROM " NAMESPACES " WHERE n.name = $2");

/* GET /api/v1/namespaces */
enum err get_marquez_namespaces(struct request *rq)
{
    struct page page;
    struct seen seen;
    PGresult *rows;

    TRY(page_of(rq, &page));
    TRY(projects_seen(rq, &seen));
    TRY(db_rows(rq->db, &marquez_namespaces, &rows,
                PARAMS(P_SEEN(seen), P_INT(page.limit), P_INT(page.offset))));
    return answer(rq, rows);
}

/* GET /api/v1/namespaces/{namespace} */
enum err get_marquez_namespace(struct request *rq)
{
    struct seen seen;
    PGresult *rows;

    TRY(projects_seen(rq, &seen));
    TRY(db_rows(rq->db, &marquez_namespace, &rows, PARAMS(P_SEEN(seen), P_TEXT(rq->args[0]))));
    return answer(rq, rows);
}

/* clang-format off */
#define LIST(table, what, json)                                                                    \
    "SELECT json_build_object('" what "', coalesce((SELECT json_agg(" json " ORDER BY x.name, x.id)" \
    "  FROM (SELECT * FROM " table " WHERE tenant_id = current_tenant()"                           \
    "           AND project = ANY ($1::text[]) AND ($2::text IS NULL OR namespace = $2)"           \
    "         ORDER BY name, id LIMIT $3::bigint OFFSET $4::bigint) x), '[]'), 'totalCount',"      \
    " (SELECT count(*) FROM " table " WHERE tenant_id = current_tenant()"                          \
    "     AND project = ANY ($1::text[]) AND ($2::text IS NULL OR namespace = $2)))::text"
#define ONE(table, json)                                                                           \
    "SELECT " json "::text FROM " table " x WHERE x.tenant_id = current_tenant()"                  \
    "   AND x.project = ANY ($1::text[]) AND x.namespace = $2 AND x.name = $3"
/* clang-format on */
QUERY(marquez_jobs, LIST("ol_job", "jobs", "ol_job_json(x, $1::text[])"));
QUERY(marquez_datasets, LIST("ol_dataset", "datasets", "ol_dataset_json(x)"));
QUERY(marquez_job, ONE("ol_job", "ol_job_json(x, $1::text[])"));
QUERY(marquez_dataset, ONE("ol_dataset", "ol_dataset_json(x)"));

static enum err list(struct request *rq, const struct query *q, const char *namespace)
{
    struct page page;
    struct seen seen;
    PGresult *rows;

    TRY(page_of(rq, &page));
    TRY(projects_seen(rq, &seen));
    TRY(db_rows(rq->db, q, &rows,
                PARAMS(P_SEEN(seen), P_TEXT(namespace), P_INT(page.limit), P_INT(page.offset))));
    return answer(rq, rows);
}

static enum err one(struct request *rq, const struct query *q)
{
    struct seen seen;
    PGresult *rows;

    TRY(projects_seen(rq, &seen));
    TRY(db_rows(rq->db, q, &rows, PARAMS(P_SEEN(seen), P_TEXT(rq->args[0]), P_TEXT(rq->args[1]))));
    return answer(rq, rows);
}

/* GET /api/v1/jobs */
enum err get_marquez_all_jobs(struct request *rq)
{
    return list(rq, &marquez_jobs, NULL);
}

/* GET /api/v1/namespaces/{namespace}/jobs */
enum err get_marquez_jobs(struct request *rq)
{
    return list(rq, &marquez_jobs, rq->args[0]);
}

/* GET /api/v1/namespaces/{namespace}/datasets */
enum err get_marquez_datasets(struct request *rq)
{
    return list(rq, &marquez_datasets, rq->args[0]);
}

/* GET /api/v1/namespaces/{namespace}/jobs/{job} */
enum err get_marquez_job(struct request *rq)
{
    return one(rq, &marquez_job);
}

/* GET /api/v1/namespaces/{namespace}/datasets/{dataset} */
enum err get_marquez_dataset(struct request *rq)
{
    return one(rq, &marquez_dataset);
}

QUERY(marquez_runs,
      "SELECT json_build_object('runs', coalesce((SELECT json_agg(ol_run_json(r)) FROM"
      "  (SELECT * FROM ol_run r WHERE r.tenant_id = x.tenant_id AND r.job = x.id"
      "    ORDER BY r.created_at DESC, r.id DESC LIMIT $4::bigint OFFSET $5::bigint) r), '[]'),"
      "  'totalCount', (SELECT count(*) FROM ol_run r WHERE r.tenant_id = x.tenant_id"
      "                    AND r.job = x.id))::text"
      "  FROM ol_job x WHERE x.tenant_id = current_tenant() AND x.project = ANY ($1::text[])"
      "   AND x.namespace = $2 AND x.name = $3");

/* GET /api/v1/namespaces/{namespace}/jobs/{job}/runs */
enum err get_marquez_runs(struct request *rq)
{
    struct page page;
    struct seen seen;
    PGresult *rows;

    TRY(page_of(rq, &page));
    TRY(projects_seen(rq, &seen));
    TRY(db_rows(rq->db, &marquez_runs, &rows,
                PARAMS(P_SEEN(seen), P_TEXT(rq->args[0]), P_TEXT(rq->args[1]), P_INT(page.limit),
                       P_INT(page.offset))));
    return answer(rq, rows);
}

/* "dataset:NAMESPACE:NAME", with or without "#VERSION", is a node of ours with "ol-" before it. */
static enum err read_node_id(struct request *rq, const char **node, int64_t *depth)
{
    const char *id = request_query(rq, "nodeId");

    if (id == NULL || strchr(id, ':') == NULL) {
        rq->target = "nodeId";
        return fail(rq, ERR_INVALID, "nodeId must be dataset:NAMESPACE:NAME or job:NAMESPACE:NAME");
    }
    *node = arena_printf(rq->arena, "ol-%.*s", (int)strcspn(id, "#"), id);
    return request_query_int(rq, "depth", 0, STEPS_MAX, STEPS, depth);
}

QUERY(marquez_lineage,
      "SELECT ol_lineage_json(n.id, $3::int, $1::text[])::text FROM lineage_node n"
      " WHERE n.tenant_id = current_tenant() AND n.name = $2 AND n.project = ANY ($1::text[])"
      "   AND n.kind IN ('ol-job', 'ol-dataset')");

/* GET /api/v1/lineage?nodeId=&depth= */
enum err get_marquez_lineage(struct request *rq)
{
    const char *node = "";
    struct seen seen;
    PGresult *rows;
    int64_t depth;

    TRY(read_node_id(rq, &node, &depth));
    TRY(projects_seen(rq, &seen));
    TRY(db_rows(rq->db, &marquez_lineage, &rows, PARAMS(P_SEEN(seen), P_TEXT(node), P_INT(depth))));
    return answer(rq, rows);
}

QUERY(
    marquez_columns,
    "SELECT ol_column_lineage_json(s.ids, $3::int, $4::boolean, $1::text[], $5::text[])::text FROM"
    "  (SELECT array_agg(c.id) AS ids FROM lineage_node n"
    "     JOIN ol_column c ON c.tenant_id = n.tenant_id AND n.id IN (c.id, c.dataset)"
    "    WHERE n.tenant_id = current_tenant() AND n.name = $2 AND n.project = ANY ($1::text[])"
    "      AND (n.kind LIKE 'ol-%' OR n.project = ANY ($5::text[]))) s"
    " WHERE s.ids IS NOT NULL");

/* A version of ours is the dataset of its node's name in the namespace chancery. */
static const char own_dataset[] = "ol-dataset:chancery:";

/* GET /api/v1/column-lineage?nodeId=&depth=&withDownstream= */
enum err get_marquez_column_lineage(struct request *rq)
{
    const char *down = request_query(rq, "withDownstream"), *node = "";
    struct seen seen, whole;
    PGresult *rows;
    int64_t depth;

    TRY(read_node_id(rq, &node, &depth));
    if (strncmp(node, "ol-datasetField:", 16) == 0)
        node = arena_printf(rq->arena, "ol-column:%s", node + 16);
    if (strncmp(node, own_dataset, sizeof(own_dataset) - 1) == 0)
        node += sizeof(own_dataset) - 1;
    TRY(projects_seen(rq, &seen));
    projects_whole(rq, &seen, &whole);
    TRY(db_rows(rq->db, &marquez_columns, &rows,
                PARAMS(P_SEEN(seen), P_TEXT(node), P_INT(depth),
                       P_BOOL(down != NULL && strcmp(down, "true") == 0), P_SEEN(whole))));
    return answer(rq, rows);
}

/* clang-format off */
#define EVENTS(order)                                                                              \
    "SELECT json_build_object('events', coalesce((SELECT json_agg(x.raw ORDER BY x.at " order      \
    ", x.seq " order ") FROM (SELECT raw, at, seq FROM ol_event WHERE tenant_id = current_tenant()" \
    "   AND project = ANY ($1::text[]) AND ($2::timestamptz IS NULL OR at < $2)"                   \
    "   AND ($3::timestamptz IS NULL OR at >= $3) ORDER BY at " order ", seq " order               \
    "   LIMIT $4::bigint OFFSET $5::bigint) x), '[]'), 'totalCount', (SELECT count(*) FROM ol_event" \
    "   WHERE tenant_id = current_tenant() AND project = ANY ($1::text[])"                         \
    "     AND ($2::timestamptz IS NULL OR at < $2)"                                                \
    "     AND ($3::timestamptz IS NULL OR at >= $3)))::text"
/* clang-format on */
QUERY(marquez_events_down, EVENTS("DESC"));
QUERY(marquez_events_up, EVENTS("ASC"));

/* GET /api/v1/events/lineage?before=&after=&limit=&offset=&sortDirection= */
enum err get_marquez_events(struct request *rq)
{
    const char *order = request_query(rq, "sortDirection"), *before, *after;
    struct page page;
    struct seen seen;
    PGresult *rows;

    TRY(page_of(rq, &page));
    TRY(question_time(rq, "before", &before));
    TRY(question_time(rq, "after", &after));
    TRY(projects_seen(rq, &seen));
    TRY(db_rows(rq->db,
                order != NULL && strcasecmp(order, "asc") == 0 ? &marquez_events_up
                                                               : &marquez_events_down,
                &rows,
                PARAMS(P_SEEN(seen), P_TEXT(before), P_TEXT(after), P_INT(page.limit),
                       P_INT(page.offset))));
    return answer(rq, rows);
}

QUERY(marquez_search,
      "WITH found AS (SELECT 'JOB' AS type, name, namespace, updated_at, 'job:' AS of FROM ol_job"
      "   WHERE tenant_id = current_tenant() AND project = ANY ($1::text[])"
      "     AND position(lower($2) IN lower(name)) > 0 AND coalesce($3, 'JOB') = 'JOB'"
      "  UNION ALL SELECT 'DATASET', name, namespace, updated_at, 'dataset:' FROM ol_dataset"
      "   WHERE tenant_id = current_tenant() AND project = ANY ($1::text[])"
      "     AND position(lower($2) IN lower(name)) > 0 AND coalesce($3, 'DATASET') = 'DATASET')"
      " SELECT json_build_object('totalCount', (SELECT count(*) FROM found), 'results',"
      "  coalesce((SELECT json_agg(json_build_object('type', x.type, 'name', x.name, 'namespace',"
      "     x.namespace, 'updatedAt', utc_text(x.updated_at), 'nodeId',"
      "     x.of || x.namespace || ':' || x.name) ORDER BY x.name, x.namespace, x.type)"
      "    FROM (SELECT * FROM found ORDER BY name, namespace, type LIMIT $4::bigint) x),"
      "  '[]'))::text");

/* GET /api/v1/search?q=&filter=&limit= */
enum err get_marquez_search(struct request *rq)
{
    const char *q = request_query(rq, "q"), *filter = request_query(rq, "filter");
    struct page page;
    struct seen seen;
    PGresult *rows;

    if (q == NULL || *q == '\0') {
        rq->target = "q";
        return fail(rq, ERR_INVALID, "q is missing: a part of a name");
    }
    TRY(page_of(rq, &page));
    TRY(projects_seen(rq, &seen));
    TRY(db_rows(rq->db, &marquez_search, &rows,
                PARAMS(P_SEEN(seen), P_TEXT(q), P_TEXT(filter), P_INT(page.limit))));
    return answer(rq, rows);
}
