/* SPDX-License-Identifier: Apache-2.0 */
/* What audit costs at the very most: two small statements by 16 clients with and without an entry,
 * taken in turns so that a busy machine slows both alike, while the sequencer runs (what it costs a
 * governed write is bench_audited.py's question); then how fast leaves are placed. bench_audit
 * [SECONDS] exits with failure when that is below its target. */
#include "lineage/audit.h"
#include "lineage/guard.h"
#include "lineage/sequencer.h"
#include "lineage/sequencer_step.h"
#include "tests/unit/lineage_db.h"

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>
#include <unistd.h>

enum { CLIENTS = 16, TURNS = 6, LEAVES = 100000, SEQUENCER_FLOOR = 20000 };
static const uint8_t key[SEAL_KEY] = {1};
static char home[64] = "/tmp/chancery-bench-XXXXXX";
static atomic_bool running, audited;

QUERY(bench_find,
      "SELECT revision FROM project WHERE tenant_id = $1::uuid AND name = $2 FOR UPDATE");
QUERY(bench_change, "UPDATE project SET description = $3, revision = revision + 1,"
                    " updated_at = now() WHERE tenant_id = $1::uuid AND name = $2");

struct client {
    pthread_t thread;
    struct db db;
    char project[32];
    long done[2]; /* without and with */
    bool failed;
};

static const struct audit_event event = {.actor_id = person,
                                         .actor = "alice",
                                         .tenant = "a",
                                         .action = "put_project",
                                         .method = "PUT",
                                         .project = "p",
                                         .object = "projects/p",
                                         .request = "00000000-0000-7000-8000-0000000000ee",
                                         .remote = "127.0.0.1",
                                         .status = 200};

static enum err change(void *arg)
{
    struct client *c = arg;
    PGresult *found;

    TRY(db_rows(&c->db, &bench_find, &found, PARAMS(P_TEXT(tenant_a), P_TEXT(c->project))));
    TRY(db_defer(&c->db, &bench_change,
                 PARAMS(P_TEXT(tenant_a), P_TEXT(c->project), P_TEXT("measured"))));
    return atomic_load(&audited) ? audit_record(&c->db, &event, NULL) : OK;
}

static void *work(void *arg)
{
    struct client *c = arg;

    while (atomic_load(&running) && !c->failed) {
        bool with = atomic_load(&audited);

        c->failed = in_tx(&c->db, TX_WRITE, tenant_a, change, c) != OK;
        c->done[with]++;
        if (with)
            sequencer_wake();
    }
    return NULL;
}

static bool begin(struct client clients[CLIENTS])
{
    if (!sql("INSERT INTO principal (tenant_id, id, kind, name) VALUES ('%s', '%s', 'user', "
             "'alice')",
             tenant_a, person))
        return false;
    atomic_store(&running, true);
    for (size_t i = 0; i < CLIENTS; i++) {
        struct client *c = &clients[i];

        *c = (struct client){.failed = false};
        (void)snprintf(c->project, sizeof(c->project), "p%zu", i);
        if (!sql("INSERT INTO project (tenant_id, id, name, policy, created_by)"
                 " VALUES ('%s', gen_random_uuid(), '%s', '{}', '%s')",
                 tenant_a, c->project, person) ||
            db_open(&c->db, scratch.app) != OK || pthread_create(&c->thread, NULL, work, c) != 0)
            return false;
    }
    return true;
}

static bool measure(int seconds)
{
    struct client clients[CLIENTS];
    double rates[2] = {0, 0};

    if (!begin(clients))
        return false;
    for (int turn = 0; turn < TURNS; turn++) {
        atomic_store(&audited, turn % 2 == 1);
        (void)sleep((unsigned)seconds);
    }
    atomic_store(&running, false);
    for (size_t i = 0; i < CLIENTS; i++) {
        (void)pthread_join(clients[i].thread, NULL);
        db_close(&clients[i].db);
        for (size_t k = 0; k < 2; k++)
            rates[k] += (double)clients[i].done[k] / (seconds * TURNS / 2.0);
    }
    (void)printf("two small statements, no HTTP, %d clients: %.0f/s without audit, %.0f/s with: it"
                 " costs %.0f %%\n",
                 CLIENTS, rates[0], rates[1], 100 * (1 - rates[1] / rates[0]));
    return true;
}

static enum err step(struct db *db, enum err (*what)(struct step *s), struct step *s)
{
    static const struct sequencer_place place = {.dir = home, .host = "bench", .key = key};
    struct arena *a = arena_new();
    enum err e;

    *s = (struct step){.place = &place, .db = db, .tenant = tenant_b};
    db->arena = a;
    e = what(s);
    db->arena = NULL;
    arena_free(a);
    return e;
}

static double place_leaves(void)
{
    struct db db = {0};
    int64_t begun, spent;
    struct step s;
    size_t placed = 0;

    if (!sql("INSERT INTO audit_entry (tenant_id, id, at, actor, action, project, object, outcome,"
             " request_id, leaf, leaf_hash) SELECT '%s', gen_random_uuid(), now(), '%s', 'x', 'p',"
             " 'o/' || i, 'ok', gen_random_uuid(), repeat('x', 400), sha256(i::text::bytea)"
             " FROM generate_series(1, %d) i",
             tenant_b, person, LEAVES) ||
        !sql("INSERT INTO audit_pending SELECT tenant_id, seq, leaf_hash FROM audit_entry"
             " WHERE tenant_id = '%s' ON CONFLICT DO NOTHING",
             tenant_b) ||
        !sql("ANALYZE") || db_open(&db, scratch.app) != OK)
        return 0;
    begun = time_steady_ms();
    do {
        if (step(&db, step_grow, &s) != OK)
            abort();
        placed += s.placed;
    } while (s.more);
    if (step(&db, step_sign, &s) != OK)
        abort();
    spent = time_steady_ms() - begun;
    db_close(&db);
    (void)printf("leaves sequenced: %zu at %.0f/s (target: at least %d)\n", placed,
                 1000.0 * (double)placed / (double)spent, SEQUENCER_FLOOR);
    return 1000.0 * (double)placed / (double)spent;
}

int main(int argc, char **argv)
{
    int seconds = argc > 1 ? (int)strtol(argv[1], NULL, 10) : 5;
    struct service service = {.home = home, .url = "https://bench", .key = key};
    bool good;

    (void)setvbuf(stdout, NULL, _IOLBF, 0);
    (void)setenv("SCRATCH_FSYNC", "on", 0); /* commits are as dear as they are in earnest */
    if (mkdtemp(home) == NULL || !scratch_start())
        return EXIT_FAILURE;
    service.conninfo = scratch.app;
    good = sequencer_start(&service) == OK && measure(seconds);
    sequencer_stop();
    good = place_leaves() >= SEQUENCER_FLOOR && good;
    scratch_stop();
    return good ? EXIT_SUCCESS : EXIT_FAILURE;
}
