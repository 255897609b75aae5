/* SPDX-License-Identifier: Apache-2.0 */
#include "lineage/graph/walk.h"

#include "lineage/graph/impact.h"
#include "lineage/graph/provenance.h"
#include "lineage/routes.h"
#include "tests/unit/lineage_db.h"
#include "tests/unit/test.h"

enum { NODES = 300, TEXT_MAX = 1 << 20 };

static struct db db;

/* Graphs of NODES nodes named n1 …; project p0 … p4; at is so many days after 2026-01-01. */
static bool make_graph(bool circles, unsigned seed)
{
    return sql("SET session_replication_role = replica; DELETE FROM lineage_edge;"
               " DELETE FROM lineage_node; RESET session_replication_role;"
               " ALTER TABLE lineage_node ALTER COLUMN id RESTART WITH 1000") &&
           sql("SELECT setseed(%.3f)", (double)seed / 1000) &&
           sql("INSERT INTO lineage_node (tenant_id, id, kind, name, project) OVERRIDING SYSTEM"
               " VALUE SELECT t, i, 'job', 'n' || i, 'p' || i %% 5"
               " FROM generate_series(1, %d) i, unnest('{%s,%s}'::uuid[]) t",
               NODES, tenant_a, tenant_b) &&
           sql("INSERT INTO lineage_edge (tenant_id, src, dst, kind, at)"
               " SELECT '%s', s, d, CASE WHEN random() < 0.2 THEN 'predict' ELSE 'consume' END,"
               "  timestamptz '2026-01-01Z' + make_interval(days => (100 * random())::int)"
               " FROM (SELECT 1 + (random() * %d)::int AS s, 1 + (random() * %d)::int AS d"
               "         FROM generate_series(1, %d)) x WHERE %s ON CONFLICT DO NOTHING",
               tenant_a, NODES - 1, NODES - 1, NODES * 4, circles ? "s <> d" : "s < d") &&
           sql("INSERT INTO lineage_edge (tenant_id, src, dst, kind) SELECT '%s', i, i + 1, "
               "'deploy'"
               " FROM generate_series(1, %d) i",
               tenant_b, NODES - 1);
}

static bool may(void *context, const char *project, const char *node)
{
    (void)node;
    return context == NULL || strcmp(context, project) != 0;
}

struct asked {
    struct walk_question q;
    struct walk w;
    struct text told; /* nodes and edges as the oracle tells them */
};

static int by_id(const void *a, const void *b)
{
    const struct walk_node *x = a, *y = b;

    return x->id < y->id ? -1 : x->id > y->id;
}

static int by_ends(const void *a, const void *b)
{
    const int64_t *x = a, *y = b;

    if (x[0] != y[0])
        return x[0] < y[0] ? -1 : 1;
    return x[1] < y[1] ? -1 : x[1] > y[1];
}

static void tell(struct asked *k)
{
    int64_t(*ends)[2] = calloc(k->w.edge_count + 1, sizeof(*ends));

    for (size_t i = 0; i < k->w.edge_count; i++) {
        ends[i][0] = k->w.nodes[k->w.edges[i].src].id;
        ends[i][1] = k->w.nodes[k->w.edges[i].dst].id;
    }
    qsort(ends, k->w.edge_count, sizeof(*ends), by_ends);
    qsort(k->w.nodes, k->w.node_count, sizeof(*k->w.nodes), by_id);
    k->told = text_new(TEXT_MAX);
    for (size_t i = 0; i < k->w.node_count; i++)
        text_printf(&k->told, "%lld@%lld%s ", (long long)k->w.nodes[i].id,
                    (long long)k->w.nodes[i].depth, k->w.nodes[i].name == NULL ? "?" : "");
    for (size_t i = 0; i < k->w.edge_count; i++)
        if (i == 0 || by_ends(ends[i - 1], ends[i]) != 0) /* not once for every kind */
            text_printf(&k->told, "%lld>%lld ", (long long)ends[i][0], (long long)ends[i][1]);
    free(ends);
}

static bool same_reason(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

/* A statement for each level finds the same; which nodes a budget left out is nobody's promise. */
static bool levels_agree(const struct asked *k)
{
    struct asked other = {.q = k->q};
    const char *cut = k->w.truncated;
    bool whole = cut == NULL || strcmp(cut, "depth") == 0 || strcmp(cut, "redacted") == 0, same;

    if (walk_run_by_levels(&db, &other.q, &other.w) != OK)
        return false;
    same = (k->w.stop == 0) == (other.w.stop == 0) && same_reason(cut, other.w.truncated);
    tell(&other);
    same = same && (!whole || strcmp(k->told.data, other.told.data) == 0);
    if (!same)
        (void)printf("%s, %s\n%.300s\n%.300s\n", cut, other.w.truncated, k->told.data,
                     other.told.data);
    text_free(&other.told);
    return same;
}

static enum err ask_body(void *arg)
{
    struct asked *k = arg;

    TRY(walk_run(&db, &k->q, &k->w));
    tell(k);
    return levels_agree(k) ? OK : ERR_INTERNAL;
}

static enum err ask(struct asked *k)
{
    return in_tx(&db, TX_READ, tenant_a, ask_body, k);
}

/* The same by a recursive statement: nodes with their least depth, edges out of all that are
 * followed. Both ways is the union, a node at its depth upstream if it is met there. */
static char *oracle(const struct walk_question *q, int start)
{
    static const char format[] =
        "WITH RECURSIVE e AS (SELECT src, dst FROM lineage_edge WHERE tenant_id = '%s'"
        "  AND at <= '%s' AND (%d = 0 OR kind <> 'predict')),"
        " up (id, depth) AS (SELECT %d::bigint, 0 UNION SELECT e.src, depth + 1 FROM up JOIN e ON "
        "e.dst = up.id"
        "   WHERE depth < %lld AND %d = 1 AND 'p' || up.id %% 5 <> '%s'),"
        " down (id, depth) AS (SELECT %d::bigint, 0 UNION SELECT e.dst, depth + 1 FROM down JOIN e "
        "ON e.src = down.id"
        "   WHERE depth < %lld AND %d = 1 AND 'p' || down.id %% 5 <> '%s'),"
        " up1 AS (SELECT id, min(depth) AS depth FROM up GROUP BY id),"
        " down1 AS (SELECT id, min(depth) AS depth FROM down GROUP BY id),"
        " n AS (SELECT id, coalesce(up1.depth, down1.depth) AS depth FROM up1 FULL JOIN down1 "
        "USING (id)),"
        " g AS (SELECT e.src, e.dst FROM up1 JOIN e ON e.dst = up1.id WHERE up1.depth < %lld AND "
        "%d = 1"
        "          AND 'p' || up1.id %% 5 <> '%s'"
        "       UNION SELECT e.src, e.dst FROM down1 JOIN e ON e.src = down1.id WHERE down1.depth "
        "< %lld"
        "          AND %d = 1 AND 'p' || down1.id %% 5 <> '%s')"
        " SELECT (SELECT string_agg(id || '@' || depth || CASE WHEN 'p' || id %% 5 = '%s' THEN '?' "
        "ELSE '' END"
        "  || ' ', '' ORDER BY id) FROM n) || coalesce((SELECT string_agg(src || '>' || dst || ' "
        "', ''"
        "  ORDER BY src, dst) FROM g), '')";
    const char *hidden = q->context == NULL ? "none" : q->context;
    int up = (q->ways & WALK_UP) != 0, down = (q->ways & WALK_DOWN) != 0;
    long long d = (long long)q->depth;
    char *text, *told;
    PGresult *r;

    if (asprintf(&text, format, tenant_a, q->as_of == NULL ? "infinity" : q->as_of,
                 (int)q->skip_predictions, start, d, up, hidden, start, d, down, hidden, d, up,
                 hidden, d, down, hidden, hidden) < 0)
        abort();
    r = PQexec(scratch.super, text);
    if (PQresultStatus(r) != PGRES_TUPLES_OK)
        (void)printf("%s", PQresultErrorMessage(r));
    told = PQresultStatus(r) == PGRES_TUPLES_OK ? strdup(PQgetvalue(r, 0, 0)) : strdup("");
    PQclear(r);
    free(text);
    return told;
}

static struct walk_question question(const char *node)
{
    return (struct walk_question){.node = node,
                                  .ways = WALK_UP | WALK_DOWN,
                                  .depth = 64,
                                  .nodes = 10000,
                                  .edges = 100000,
                                  .ms = 5000,
                                  .may = may};
}

static bool agrees(struct asked *k, int start)
{
    char *expected = oracle(&k->q, start);
    bool same = ask(k) == OK && strcmp(k->told.data, expected) == 0;

    if (!same)
        (void)printf("ways %u depth %lld from n%d\n%.300s\n%.300s\n", k->q.ways,
                     (long long)k->q.depth, start, k->told.data, expected);
    text_free(&k->told);
    free(expected);
    return same;
}

static void walks_agree_with_a_recursive_statement(bool circles)
{
    static const char *const days[] = {NULL, "2026-02-20T00:00:00Z"};

    for (unsigned round = 0; round < 40; round++) {
        struct asked k;
        int start = 1 + rand() % NODES;
        char name[16];

        if (round % 10 == 0)
            CHECK(make_graph(circles, round));
        (void)snprintf(name, sizeof(name), "n%d", start);
        k.q = question(name);
        k.q.ways = 1 + round % 3;
        /* The oracle counts a circle's nodes once for every depth. */
        k.q.depth = circles ? 1 + rand() % 9 : (round % 2 == 0 ? 64 : 1 + rand() % 6);
        k.q.as_of = days[round % 2];
        k.q.skip_predictions = round % 5 == 0;
        k.q.context = round % 4 == 3 && start % 5 != 2 ? (void *)(uintptr_t) "p2" : NULL;
        CHECK(agrees(&k, start));
    }
}

/* Projects p0 … p4 as rows, so that a caller's projects are known before the walk. */
static void projects_that_are_known_beforehand(void)
{
    CHECK(sql("SET session_replication_role = replica; INSERT INTO project (tenant_id, id, name,"
              " policy, created_by) SELECT '" TENANT_A "', gen_random_uuid(), 'p' || i, '{}',"
              " '" PERSON "' FROM generate_series(0, 4) i; RESET session_replication_role"));
    walks_agree_with_a_recursive_statement(false);
    walks_agree_with_a_recursive_statement(true);
    CHECK(sql("SET session_replication_role = replica; DELETE FROM project;"
              " RESET session_replication_role"));
}

static void ways_to_a_node(void)
{
    size_t found = 0;

    for (unsigned round = 0; round < 60; round++) {
        char from[16], to[16];
        struct asked k;

        if (round % 20 == 0)
            CHECK(make_graph(round % 40 == 0, round));
        (void)snprintf(from, sizeof(from), "n%d", 1 + rand() % NODES);
        (void)snprintf(to, sizeof(to), "n%d", 1 + rand() % NODES);
        k = (struct asked){.q = question(from)};
        k.q.ways = round % 2 == 0 ? WALK_UP : WALK_DOWN;
        k.q.stop = to;
        k.q.known_at = round % 5 == 0 ? "2020-01-01T00:00:00Z" : NULL;
        CHECK(ask(&k) == OK);
        found += k.w.stop != 0;
        text_free(&k.told);
    }
    CHECK(found > 5);
}

static void random_dags(void)
{
    walks_agree_with_a_recursive_statement(false);
}

static void random_graphs_with_circles(void)
{
    walks_agree_with_a_recursive_statement(true);
}

static void what_was_cut_is_said(void)
{
    struct asked k = {.q = question("n150")};

    CHECK(make_graph(true, 7));
    CHECK(ask(&k) == OK && k.w.truncated == NULL);
    CHECK(k.w.node_count > 50 && k.w.edge_count > 60);
    text_free(&k.told);
    k.q.depth = 2;
    CHECK(ask(&k) == OK && strcmp(k.w.truncated, "depth") == 0);
    text_free(&k.told);
    k.q.depth = 64;
    k.q.nodes = 40;
    CHECK(ask(&k) == OK && strcmp(k.w.truncated, "nodes") == 0 && k.w.node_count == 40);
    text_free(&k.told);
    k.q.nodes = 10000;
    k.q.edges = 50;
    CHECK(ask(&k) == OK && strcmp(k.w.truncated, "edges") == 0 && k.w.edge_count == 50);
    text_free(&k.told);
    k.q.edges = 100000;
    k.q.ms = -1;
    CHECK(ask(&k) == OK && strcmp(k.w.truncated, "time") == 0);
    text_free(&k.told);
    k.q.ms = 5000;
    k.q.context = (void *)(uintptr_t) "p2";
    CHECK(ask(&k) == OK && strcmp(k.w.truncated, "redacted") == 0);
    text_free(&k.told);
    /* A chain that ends exactly at the depth asked for is complete. */
    k.q = question("n298");
    k.q.ways = WALK_DOWN;
    k.q.depth = 2;
    CHECK(in_tx(&db, TX_READ, tenant_b, ask_body, &k) == OK && k.w.truncated == NULL &&
          k.w.node_count == 3);
    text_free(&k.told);
}

static void unknown_hidden_and_foreign_nodes_are_not_there(void)
{
    struct asked k = {.q = question("nowhere")};

    CHECK(ask(&k) == ERR_NOT_FOUND);
    k.q = question("n1");
    k.q.context = (void *)(uintptr_t) "p1";
    CHECK(ask(&k) == ERR_NOT_FOUND);
    k.q = question("n1");
    CHECK(in_tx(&db, TX_READ, "00000000-0000-7000-8000-00000000000c", ask_body, &k) ==
          ERR_NOT_FOUND);
}

static enum err chain(void *arg)
{
    static const uint8_t digest[SHA256_SIZE] = {7};
    const char *project = arg;

    for (int again = 0; again < 2; again++) {
        TRY(provenance_node(&db, "dataset-version", "x/d", "p1", digest));
        TRY(provenance_node(&db, "job", "x/j", project, NULL));
        TRY(provenance_node(&db, "model-version", "x/m \"q\"", "p1", digest));
        TRY(provenance_edge(&db, "x/d", "x/j", "consume", NULL));
        TRY(provenance_edge(&db, "x/j", "x/m \"q\"", "produce", person));
    }
    return OK;
}

static enum err lost_end(void *arg)
{
    (void)arg;
    TRY(provenance_node(&db, "job", "y/j", "p1", NULL));
    return provenance_edge(&db, "y/j", "y/none", "produce", NULL);
}

static void facts_are_written_once_in_one_pipeline(void)
{
    CHECK(in_tx(&db, TX_WRITE, tenant_a, chain, (void *)(uintptr_t) "p2") == OK);
    CHECK(in_tx(&db, TX_WRITE, tenant_a, chain, (void *)(uintptr_t) "p3") == OK);
    CHECK(number("SELECT count(*) FROM lineage_node WHERE name LIKE 'x/%'") == 3);
    CHECK(number("SELECT count(*) FROM lineage_node WHERE name = 'x/j' AND project = 'p2'") == 1);
    CHECK(number("SELECT count(*) FROM lineage_edge e JOIN lineage_node n ON n.id = e.src"
                 " AND n.tenant_id = e.tenant_id WHERE n.name LIKE 'x/%'") == 2);
    CHECK(in_tx(&db, TX_WRITE, tenant_a, lost_end, NULL) != OK);
    CHECK(number("SELECT count(*) FROM lineage_node WHERE name LIKE 'y/%'") == 0);
}

struct call {
    enum err (*handler)(struct request *rq);
    struct pair query[4];
    size_t query_count;
    char answer[65536];
};

static enum err call_body(void *arg)
{
    struct call *c = arg;
    struct request rq = {.arena = db.arena, .db = &db, .query_count = c->query_count};

    memcpy(rq.query, c->query, sizeof(c->query));
    TRY(c->handler(&rq));
    (void)snprintf(c->answer, sizeof(c->answer), "%.*s", (int)rq.reply.length, rq.reply.bytes);
    return OK;
}

static bool sees_not_p2(struct request *rq, const char *project, const char *node)
{
    (void)node;
    (void)rq;
    return strcmp(project, "p2") != 0;
}

static void the_route_redacts_and_says_so(void)
{
    struct call c = {.handler = get_lineage,
                     .query = {{"node", "x/m \"q\""}, {"direction", "upstream"}},
                     .query_count = 2};
    json_t *json, *nodes;

    CHECK(in_tx(&db, TX_READ, tenant_a, call_body, &c) == ERR_NOT_FOUND); /* no hook: nobody */
    lineage_visibility = sees_not_p2;
    CHECK(in_tx(&db, TX_READ, tenant_a, call_body, &c) == OK);
    json = json_loads(c.answer, JSON_REJECT_DUPLICATES, NULL);
    nodes = json_object_get(json, "nodes");
    CHECK(json_array_size(nodes) == 2 && json_array_size(json_object_get(json, "edges")) == 1);
    CHECK(json_is_true(json_object_get(json_array_get(nodes, 1), "redacted")));
    CHECK(json_object_get(json_array_get(nodes, 1), "name") == NULL);
    CHECK(json_is_false(json_object_get(json, "complete")));
    CHECK(strstr(c.answer, "x/j") == NULL && strstr(c.answer, "x/d") == NULL);
    json_decref(json);
    c.query[1].value = "sideways";
    CHECK(in_tx(&db, TX_READ, tenant_a, call_body, &c) == ERR_INVALID);
}

/* A dataset, a job, a model, an approval and two deployments to one endpoint, as rows. */
static bool make_deployments(void)
{
    return sql(
        "SET session_replication_role = replica;"
        "INSERT INTO principal (tenant_id, id, kind, name) VALUES ('" TENANT_A "', '" PERSON
        "', 'user', 'carol');"
        "INSERT INTO project (tenant_id, id, name, policy, created_by) VALUES ('" TENANT_A
        "', '" PERSON "', 'p1', '{}', '" PERSON "');"
        "INSERT INTO asset (tenant_id, id, project_id, kind, name, path, created_by) VALUES "
        "('" TENANT_A "', '" PERSON "', '" PERSON "', 'model', 'risk', 'p/models/risk', '" PERSON
        "');"
        "INSERT INTO version (tenant_id, id, asset_id, number, created_by) VALUES ('" TENANT_A
        "', '" PERSON "', '" PERSON "', 3, '" PERSON "');"
        "INSERT INTO endpoint (tenant_id, id, project_id, name, created_by) VALUES ('" TENANT_A
        "', '" PERSON "', '" PERSON "', 'e', '" PERSON "');"
        "INSERT INTO approval (tenant_id, id, project_id, action, subject, version_id, alias, "
        "subject_digest, evidence, evidence_digest, required, requested_by, expires_at)"
        " VALUES ('" TENANT_A "', '" PERSON "', '" PERSON
        "', 'promote', 'models/risk/versions/3', '" PERSON
        "', 'production', sha256(''), '{}', sha256(''), 1, '" PERSON "', now());"
        "INSERT INTO approval_decision (tenant_id, approval_id, decided_by, requested_by, verdict, "
        "reason, evidence_digest)"
        " VALUES ('" TENANT_A "', '" PERSON "', '" PERSON "', '" TENANT_A
        "', 'approve', 'r', sha256(''));"
        "INSERT INTO deployment (tenant_id, id, endpoint_id, version_id, approval_id, digest, "
        "deployed_by, ended_at)"
        " VALUES ('" TENANT_A "', '00000000-0000-7000-8000-0000000000d1', '" PERSON "', '" PERSON
        "', '" PERSON "', sha256(''), '" PERSON "', now()),"
        "        ('" TENANT_A "', '00000000-0000-7000-8000-0000000000d2', '" PERSON "', '" PERSON
        "', '" PERSON "', sha256(''), '" PERSON "', NULL);"
        "RESET session_replication_role");
}

static enum err deploy(void *arg)
{
    static const char *const deployments[] = {
        "projects/p1/endpoints/e/deployments/00000000-0000-7000-8000-0000000000d1",
        "projects/p1/endpoints/e/deployments/00000000-0000-7000-8000-0000000000d2"};

    (void)arg;
    for (size_t i = 0; i < 2; i++) {
        TRY(provenance_node(&db, "deployment", deployments[i], "p1", NULL));
        TRY(provenance_edge(&db, "x/m \"q\"", deployments[i], "deploy", NULL));
    }
    for (int i = 0; i < 30; i++) {
        const char *name = arena_printf(db.arena, "projects/p1/predictions/%d", i);

        TRY(provenance_node(&db, "prediction", name, "p1", NULL));
        TRY(provenance_edge(&db, deployments[0], name, "predict", NULL));
    }
    return OK;
}

static bool sees_all(struct request *rq, const char *project, const char *node)
{
    (void)node;
    return rq != NULL && project != NULL;
}

static void impact_names_endpoints_times_and_approvers(void)
{
    struct call c = {.handler = get_lineage_impact, .query = {{"node", "x/d"}}, .query_count = 1};
    json_t *json, *first, *list;

    CHECK(make_deployments());
    CHECK(in_tx(&db, TX_WRITE, tenant_a, deploy, NULL) == OK);
    lineage_visibility = sees_all;
    CHECK(in_tx(&db, TX_READ, tenant_a, call_body, &c) == OK);
    json = json_loads(c.answer, JSON_REJECT_DUPLICATES, NULL);
    list = json_object_get(json, "endpoints");
    CHECK(json_array_size(list) == 2 && json_is_true(json_object_get(json, "complete")));
    for (size_t i = 0; i < 2; i++) {
        first = json_array_get(list, i);
        CHECK(strcmp(json_string_value(json_object_get(first, "version")),
                     "models/risk/versions/3") == 0);
        CHECK(json_is_true(json_object_get(first, "serving")) ==
              json_is_null(json_object_get(first, "until")));
    }
    CHECK(strstr(c.answer, "\"decided_by\":[\"carol\"]") != NULL);
    CHECK(strstr(c.answer, "projects/p1/endpoints/e\"") != NULL);
    json_decref(json);
}

int main(void)
{
    if (!scratch_start())
        return EXIT_FAILURE;
    db = (struct db){.conninfo = scratch.app};
    srand(20261121);
    RUN(projects_that_are_known_beforehand);
    RUN(ways_to_a_node);
    RUN(random_dags);
    RUN(random_graphs_with_circles);
    RUN(what_was_cut_is_said);
    RUN(unknown_hidden_and_foreign_nodes_are_not_there);
    RUN(facts_are_written_once_in_one_pipeline);
    RUN(the_route_redacts_and_says_so);
    RUN(impact_names_endpoints_times_and_approvers);
    db_close(&db);
    scratch_stop();
    return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
