/* SPDX-License-Identifier: Apache-2.0 */
/* How fast a log is sequenced and a graph is walked, against a database of the program's own.
 * bench_lineage [LEAVES [EDGES]] */
#include "lineage/guard.h"
#include "lineage/impact.h"
#include "lineage/sequencer_step.h"
#include "lineage/walk.h"
#include "tests/unit/lineage_db.h"

#include <time.h>
#include <unistd.h>

enum { WALKS = 200, WRITES = 3000 };

static struct db db;
static const uint8_t key[SEAL_KEY] = {1};
static char home[64] = "/tmp/chancery-bench-XXXXXX";

static enum err step(enum err (*what)(struct step *s), struct step *s)
{
    static struct sequencer_place place = {.dir = home, .host = "bench", .key = key};
    struct arena *a = arena_new();
    enum err e;

    *s = (struct step){.place = &place, .db = &db, .tenant = tenant_a};
    db.arena = a;
    e = what(s);
    db.arena = NULL;
    arena_free(a);
    return e;
}

static enum err write_one(void *unused)
{
    const struct audit_event e = {.actor_id = person,
                                  .actor = "alice",
                                  .tenant = "a",
                                  .action = "put_model_version_alias",
                                  .method = "PUT",
                                  .project = "credit",
                                  .object = "models/risk/versions/3",
                                  .request = "00000000-0000-7000-8000-0000000000ee",
                                  .remote = "127.0.0.1",
                                  .status = 200};

    (void)unused;
    return audit_record(&db, &e, NULL);
}

static void bench_entries(void)
{
    int64_t begun = time_steady_ms();

    for (int i = 0; i < WRITES; i++)
        if (in_tx(&db, TX_WRITE, tenant_a, write_one, NULL) != OK)
            abort();
    (void)printf("audited transactions, one connection: %.0f/s\n",
                 1000.0 * WRITES / (double)(time_steady_ms() - begun));
}

static void bench_sequencer(int leaves)
{
    int64_t begun;
    struct step s;
    size_t placed = 0;

    if (!sql("INSERT INTO audit_entry (tenant_id, id, at, actor, action, project, object, outcome,"
             " request_id, leaf, leaf_hash) SELECT '%s', gen_random_uuid(), now(), '%s', 'x', 'p',"
             " 'o/' || i, 'ok', gen_random_uuid(), repeat('x', 400), sha256(i::text::bytea)"
             " FROM generate_series(1, %d) i",
             tenant_a, person, leaves) ||
        !sql("INSERT INTO audit_pending SELECT tenant_id, seq FROM audit_entry"
             " ON CONFLICT DO NOTHING") ||
        !sql("ANALYZE"))
        return;
    begun = time_steady_ms();
    do {
        if (step(step_grow, &s) != OK)
            abort();
        placed += s.placed;
    } while (s.more);
    if (step(step_sign, &s) != OK)
        abort();
    (void)printf("sequenced %zu leaves in batches of %d: %.0f/s\n", placed, SEQUENCER_BATCH,
                 1000.0 * (double)placed / (double)(time_steady_ms() - begun));
}

static bool all(void *context, const char *project)
{
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

static int by_time(const void *a, const void *b)
{
    const double *x = a, *y = b;

    return *x < *y ? -1 : *x > *y;
}

static double now_us(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return 1e6 * (double)t.tv_sec + 1e-3 * (double)t.tv_nsec;
}

static void bench_depth(int nodes, int64_t depth, size_t node_limit)
{
    static double took[WALKS];
    size_t seen = 0;

    for (int i = 0; i < WALKS; i++) {
        char name[64];
        struct asked k = {.q = {.node = name,
                                .ways = WALK_UP,
                                .depth = depth,
                                .nodes = node_limit,
                                .edges = 10 * node_limit,
                                .ms = 60000,
                                .may = all}};
        double begun = now_us();

        (void)snprintf(name, sizeof(name), "projects/p/jobs/%d", 1 + rand() % nodes);
        if (in_tx(&db, TX_READ, tenant_a, ask, &k) != OK)
            abort();
        took[i] = now_us() - begun;
        seen += k.w.node_count;
    }
    qsort(took, WALKS, sizeof(took[0]), by_time);
    (void)printf("walk to depth %lld, %zu nodes on average: p50 %.1f ms, p95 %.1f ms\n",
                 (long long)depth, seen / WALKS, took[WALKS / 2] / 1000,
                 took[WALKS * 95 / 100] / 1000);
}

/* The same question to a recursive statement, as others ask it: nodes by depth, then what they are.
 */
static void bench_recursive(int nodes, int64_t depth)
{
    static double took[WALKS];
    long long seen = 0;

    for (int i = 0; i < WALKS; i++) {
        char text[1024];
        double begun = now_us();
        PGresult *r;

        (void)snprintf(
            text, sizeof(text),
            "WITH RECURSIVE up (id, depth) AS (SELECT %d::bigint, 0 UNION"
            " SELECT e.src, depth + 1 FROM up JOIN lineage_edge e ON e.tenant_id = '%s'"
            " AND e.dst = up.id WHERE depth < %lld) SELECT n.id, n.name, n.kind, n.project"
            " FROM (SELECT DISTINCT id FROM up) u JOIN lineage_node n ON n.tenant_id ="
            " '%s' AND n.id = u.id",
            1 + rand() % nodes, tenant_a, (long long)depth, tenant_a);
        r = PQexec(scratch.super, text);
        took[i] = now_us() - begun;
        seen += PQntuples(r);
        PQclear(r);
    }
    qsort(took, WALKS, sizeof(took[0]), by_time);
    (void)printf("recursive statement to depth %lld, %lld nodes on average: p50 %.1f ms, p95 %.1f "
                 "ms\n",
                 (long long)depth, seen / WALKS, took[WALKS / 2] / 1000,
                 took[WALKS * 95 / 100] / 1000);
}

static enum err find_impact(void *arg)
{
    struct asked *k = arg;
    struct impact found;

    return impact_of(&db, &k->q, &found);
}

/* A thousand deployments, each with some hundred nodes behind it; half of the questions have an
 * answer. */
static void bench_impact(int nodes)
{
    static double took[WALKS];

    if (!sql("INSERT INTO lineage_node (tenant_id, kind, name, project) SELECT '%s', 'deployment',"
             " 'projects/p/endpoints/e/deployments/' || gen_random_uuid(), 'p'"
             " FROM generate_series(1, 1000)",
             tenant_a) ||
        !sql("INSERT INTO lineage_edge (tenant_id, src, dst, kind) SELECT '%s', 3 + i %% 300,"
             " %d + i, 'deploy' FROM generate_series(1, 1000) i",
             tenant_a, nodes) ||
        !sql("VACUUM ANALYZE endpoint_ancestor"))
        return;
    (void)printf("closure of 1000 deployments: %lld rows\n",
                 number("SELECT count(*) FROM endpoint_ancestor"));
    for (int i = 0; i < WALKS; i++) {
        char name[64];
        struct asked k = {.q = {.node = name, .ways = WALK_DOWN, .may = all}};
        double begun;

        (void)snprintf(name, sizeof(name), "projects/p/jobs/%d",
                       1 + rand() % (i % 2 == 0 ? 300 : nodes));
        begun = now_us();
        if (in_tx(&db, TX_READ, tenant_a, find_impact, &k) != OK)
            abort();
        took[i] = now_us() - begun;
    }
    qsort(took, WALKS, sizeof(took[0]), by_time);
    (void)printf("impact: p50 %.2f ms, p95 %.2f ms\n", took[WALKS / 2] / 1000,
                 took[WALKS * 95 / 100] / 1000);
}

/* Average degree 2.5; 70 in 100 edges are to a near neighbour. */
static void bench_walk(int edges)
{
    int nodes = edges * 2 / 5;

    /* Triggers off: one at a time they would take longer than all else. */
    if (!sql("INSERT INTO lineage_node (tenant_id, kind, name, project)"
             " SELECT '%s', 'job', 'projects/p/jobs/' || i, 'p' FROM generate_series(1, %d) i",
             tenant_a, nodes) ||
        !sql("SET session_replication_role = replica") ||
        !sql("INSERT INTO lineage_edge (tenant_id, src, dst, kind) SELECT '%s',"
             " greatest(1, CASE WHEN random() < 0.7 THEN d - 1 - (100 * random())::int"
             "  ELSE 1 + (random() * (d - 2))::int END), d, 'consume'"
             " FROM (SELECT 3 + (random() * (%d - 3))::int AS d FROM generate_series(1, %d)) x"
             " ON CONFLICT DO NOTHING",
             tenant_a, nodes, edges) ||
        !sql("RESET session_replication_role") || !sql("VACUUM ANALYZE lineage_edge") ||
        !sql("VACUUM ANALYZE lineage_node"))
        return;
    for (int64_t depth = 5; depth <= 8; depth++) {
        bench_depth(nodes, depth, 10000);
        bench_recursive(nodes, depth);
    }
    bench_depth(nodes, 20, 10000);
    bench_impact(nodes);
}

int main(int argc, char **argv)
{
    char command[128];

    if (mkdtemp(home) == NULL || !scratch_start())
        return EXIT_FAILURE;
    db = (struct db){.conninfo = scratch.app};
    bench_entries();
    bench_sequencer(argc > 1 ? (int)strtol(argv[1], NULL, 10) : 200000);
    bench_walk(argc > 2 ? (int)strtol(argv[2], NULL, 10) : 1000000);
    db_close(&db);
    scratch_stop();
    (void)snprintf(command, sizeof(command), "rm -rf %s", home);
    return system(command) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
