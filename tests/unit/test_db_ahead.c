/* SPDX-License-Identifier: Apache-2.0 */
#include "core/db_ahead.h"

#include "core/log.h"
#include "tests/unit/lineage_db.h"
#include "tests/unit/test.h"

/* Statements asked for before their turn, against a database. */

struct seen {
    const char *word;
    const char *tenant;
};

static const struct field seen_fields[] = {
    TEXT(struct seen, word, 100),
    TEXT(struct seen, tenant, 100),
    FIELDS_END,
};

QUERY(ahead_test_word, "SELECT $1::text AS word, current_setting('app.tenant') AS tenant");
QUERY(ahead_test_other, "SELECT $1::text || '!' AS word, current_setting('app.tenant') AS tenant");
QUERY(ahead_test_uuid, "SELECT ($1::uuid)::text AS word, current_setting('app.tenant') AS tenant");
QUERY(ahead_test_end, "SELECT pg_terminate_backend(pg_backend_pid())::text AS word, '' AS tenant");
QUERY(ahead_test_write, "INSERT INTO lineage_node (tenant_id, kind, name, project)"
                        " VALUES (current_tenant(), 'job', $1, 'p')");

enum { PARTIES = DB_AHEAD_MAX + 2 };

/* A request: what it asks for, and what it gets. */
struct party {
    struct arena *arena;
    const struct query *query;
    const char *tenant;
    const char *word;
    struct seen seen;
    enum err e;
};

static struct db db;
static struct party parties[PARTIES];

static enum err run_one(void *arg)
{
    struct party *p = arg;

    return db_one(&db, p->query, seen_fields, &p->seen, PARAMS(P_TEXT(p->word)));
}

static void run(struct party *p)
{
    db.arena = p->arena;
    p->e = db_tx(&db, TX_POINT, p->tenant, run_one, p);
    db_ahead_drop(&db);
    db.arena = NULL;
}

static void ask(const struct party *p)
{
    db.arena = p->arena;
    db_ahead(&db, p->tenant, p->query, PARAMS(P_TEXT(p->word)));
    db.arena = NULL;
}

static struct party *begin(unsigned i, const char *word)
{
    parties[i] = (struct party){.arena = arena_new(),
                                .query = &ahead_test_word,
                                .tenant = i % 2 == 0 ? tenant_a : tenant_b};
    parties[i].word = arena_text(parties[i].arena, word);
    return &parties[i];
}

static void end(unsigned count)
{
    db_ahead_end(&db);
    for (unsigned i = 0; i < count; i++)
        arena_free(parties[i].arena);
}

static bool got(const struct party *p, const char *word)
{
    return p->e == OK && strcmp(p->seen.word, word) == 0 && strcmp(p->seen.tenant, p->tenant) == 0;
}

/* More than there is room for, too. */
static void each_gets_its_own_answer_in_its_own_tenant(void)
{
    char word[] = "a";

    for (unsigned i = 0; i < PARTIES; i++, word[0]++)
        ask(begin(i, word));
    CHECK(db.ahead_count == DB_AHEAD_MAX && db.ahead_read == 0);
    for (unsigned i = 0; i < PARTIES; i++) {
        run(&parties[i]);
        CHECK(got(&parties[i], parties[i].word));
        CHECK(i >= DB_AHEAD_MAX || db.ahead_read == i + 1);
    }
    end(PARTIES);
    CHECK(db.ahead_count == 0);
}

static void the_order_is_free(void)
{
    ask(begin(0, "a"));
    ask(begin(1, "b"));
    ask(begin(2, "c"));
    run(&parties[2]);
    CHECK(got(&parties[2], "c") && db.ahead_read == 3);
    run(&parties[0]);
    run(&parties[1]);
    CHECK(got(&parties[0], "a") && got(&parties[1], "b"));
    run(&parties[0]); /* again, now on its own */
    CHECK(got(&parties[0], "a"));
    end(3);
}

static void only_the_very_statement_takes_an_answer(void)
{
    ask(begin(0, "a"));
    ask(begin(1, "b"));
    ask(begin(2, "c"));
    ask(begin(3, "d"));
    parties[0].word = "other";
    parties[1].query = &ahead_test_other;
    parties[2].tenant = tenant_b;
    for (unsigned i = 0; i < 4; i++)
        run(&parties[i]);
    CHECK(got(&parties[0], "other") && got(&parties[1], "b!"));
    CHECK(got(&parties[2], "c") && got(&parties[3], "d"));
    end(4);
}

static void what_was_dropped_is_taken_by_nobody(void)
{
    ask(begin(0, "a"));
    ask(begin(1, "b"));
    db.arena = parties[0].arena;
    db_ahead_drop(&db);
    CHECK(db.ahead[0].owner == NULL && db.ahead[1].owner != NULL);
    run(&parties[0]);
    CHECK(got(&parties[0], "a") && db.ahead_read == 2);
    run(&parties[1]);
    CHECK(got(&parties[1], "b"));
    end(2);
}

static void a_failure_is_its_own_and_said_when_its_turn_comes(void)
{
    ask(begin(0, "a"));
    begin(1, "no uuid")->query = &ahead_test_uuid;
    ask(&parties[1]);
    ask(begin(2, "c"));
    for (unsigned i = 0; i < 3; i++)
        run(&parties[i]);
    CHECK(got(&parties[0], "a") && parties[1].e == ERR_NOT_FOUND && got(&parties[2], "c"));
    end(3);
}

static enum err write_one(void *name)
{
    return db_change(&db, &ahead_test_write, PARAMS(P_TEXT(name)));
}

static void a_transaction_comes_between(void)
{
    char name[] = "between";

    ask(begin(0, "a"));
    ask(begin(1, "b"));
    ask(begin(2, "c"));
    run(&parties[0]);
    db.arena = parties[1].arena;
    CHECK(db_tx(&db, TX_WRITE, tenant_a, write_one, name) == OK);
    CHECK(number("SELECT count(*) FROM lineage_node WHERE name = 'between'") == 1);
    run(&parties[1]);
    run(&parties[2]);
    CHECK(got(&parties[0], "a") && got(&parties[1], "b") && got(&parties[2], "c"));
    end(3);
}

static void a_lost_connection_is_opened_anew(void)
{
    ask(begin(0, "a"));
    begin(1, "x")->query = &ahead_test_end;
    db.arena = parties[1].arena;
    db_ahead(&db, tenant_b, &ahead_test_end, NO_PARAMS);
    ask(begin(2, "c"));
    ask(begin(3, "d"));
    for (unsigned i = 0; i < 4; i++)
        if (i != 1)
            run(&parties[i]);
    CHECK(got(&parties[0], "a") && got(&parties[2], "c") && got(&parties[3], "d"));
    end(4);
    ask(begin(0, "e"));
    CHECK(db.ahead_count == 1);
    run(&parties[0]);
    CHECK(got(&parties[0], "e"));
    end(1);
}

static void without_a_connection_nothing_is_asked(void)
{
    db_close(&db);
    ask(begin(0, "a"));
    CHECK(db.ahead_count == 0);
    run(&parties[0]);
    CHECK(got(&parties[0], "a"));
    end(1);
}

int main(void)
{
    if (!scratch_start())
        return EXIT_FAILURE;
    db = (struct db){.conninfo = scratch.app};
    if (db_open(&db, scratch.app) == OK) {
        RUN(each_gets_its_own_answer_in_its_own_tenant);
        RUN(the_order_is_free);
        RUN(only_the_very_statement_takes_an_answer);
        RUN(what_was_dropped_is_taken_by_nobody);
        RUN(a_failure_is_its_own_and_said_when_its_turn_comes);
        RUN(a_transaction_comes_between);
        RUN(a_lost_connection_is_opened_anew);
        RUN(without_a_connection_nothing_is_asked);
    } else {
        failures++;
    }
    db_close(&db);
    scratch_stop();
    return failures > 0;
}
