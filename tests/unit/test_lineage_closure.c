/* SPDX-License-Identifier: Apache-2.0 */
/* The closure of deployments is what a walk would find, in whatever order the facts come. */
#include "lineage/graph/impact.h"

#include "lineage/graph/path.h"
#include "tests/unit/lineage_db.h"
#include "tests/unit/test.h"

enum { NODES = 80, EDGES = 160, ROUNDS = 6 };

static struct db db;

static bool make_nodes(void)
{
    return sql("SET session_replication_role = replica; DELETE FROM lineage_edge;"
               " DELETE FROM endpoint_ancestor; DELETE FROM lineage_node;"
               " RESET session_replication_role;"
               " ALTER TABLE lineage_node ALTER COLUMN id RESTART WITH 1") &&
           sql("INSERT INTO lineage_node (tenant_id, kind, name, project) SELECT '%s',"
               " CASE WHEN i %% 10 = 0 THEN 'deployment' ELSE 'job' END, 'n' || i, 'p'"
               " FROM generate_series(1, %d) i",
               tenant_a, NODES);
}

/* Circles too; each edge by a statement of its own or many at once. */
static bool make_edges(bool at_once)
{
    if (at_once)
        return sql(
            "INSERT INTO lineage_edge (tenant_id, src, dst, kind) SELECT '%s', s, d, 'produce'"
            " FROM (SELECT 1 + (random() * %d)::int AS s, 1 + (random() * %d)::int AS d"
            "         FROM generate_series(1, %d)) x WHERE s <> d ON CONFLICT DO NOTHING",
            tenant_a, NODES - 1, NODES - 1, EDGES);
    for (int i = 0; i < EDGES; i++) {
        int src = 1 + rand() % NODES, dst = 1 + rand() % NODES;

        if (src != dst && !sql("INSERT INTO lineage_edge (tenant_id, src, dst, kind) VALUES ('%s',"
                               " %d, %d, '%s') ON CONFLICT DO NOTHING",
                               tenant_a, src, dst, i % 7 == 0 ? "predict" : "consume"))
            return false;
    }
    return true;
}

static const char difference[] =
    "WITH RECURSIVE up (id, deployment) AS ("
    "  SELECT id, id FROM lineage_node WHERE kind = 'deployment'"
    "  UNION SELECT e.src, up.deployment FROM up JOIN lineage_edge e ON e.dst = up.id"
    "   WHERE e.kind <> 'predict')"
    " SELECT count(*) FROM up FULL JOIN (SELECT ancestor, deployment AS d FROM endpoint_ancestor) a"
    "  ON a.ancestor = up.id AND a.d = up.deployment WHERE up.id IS NULL OR a.ancestor IS NULL";

static void the_closure_is_what_a_walk_finds(void)
{
    for (unsigned round = 0; round < ROUNDS; round++) {
        CHECK(make_nodes() && make_edges(round % 2 == 1));
        CHECK(number("SELECT count(*) FROM endpoint_ancestor") > NODES / 10);
        CHECK(number(difference) == 0);
    }
}

/* Two transactions that each write half of a way, and do not see each other's half. */
static void halves_of_a_way_written_at_once_are_joined(void)
{
    PGconn *other = PQconnectdb(scratch.app);
    char text[512];

    CHECK(make_nodes());
    CHECK(sql("BEGIN; INSERT INTO lineage_edge (tenant_id, src, dst, kind) VALUES ('%s', 1, 2, "
              "'consume')",
              tenant_a));
    (void)snprintf(text, sizeof(text),
                   "BEGIN; SELECT set_config('app.tenant', '%s', true);"
                   " INSERT INTO lineage_edge (tenant_id, src, dst, kind) VALUES ('%s', 2, 10, "
                   "'produce'); COMMIT",
                   tenant_a, tenant_a);
    CHECK(PQsendQuery(other, text) == 1);
    CHECK(sql("SELECT pg_sleep(0.3)") && sql("COMMIT"));
    for (PGresult *r = PQgetResult(other); r != NULL; r = PQgetResult(other)) {
        CHECK(PQresultStatus(r) != PGRES_FATAL_ERROR);
        PQclear(r);
    }
    PQfinish(other);
    CHECK(number(difference) == 0);
    CHECK(number("SELECT count(*) FROM endpoint_ancestor WHERE deployment = 10") == 3);
}

static bool all(void *context, const char *project, const char *node)
{
    (void)node;
    return context == NULL && project != NULL;
}

static bool all_but_q(void *context, const char *project, const char *node)
{
    (void)node;
    return context == NULL && strcmp(project, "q") != 0;
}

struct way {
    struct walk_question q;
    struct path p;
    struct text told;
};

static enum err find_body(void *arg)
{
    struct way *w = arg;
    const struct walk *g = &w->p.walk;

    TRY(path_find(&db, &w->q, &w->p));
    w->told = text_new(4096);
    for (size_t i = 0; i < w->p.count; i++)
        text_printf(&w->told, "%s>%s ", g->nodes[g->edges[w->p.edges[i]].src].name,
                    g->nodes[g->edges[w->p.edges[i]].dst].name);
    return OK;
}

static struct way way(const char *from, const char *to)
{
    return (struct way){.q = {.node = from,
                              .stop = to,
                              .ways = WALK_UP | WALK_DOWN,
                              .depth = 64,
                              .nodes = 1000,
                              .edges = 10000,
                              .ms = 5000,
                              .may = all}};
}

static bool leads(struct way *w, const char *expected)
{
    bool same =
        in_tx(&db, TX_READ, tenant_a, find_body, w) == OK && w->p.found == (expected != NULL) &&
        strcmp(w->told.data == NULL ? "" : w->told.data, expected == NULL ? "" : expected) == 0;

    text_free(&w->told);
    return same;
}

static void a_path_is_the_shortest_and_says_its_direction(void)
{
    struct way w;

    CHECK(make_nodes());
    CHECK(
        sql("INSERT INTO lineage_edge (tenant_id, src, dst, kind, recorded_at) SELECT '%s', s, d,"
            " 'consume', r::timestamptz FROM (VALUES (1, 2, '2026-01-01Z'), (2, 3, '2026-01-01Z'),"
            " (3, 4, '2026-01-01Z'), (1, 4, '2026-06-01Z'), (4, 5, '2026-01-01Z')) x (s, d, r)",
            tenant_a));
    w = way("n1", "n5");
    CHECK(leads(&w, "n1>n4 n4>n5 ") && w.p.way == WALK_DOWN && w.p.truncated == NULL);
    w.q.known_at = "2026-02-01T00:00:00Z";
    CHECK(leads(&w, "n1>n2 n2>n3 n3>n4 n4>n5 "));
    w = way("n5", "n2");
    CHECK(leads(&w, "n4>n5 n3>n4 n2>n3 ") && w.p.way == WALK_UP);
    w = way("n5", "n9");
    CHECK(leads(&w, NULL) && w.p.truncated == NULL);
    w = way("n5", "n5");
    CHECK(leads(&w, ""));
    w = way("n5", "absent");
    CHECK(in_tx(&db, TX_READ, tenant_a, find_body, &w) == ERR_NOT_FOUND);
}

struct asked {
    struct walk_question q;
    struct impact found;
    size_t count;
};

static enum err impact_body(void *arg)
{
    struct asked *k = arg;

    TRY(impact_of(&db, &k->q, &k->found));
    k->count = k->found.rows.count;
    return OK;
}

static size_t impact(const char *node, bool (*may)(void *, const char *, const char *),
                     const char *known_at)
{
    struct asked k = {.q = way(node, NULL).q};

    k.q.may = may;
    k.q.known_at = known_at;
    k.q.ways = WALK_DOWN;
    return in_tx(&db, TX_READ, tenant_a, impact_body, &k) == OK ? k.count : SIZE_MAX;
}

static bool make_deployment(void)
{
    return sql(
        "SET session_replication_role = replica;"
        "INSERT INTO project (tenant_id, id, name, policy, created_by) VALUES ('" TENANT_A
        "', '" PERSON "', 'p', '{}', '" PERSON "'), ('" TENANT_A "', '%s', 'q', '{}', '" PERSON
        "');"
        "INSERT INTO asset (tenant_id, id, project_id, kind, name, path, created_by) VALUES "
        "('" TENANT_A "', '" PERSON "', '" PERSON "', 'model', 'risk', 'p/models/risk', '" PERSON
        "');"
        "INSERT INTO version (tenant_id, id, asset_id, number, created_by) VALUES ('" TENANT_A
        "', '" PERSON "', '" PERSON "', 3, '" PERSON "');"
        "INSERT INTO endpoint (tenant_id, id, project_id, name, created_by) VALUES"
        " ('" TENANT_A "', '" PERSON "', '" PERSON "', 'e', '" PERSON "');"
        "INSERT INTO deployment (tenant_id, id, endpoint_id, version_id, approval_id, digest,"
        " deployed_by) VALUES ('" TENANT_A "', '" PERSON "', '" PERSON "', '" PERSON "', '" PERSON
        "', sha256(''), '" PERSON "');"
        "RESET session_replication_role",
        tenant_b);
}

static void who_sees_all_looks_up_and_others_walk_to_what_they_may_see(void)
{
    CHECK(make_nodes() && make_deployment());
    CHECK(
        sql("INSERT INTO lineage_node (tenant_id, id, kind, name, project) OVERRIDING SYSTEM VALUE"
            " VALUES ('%s', 901, 'deployment', 'projects/p/endpoints/e/deployments/" PERSON
            "', 'p'), ('%s', 902, 'job', 'hidden', 'q')",
            tenant_a, tenant_a));
    CHECK(
        sql("INSERT INTO lineage_edge (tenant_id, src, dst, kind) VALUES ('%s', 1, 902, 'consume'),"
            " ('%s', 2, 901, 'deploy')",
            tenant_a, tenant_a));
    CHECK(impact("n1", all, NULL) == 0 && impact("n2", all, NULL) == 1);
    CHECK(sql("INSERT INTO lineage_edge (tenant_id, src, dst, kind) VALUES ('%s', 902, 901, "
              "'produce')",
              tenant_a));
    CHECK(impact("n1", all, NULL) == 1);
    CHECK(impact("n1", all, "2020-01-01T00:00:00Z") == 0);
    CHECK(impact("n1", all_but_q, NULL) == 0 && impact("n2", all_but_q, NULL) == 1);
    CHECK(impact("hidden", all_but_q, NULL) == SIZE_MAX && impact("hidden", all, NULL) == 1);
}

int main(void)
{
    if (!scratch_start())
        return EXIT_FAILURE;
    db = (struct db){.conninfo = scratch.app};
    srand(20261121);
    RUN(the_closure_is_what_a_walk_finds);
    RUN(halves_of_a_way_written_at_once_are_joined);
    RUN(a_path_is_the_shortest_and_says_its_direction);
    RUN(who_sees_all_looks_up_and_others_walk_to_what_they_may_see);
    db_close(&db);
    scratch_stop();
    return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
