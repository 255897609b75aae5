/* SPDX-License-Identifier: Apache-2.0 */
/* How fast a graph is walked, beside a recursive statement on the same data, and impact looked up;
 * in a database of the program's own. bench_lineage [EDGES] exits with failure when the processor
 * time of a walk or look-up exceeds its target. */
#include "lineage/graph/impact.h"
#include "lineage/graph/walk.h"
#include "tests/bench/harness.h"
#include "tests/unit/lineage_db.h"

enum { WALKS = 200, DEPTH_MOST = 8, LEAST_NODES = 500, MOST_NODES = 900 };
static const double walk_ceiling = 10, impact_ceiling = 5; /* milliseconds */

static struct db db;

static bool all(void *context, const char *project, const char *node)
{
    (void)node;
    return context == NULL && project != NULL;
}

struct asked {
    struct walk_question q;
    struct walk w;
};

static enum err ask(void *arg)
{
    struct asked *k = arg;

    return walk_run(&db, &k->q, &k->w);
}

static enum err find_impact(void *arg)
{
    struct asked *k = arg;
    struct impact found;

    return impact_of(&db, &k->q, &found);
}

/* Adds walks of the size that the target names, some 700 nodes, to of_size, if given. */
static void bench_depth(int nodes, int64_t depth, size_t node_limit, struct asking *of_size)
{
    struct asking times = {.conn = db.conn};
    size_t seen = 0;
    char what[128];

    for (int i = 0; i < WALKS; i++) {
        char name[64];
        struct asked k = {.q = {.node = name,
                                .ways = WALK_UP,
                                .depth = depth,
                                .nodes = node_limit,
                                .edges = 10 * node_limit,
                                .ms = 60000,
                                .may = all}};

        (void)snprintf(name, sizeof(name), "projects/p/jobs/%d", 1 + rand() % nodes);
        asking_begin(&times);
        if (in_tx(&db, TX_READ, tenant_a, ask, &k) != OK)
            abort();
        asking_end(&times);
        seen += k.w.node_count;
        if (of_size != NULL && k.w.node_count >= LEAST_NODES && k.w.node_count <= MOST_NODES)
            asking_take(of_size, &times);
    }
    (void)snprintf(what, sizeof(what), "walk to depth %lld, %zu nodes on average", (long long)depth,
                   seen / WALKS);
    (void)asking_tell(&times, what);
}

/* The same question to a recursive statement, as others ask it: nodes by depth, then what they are.
 */
static void bench_recursive(int nodes, int64_t depth)
{
    struct asking times = {.conn = scratch.super};
    long long seen = 0;
    char what[128];

    for (int i = 0; i < WALKS; i++) {
        char text[1024];
        PGresult *r;

        (void)snprintf(
            text, sizeof(text),
            "WITH RECURSIVE up (id, depth) AS (SELECT %d::bigint, 0 UNION"
            " SELECT e.src, depth + 1 FROM up JOIN lineage_edge e ON e.tenant_id = '%s'"
            " AND e.dst = up.id WHERE depth < %lld) SELECT n.id, n.name, n.kind, n.project"
            " FROM (SELECT DISTINCT id FROM up) u JOIN lineage_node n ON n.tenant_id ="
            " '%s' AND n.id = u.id",
            1 + rand() % nodes, tenant_a, (long long)depth, tenant_a);
        asking_begin(&times);
        r = PQexec(scratch.super, text);
        asking_end(&times);
        seen += PQntuples(r);
        PQclear(r);
    }
    (void)snprintf(what, sizeof(what), "recursive statement to depth %lld, %lld nodes on average",
                   (long long)depth, seen / WALKS);
    (void)asking_tell(&times, what);
}

/* A thousand deployments, each with some hundred nodes behind it; half of the questions have an
 * answer. */
static bool bench_impact(int nodes)
{
    struct asking times = {.conn = db.conn};

    if (!sql("INSERT INTO lineage_node (tenant_id, kind, name, project) SELECT '%s', 'deployment',"
             " 'projects/p/endpoints/e/deployments/' || gen_random_uuid(), 'p'"
             " FROM generate_series(1, 1000)",
             tenant_a) ||
        !sql("INSERT INTO lineage_edge (tenant_id, src, dst, kind) SELECT '%s', 3 + i %% 300,"
             " %d + i, 'deploy' FROM generate_series(1, 1000) i",
             tenant_a, nodes) ||
        !sql("VACUUM ANALYZE endpoint_ancestor"))
        return false;
    (void)printf("closure of 1000 deployments: %lld rows\n",
                 number("SELECT count(*) FROM endpoint_ancestor"));
    for (int i = 0; i < WALKS; i++) {
        char name[64];
        struct asked k = {.q = {.node = name, .ways = WALK_DOWN, .may = all}};

        (void)snprintf(name, sizeof(name), "projects/p/jobs/%d",
                       1 + rand() % (i % 2 == 0 ? 300 : nodes));
        asking_begin(&times);
        if (in_tx(&db, TX_READ, tenant_a, find_impact, &k) != OK)
            abort();
        asking_end(&times);
    }
    return asking_tell(&times, "impact") <= impact_ceiling;
}

/* Average degree 2.5; 70 in 100 edges are to a near neighbour. */
static bool make_graph(int edges, int nodes)
{
    /* Triggers off: one at a time they would take longer than all else. */
    return sql("INSERT INTO lineage_node (tenant_id, kind, name, project)"
               " SELECT '%s', 'job', 'projects/p/jobs/' || i, 'p' FROM generate_series(1, %d) i",
               tenant_a, nodes) &&
           sql("SET session_replication_role = replica") &&
           sql("INSERT INTO lineage_edge (tenant_id, src, dst, kind) SELECT '%s',"
               " greatest(1, CASE WHEN random() < 0.7 THEN d - 1 - (100 * random())::int"
               "  ELSE 1 + (random() * (d - 2))::int END), d, 'consume'"
               " FROM (SELECT 3 + (random() * (%d - 3))::int AS d FROM generate_series(1, %d)) x"
               " ON CONFLICT DO NOTHING",
               tenant_a, nodes, edges) &&
           sql("RESET session_replication_role") && sql("VACUUM ANALYZE lineage_edge") &&
           sql("VACUUM ANALYZE lineage_node");
}

static bool bench(int edges)
{
    struct asking of_size = {.conn = db.conn};
    int nodes = edges * 2 / 5;
    bool good;

    (void)printf("%d edges between %d nodes\n", edges, nodes);
    if (!make_graph(edges, nodes))
        return false;
    for (int64_t depth = 5; depth <= DEPTH_MOST; depth++) {
        bench_depth(nodes, depth, 10000, &of_size);
        bench_recursive(nodes, depth);
    }
    bench_depth(nodes, 20, 10000, NULL);
    good = of_size.count > 0 && asking_tell(&of_size, "walks of 500 to 900 nodes") <= walk_ceiling;
    return bench_impact(nodes) && good;
}

int main(int argc, char **argv)
{
    bool good = false;

    (void)setvbuf(stdout, NULL, _IOLBF, 0);
    if (!scratch_start())
        return EXIT_FAILURE;
    db = (struct db){.conninfo = scratch.app};
    if (db_open(&db, scratch.app) == OK)
        good = bench(argc > 1 ? (int)strtol(argv[1], NULL, 10) : 1000000);
    db_close(&db);
    scratch_stop();
    return good ? EXIT_SUCCESS : EXIT_FAILURE;
}
