/* SPDX-License-Identifier: Apache-2.0 */
#include "lineage/sequencer.h"

#include "lineage/audit_check.h"
#include "lineage/audit_store.h"
#include "lineage/guard.h"
#include "lineage/proof.h"
#include "lineage/routes.h"
#include "lineage/sequencer_step.h"
#include "tests/unit/lineage_db.h"
#include "tests/unit/test.h"

#include <pthread.h>
#include <unistd.h>

enum { WRITERS = 6, EACH = 150 };

static char home[64] = "/tmp/chancery-log-XXXXXX";
static char guard_dir[96];
static const uint8_t key[SEAL_KEY] = {1, 2, 3};
static struct sequencer_place place = {.dir = guard_dir, .host = "log.example", .key = key};
static struct db db;

static struct audit_event event_of(const char *object)
{
    return (struct audit_event){.actor_id = person,
                                .actor = "alice",
                                .tenant = "a",
                                .action = "put_thing",
                                .method = "PUT",
                                .object = object,
                                .request = "00000000-0000-7000-8000-0000000000ee",
                                .status = 200};
}

struct batch {
    size_t count;
    struct audit_receipt last;
};

static enum err write_batch(void *arg)
{
    struct batch *b = arg;

    for (size_t i = 0; i < b->count; i++) {
        struct audit_event e = event_of(arena_printf(db.arena, "thing/%zu", i));

        TRY(audit_record(&db, &e, &b->last));
    }
    return OK;
}

static enum err step(const char *tenant, enum err (*what)(struct step *s), struct step *s)
{
    struct arena *a = arena_new();
    enum err e;

    *s = (struct step){.place = &place, .db = &db, .tenant = tenant};
    db.arena = a;
    e = what(s);
    db.arena = NULL;
    arena_free(a);
    return e;
}

/* All that waits, and a checkpoint over it. */
static enum err settle(const char *tenant)
{
    struct step s;
    enum err e;

    do
        e = step(tenant, step_grow, &s);
    while (e == OK && s.more);
    return e == OK ? step(tenant, step_sign, &s) : e;
}

static struct audit_report report;

static enum err check_body(void *arg)
{
    (void)arg;
    return audit_check(&db, 60000, &report);
}

/* The report's texts die with its transaction: what is compared is kept here. */
static char first_fault[256];

static enum err check_and_keep(void *arg)
{
    enum err e = check_body(arg);

    first_fault[0] = '\0';
    if (e == OK && report.faults > 0)
        (void)snprintf(first_fault, sizeof(first_fault), "%lld %s",
                       (long long)report.problems[0].index, report.problems[0].what);
    return e;
}

static bool check_finds(const char *what)
{
    enum err e = in_tx(&db, TX_READ, tenant_a, check_and_keep, NULL);

    if (e == OK && report.complete &&
        (what == NULL ? report.faults == 0 : strncmp(first_fault, what, strlen(what)) == 0))
        return true;
    (void)printf("outcome %d, checked %lld of %lld, faults %lld: %s\n", (int)e,
                 (long long)report.checked, (long long)report.size, (long long)report.faults,
                 first_fault);
    return false;
}

static struct digest stored_root(void)
{
    PGresult *r = PQexec(scratch.super, "SELECT leaf_hash FROM audit_leaf l JOIN audit_entry e"
                                        " USING (tenant_id, seq) ORDER BY index");
    size_t count = (size_t)PQntuples(r);
    struct digest *leaves = calloc(count + 1, sizeof(*leaves)), root;

    for (size_t i = 0; i < count; i++)
        if (!hex_decode(PQgetvalue(r, (int)i, 0) + 2, leaves[i].bytes, SHA256_SIZE))
            abort();
    root = merkle_root_plain(leaves, count);
    free(leaves);
    PQclear(r);
    return root;
}

static bool root_is_right(void)
{
    PGresult *r = PQexec(scratch.super, "SELECT root FROM audit_log");
    struct digest root = stored_root(), kept;
    bool same = PQntuples(r) == 1 && hex_decode(PQgetvalue(r, 0, 0) + 2, kept.bytes, SHA256_SIZE) &&
                digest_equal(&root, &kept);

    PQclear(r);
    return same;
}

static void random_batches_make_the_tree_of_the_rfc(void)
{
    static const size_t sizes[] = {1, 1, 253, 1, 1, 60, 700, 0, 4097, 3};
    long long total = 0;

    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        struct batch b = {.count = sizes[i]};

        CHECK(in_tx(&db, TX_WRITE, tenant_a, write_batch, &b) == OK);
        CHECK(settle(tenant_a) == OK);
        total += (long long)sizes[i];
        CHECK(number("SELECT size FROM audit_log") == total);
        CHECK(number("SELECT signed_size FROM audit_log") == total);
        CHECK(root_is_right());
        CHECK(check_finds(NULL) && report.checked == total);
    }
    CHECK(number("SELECT count(*) FROM audit_pending") == 0);
    CHECK(number("SELECT count(*) FROM audit_checkpoint") == 9); /* none over nothing new */
}

static void a_handler_of_no_tenant_writes_nothing(void)
{
    long long before = number("SELECT count(*) FROM audit_entry");
    const struct route route = {.method = "POST", .name = "post_login"};
    struct request rq = {.db = &db, .route = &route, .method = "POST", .id = person};

    db.tenant = NULL;
    CHECK(audit_append(&rq, ERR_CREDENTIALS) == OK);
    CHECK(number("SELECT count(*) FROM audit_entry") == before);
}

struct proof_case {
    const char *id;
    struct digest leaf;
    bool good;
};

static enum err prove(void *arg)
{
    struct proof_case *c = arg;
    struct request rq = {.arena = db.arena, .db = &db, .args = {c->id}};
    struct log_proof proof;
    struct checkpoint point;
    struct note_key verifier;

    TRY(get_audit_vkey(&rq));
    TRY(note_vkey_parse(arena_copy(db.arena, rq.reply.bytes, rq.reply.length - 1), &verifier));
    TRY(get_audit_proof(&rq));
    TRY(log_proof_parse(rq.reply.bytes, rq.reply.length, &proof));
    c->good = log_proof_verify(&proof, &c->leaf, &verifier, 1, &point) == LOG_PROOF_GOOD;
    return OK;
}

static void receipts_are_proven_by_the_log(void)
{
    struct batch b = {.count = 300};
    struct proof_case c = {.id = b.last.id};

    CHECK(in_tx(&db, TX_WRITE, tenant_a, write_batch, &b) == OK);
    CHECK(hex_decode(b.last.leaf, c.leaf.bytes, SHA256_SIZE));
    CHECK(in_tx(&db, TX_READ, tenant_a, prove, &c) == ERR_UNAVAILABLE);
    CHECK(settle(tenant_a) == OK);
    CHECK(in_tx(&db, TX_READ, tenant_a, prove, &c) == OK && c.good);
    c.leaf.bytes[3] ^= 1;
    CHECK(in_tx(&db, TX_READ, tenant_a, prove, &c) == OK && !c.good);
    CHECK(in_tx(&db, TX_READ, tenant_b, prove, &c) == ERR_NOT_FOUND);
}

static enum err get_tile(void *arg)
{
    struct request rq = {.arena = db.arena, .db = &db, .args = {arg}};

    return get_audit_tile(&rq);
}

static void only_tiles_of_the_signed_tree_are_served(void)
{
    /* 5417 leaves by now: 21 full tiles and one of 41 */
    static const struct {
        const char *path;
        enum err outcome;
    } cases[] = {{"0/000", OK},
                 {"0/020", OK},
                 {"0/021.p/41", OK},
                 {"0/021.p/1", OK},
                 {"0/000.p/255", OK},
                 {"1/000.p/21", OK},
                 {"entries/000", OK},
                 {"entries/021.p/41", OK},
                 {"0/021", ERR_NOT_FOUND},
                 {"0/021.p/42", ERR_NOT_FOUND},
                 {"1/000", ERR_NOT_FOUND},
                 {"1/000.p/22", ERR_NOT_FOUND},
                 {"2/000.p/1", ERR_NOT_FOUND},
                 {"0/0", ERR_NOT_FOUND},
                 {"0/000.p/0", ERR_NOT_FOUND},
                 {"8/000", ERR_NOT_FOUND},
                 {"entries/022.p/1", ERR_NOT_FOUND},
                 {"0/x999/x999/x999/x999/x999/999", ERR_NOT_FOUND}};

    CHECK(number("SELECT signed_size FROM audit_log") == 5417);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        enum err e = in_tx(&db, TX_READ, tenant_a, get_tile, (void *)(uintptr_t)cases[i].path);

        if (e != cases[i].outcome)
            (void)printf("%s: %d\n", cases[i].path, (int)e);
        CHECK(e == cases[i].outcome);
    }
}

/* As the superuser: rows behind the service's back. */
static bool tamper(const char *table, const char *change)
{
    return sql("BEGIN; ALTER TABLE %s DISABLE TRIGGER USER; %s; ALTER TABLE %s ENABLE TRIGGER USER;"
               " COMMIT",
               table, change, table);
}

#define AT_1000 "(SELECT seq FROM audit_leaf WHERE index = 1000)"
#define ID_1000 "(SELECT id FROM audit_entry WHERE seq = " AT_1000 ")"
#define FLIP_SEALED(byte)                                                                          \
    "UPDATE audit_payload SET sealed = set_byte(sealed, " #byte ", get_byte(sealed, " #byte        \
    ") # 1) WHERE id = " ID_1000
#define FLIP_KEY                                                                                   \
    "UPDATE audit_subject_key SET wrapped = set_byte(wrapped, 30, get_byte(wrapped, 30) # 1)"      \
    " WHERE subject = '" PERSON "'"
#define PAIR                                                                                       \
    "(SELECT id FROM audit_entry JOIN audit_leaf USING (tenant_id, seq)"                           \
    " WHERE index IN (1000, 1001))"
#define SWAP_SEALED                                                                                \
    "UPDATE audit_payload p SET sealed = o.sealed FROM audit_payload o WHERE p.id IN " PAIR        \
    " AND o.id IN " PAIR " AND p.id <> o.id"

static void every_edit_is_found_and_named(void)
{
    static const struct {
        const char *table, *change, *undo, *found;
    } edits[] = {
        {"audit_entry",
         "UPDATE audit_entry SET leaf = replace(leaf, 'put_thing', 'get_thing') WHERE seq "
         "= " AT_1000,
         "UPDATE audit_entry SET leaf = replace(leaf, 'get_thing', 'put_thing') WHERE seq "
         "= " AT_1000,
         "1000 leaf"},
        {"audit_entry", "UPDATE audit_entry SET outcome = 'denied' WHERE seq = " AT_1000,
         "UPDATE audit_entry SET outcome = 'ok' WHERE seq = " AT_1000, "1000 columns"},
        {"audit_entry",
         "UPDATE audit_entry SET leaf = replace(leaf, 'put_thing', 'get_thing'), leaf_hash ="
         " sha256('\\x00'::bytea || convert_to(replace(leaf, 'put_thing', 'get_thing'), 'UTF8'))"
         " WHERE seq = " AT_1000,
         "UPDATE audit_entry SET leaf = replace(leaf, 'get_thing', 'put_thing'), leaf_hash ="
         " sha256('\\x00'::bytea || convert_to(replace(leaf, 'get_thing', 'put_thing'), 'UTF8'))"
         " WHERE seq = " AT_1000,
         "1000 tree"},
        {"audit_payload", FLIP_SEALED(20), FLIP_SEALED(20), "1000 payload"},
        {"audit_payload", FLIP_SEALED(0), FLIP_SEALED(0), "1000 payload"},
        {"audit_payload", SWAP_SEALED, SWAP_SEALED, "1000 payload"},
        {"audit_payload", "UPDATE audit_payload SET key_id = '" PERSON "' WHERE id = " ID_1000,
         "UPDATE audit_payload SET key_id = (SELECT id FROM audit_subject_key"
         " WHERE tenant_id = '" TENANT_A "' AND subject = '" PERSON "') WHERE id = " ID_1000,
         "1000 payload"},
        {"audit_payload", "UPDATE audit_payload SET about_id = key_id WHERE id = " ID_1000,
         "UPDATE audit_payload SET about_id = NULL WHERE id = " ID_1000, "1000 payload"},
        {"audit_subject_key", FLIP_KEY, FLIP_KEY, "0 payload"},
        {"audit_subject_key",
         "UPDATE audit_subject_key SET subject = 'day/2026-01-01' WHERE subject = '" PERSON "'",
         "UPDATE audit_subject_key SET subject = '" PERSON "' WHERE subject = 'day/2026-01-01'",
         "0 payload"},
        {"audit_tile",
         "UPDATE audit_tile SET hashes = set_byte(hashes, 40, (get_byte(hashes, 40) + 1) % 256)"
         " WHERE level = 0 AND n = 2",
         "UPDATE audit_tile SET hashes = set_byte(hashes, 40, (get_byte(hashes, 40) + 255) % 256)"
         " WHERE level = 0 AND n = 2",
         "513 tree: tile/0/002"},
        {"audit_tile",
         "UPDATE audit_tile SET hashes = set_byte(hashes, 70, (get_byte(hashes, 70) + 1) % 256)"
         " WHERE level = 1 AND n = 0",
         "UPDATE audit_tile SET hashes = set_byte(hashes, 70, (get_byte(hashes, 70) + 255) % 256)"
         " WHERE level = 1 AND n = 0",
         "512 tree: tile/1/000.p/21"},
        {"audit_leaf", "UPDATE audit_leaf SET index = index + 100000 WHERE index = 1000",
         "UPDATE audit_leaf SET index = 1000 WHERE index = 101000", "768 tree: tile/entries/003"},
        {"audit_log",
         "UPDATE audit_log SET checkpoint = replace(checkpoint, E'\\n5417\\n', E'\\n5416\\n')",
         "UPDATE audit_log SET checkpoint = replace(checkpoint, E'\\n5416\\n', E'\\n5417\\n')",
         "-1 tree: the checkpoint"},
    };

    CHECK(check_finds(NULL));
    for (size_t i = 0; i < sizeof(edits) / sizeof(edits[0]); i++) {
        CHECK(tamper(edits[i].table, edits[i].change));
        CHECK(check_finds(edits[i].found));
        CHECK(tamper(edits[i].table, edits[i].undo));
        CHECK(check_finds(NULL));
    }
}

static void an_edited_entry_does_not_stop_the_log(void)
{
    struct batch b = {.count = 5};

    CHECK(tamper("audit_entry", "UPDATE audit_entry SET leaf = '{}' WHERE seq ="
                                " (SELECT max(seq) FROM audit_leaf)"));
    CHECK(in_tx(&db, TX_WRITE, tenant_a, write_batch, &b) == OK);
    CHECK(settle(tenant_a) == OK);
    CHECK(check_finds("5416 leaf") && report.faults == 1);
}

static const char *const log_tables[] = {"audit_leaf", "audit_tile", "audit_log", "audit_pending",
                                         "audit_checkpoint"};

static bool backup_tables(const char *suffix)
{
    bool done = true;

    for (size_t i = 0; i < sizeof(log_tables) / sizeof(log_tables[0]); i++)
        done = sql("CREATE TABLE public.%s_%s AS TABLE %s", log_tables[i], suffix, log_tables[i]) &&
               done;
    return sql("ALTER TABLE public.audit_leaf_%s DROP COLUMN tile", suffix) && done;
}

static bool restore_tables(const char *suffix)
{
    bool done = sql("SET session_replication_role = replica");

    for (size_t i = 0; i < sizeof(log_tables) / sizeof(log_tables[0]); i++)
        done = sql("DELETE FROM %s", log_tables[i]) &&
               sql("INSERT INTO %s SELECT * FROM public.%s_%s", log_tables[i], log_tables[i],
                   suffix) &&
               done;
    return sql("RESET session_replication_role") && done;
}

/* What a restore from an older backup, or a failover that lost commits, leaves behind. */
static void a_log_set_back_is_not_signed_again(void)
{
    struct batch b = {.count = 10};
    struct step s;

    CHECK(backup_tables("old"));
    CHECK(in_tx(&db, TX_WRITE, tenant_a, write_batch, &b) == OK && settle(tenant_a) == OK);
    CHECK(backup_tables("new"));
    CHECK(restore_tables("old"));
    CHECK(step(tenant_a, step_check, &s) == ERR_CONTENT && s.broken != NULL);
    CHECK(sql("DELETE FROM audit_pending"));
    b.count = 50; /* another history, longer than the first */
    CHECK(in_tx(&db, TX_WRITE, tenant_a, write_batch, &b) == OK);
    CHECK(step(tenant_a, step_grow, &s) == OK);
    CHECK(step(tenant_a, step_sign, &s) == ERR_CONTENT && !s.published && s.broken != NULL);
    CHECK(number("SELECT count(*) FROM audit_checkpoint WHERE size > 5433") == 0);
    CHECK(restore_tables("new"));
    CHECK(sql("DELETE FROM audit_pending"));
    CHECK(step(tenant_a, step_check, &s) == OK);
}

static void changed_tiles_are_not_built_upon(void)
{
    struct batch b = {.count = 1};
    struct step s;

    CHECK(in_tx(&db, TX_WRITE, tenant_a, write_batch, &b) == OK);
    CHECK(tamper("audit_tile", "UPDATE audit_tile SET hashes = set_byte(hashes, 0,"
                               " (get_byte(hashes, 0) + 1) % 256) WHERE level = 0 AND n = 21"));
    CHECK(step(tenant_a, step_grow, &s) == ERR_CONTENT && s.broken != NULL);
    CHECK(tamper("audit_tile", "UPDATE audit_tile SET hashes = set_byte(hashes, 0,"
                               " (get_byte(hashes, 0) + 255) % 256) WHERE level = 0 AND n = 21"));
    CHECK(settle(tenant_a) == OK);
}

static void a_foreign_key_signs_nothing(void)
{
    static const uint8_t other[SEAL_KEY] = {9};
    struct batch b = {.count = 1};
    struct step s;

    CHECK(in_tx(&db, TX_WRITE, tenant_a, write_batch, &b) == OK);
    CHECK(step(tenant_a, step_grow, &s) == OK);
    place.key = other;
    CHECK(step(tenant_a, step_sign, &s) == ERR_CONTENT && !s.published);
    place.key = key;
    CHECK(settle(tenant_a) == OK);
}

static struct service service_here(void)
{
    return (struct service){
        .home = home, .conninfo = scratch.app, .url = "https://log.example:8443", .key = key};
}

static void the_start_notices_a_log_that_was_set_back(void)
{
    const struct service service = service_here();

    CHECK(audit_available(tenant_a) && audit_available(NULL));
    CHECK(restore_tables("old"));
    CHECK(sql("DELETE FROM audit_pending"));
    CHECK(sequencer_start(&service) == OK);
    CHECK(!audit_available(tenant_a) && audit_available(tenant_b));
    CHECK(!audit_available(NULL) && audit_available(""));
    CHECK(sequencer_status().broken == 1);
    sequencer_stop();
}

/* --- many writers, some of which hold their transactions open --- */

struct writer {
    pthread_t thread;
    unsigned id;
    unsigned n;
    unsigned committed;
    struct db db;
};

QUERY(test_hold, "SELECT pg_sleep($1)");

static enum err write_one(void *arg)
{
    struct writer *w = arg;
    struct audit_event e = event_of(arena_printf(w->db.arena, "writer/%u/%u", w->id, w->n));
    PGresult *slept;

    TRY(audit_record(&w->db, &e, NULL));
    if (w->n % 10 == w->id)
        TRY(db_rows(&w->db, &test_hold, &slept, PARAMS(P_REAL(0.03))));
    return w->n % 7 == 3 ? ERR_CONFLICT : OK; /* rolled back: a gap in seq that means nothing */
}

static void *write_all(void *arg)
{
    struct writer *w = arg;

    for (w->n = 0; w->n < EACH; w->n++) {
        if (in_tx(&w->db, TX_WRITE, tenant_b, write_one, w) == OK)
            w->committed++;
        sequencer_wake();
    }
    db_close(&w->db);
    return NULL;
}

static void concurrent_writers_lose_nothing(void)
{
    const struct service service = service_here();
    static struct writer writers[WRITERS];
    long long committed = 0;

    CHECK(sequencer_start(&service) == OK);
    for (unsigned i = 0; i < WRITERS; i++) {
        writers[i] = (struct writer){.id = i, .db = {.conninfo = scratch.app}};
        CHECK(pthread_create(&writers[i].thread, NULL, write_all, &writers[i]) == 0);
    }
    for (unsigned i = 0; i < WRITERS; i++) {
        (void)pthread_join(writers[i].thread, NULL);
        committed += writers[i].committed;
    }
    sequencer_stop(); /* a last round for what is left */
    CHECK(committed > WRITERS * EACH / 2);
    CHECK(number("SELECT count(*) FROM audit_pending WHERE tenant_id <> '00000000-0000-7000-8000-"
                 "00000000000a'") == 0);
#define OF_B " tenant_id = '00000000-0000-7000-8000-00000000000b'"
    CHECK(number("SELECT count(*) FROM audit_entry WHERE" OF_B) == committed);
    CHECK(number("SELECT count(*) FROM audit_leaf WHERE" OF_B) == committed);
    CHECK(number("SELECT max(index) FROM audit_leaf WHERE" OF_B) == committed - 1);
    CHECK(number("SELECT signed_size FROM audit_log WHERE" OF_B) == committed);
    CHECK(number("SELECT count(*) FROM audit_checkpoint WHERE" OF_B) >= 2);
    /* What one writer did later stands later. */
    CHECK(number("SELECT count(*) FROM (SELECT index < lag(index) OVER (PARTITION BY"
                 " split_part(object, '/', 2) ORDER BY split_part(object, '/', 3)::int) AS wrong"
                 " FROM audit_leaf JOIN audit_entry USING (tenant_id, seq)"
                 " WHERE" OF_B ") x WHERE wrong") == 0);
}

struct waiting {
    struct audit_receipt receipt;
    int64_t index;
    enum err outcome;
};

static enum err write_waited(void *arg)
{
    struct waiting *w = arg;
    struct audit_event e = event_of("waited");

    return audit_record(&db, &e, &w->receipt);
}

static enum err wait_for_it(void *arg)
{
    struct waiting *w = arg;

    return audit_wait_sequenced(&db, w->receipt.id, 5000, &w->index);
}

static void a_writer_may_wait_for_the_checkpoint(void)
{
    const struct service service = service_here();
    struct waiting w;

    CHECK(sequencer_start(&service) == OK);
    CHECK(in_tx(&db, TX_WRITE, tenant_b, write_waited, &w) == OK);
    sequencer_wake();
    CHECK(in_tx(&db, TX_POINT, tenant_b, wait_for_it, &w) == OK);
    sequencer_stop();
}

static void the_service_can_neither_edit_nor_delete(void)
{
    static const char *const statements[] = {"UPDATE audit_entry SET outcome = 'ok'",
                                             "DELETE FROM audit_entry",
                                             "DELETE FROM audit_leaf",
                                             "UPDATE audit_payload SET sealed = NULL",
                                             "UPDATE audit_subject_key SET wrapped = NULL",
                                             "DELETE FROM audit_subject_key",
                                             "UPDATE audit_root SET wrapped = ''",
                                             "UPDATE audit_leaf SET index = 0",
                                             "DELETE FROM audit_checkpoint",
                                             "TRUNCATE audit_entry",
                                             "DELETE FROM audit_tile",
                                             "DELETE FROM audit_log",
                                             "UPDATE lineage_edge SET kind = 'x'",
                                             "DELETE FROM lineage_node"};
    PGconn *app = PQconnectdb(scratch.app);

    for (size_t i = 0; i < sizeof(statements) / sizeof(statements[0]); i++) {
        PGresult *r = PQexec(app, statements[i]);

        CHECK(PQresultStatus(r) == PGRES_FATAL_ERROR);
        PQclear(r);
    }
    PQfinish(app);
}

int main(void)
{
    char command[128];

    if (mkdtemp(home) == NULL || !scratch_start())
        return EXIT_FAILURE;
    (void)snprintf(guard_dir, sizeof(guard_dir), "%s/audit", home);
    db = (struct db){.conninfo = scratch.app};
    if (guard_open(guard_dir) != OK)
        return EXIT_FAILURE;
    RUN(random_batches_make_the_tree_of_the_rfc);
    RUN(a_handler_of_no_tenant_writes_nothing);
    RUN(receipts_are_proven_by_the_log);
    RUN(only_tiles_of_the_signed_tree_are_served);
    RUN(every_edit_is_found_and_named);
    RUN(an_edited_entry_does_not_stop_the_log);
    RUN(a_log_set_back_is_not_signed_again);
    RUN(changed_tiles_are_not_built_upon);
    RUN(a_foreign_key_signs_nothing);
    RUN(the_start_notices_a_log_that_was_set_back);
    RUN(concurrent_writers_lose_nothing);
    RUN(a_writer_may_wait_for_the_checkpoint);
    RUN(the_service_can_neither_edit_nor_delete);
    db_close(&db);
    scratch_stop();
    (void)snprintf(command, sizeof(command), "rm -rf %s", home);
    return system(command) == 0 && failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
