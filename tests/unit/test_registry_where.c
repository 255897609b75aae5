/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/where.h"

#include "tests/unit/test.h"

#include <string.h>

static const struct where_attribute attributes[] = {
    {" start_time created ", "r.start_ms", true},
    {" run_name run name ", "r.name", false},
    {.names = NULL},
};
static const struct where_named named[] = {
    {" metric metrics ", "EXISTS (SELECT FROM m x WHERE x.key = $%d AND ", "x.value", true},
    {" tag tags ", "EXISTS (SELECT FROM t x WHERE x.key = $%d AND ", "x.value", false},
    {.entities = NULL},
};
static const struct where_subject subject = {attributes, named, " attribute run "};

static struct request rq;
static struct where *w;
static bool patterns; /* RLIKE is taken */

/* The SQL that a filter becomes, or NULL. */
static const char *built(const char *text)
{
    struct filter f;
    const char *why;

    if (rq.arena != NULL)
        arena_free(rq.arena);
    rq.arena = arena_new();
    w = where_new(rq.arena);
    w->patterns = patterns;
    if (filter_parse(rq.arena, text, &f, &why) != OK || where_filter(&rq, w, &subject, &f) != OK)
        return NULL;
    return w->sql.data == NULL ? "" : w->sql.data;
}

static void values_are_only_ever_bound(void)
{
    const char *sql = built("run_name = 'x'' OR 1=1; --' AND tags.`a;b` != \"'\"");

    CHECK(sql != NULL);
    CHECK(strcmp(sql, " AND r.name = $1::text AND EXISTS (SELECT FROM t x WHERE x.key = $2 AND "
                      "x.value <> $3::text)") == 0);
    CHECK(w->count == 3 && strcmp(w->params[0].data, "x'' OR 1=1; --") == 0);
    CHECK(strcmp(w->params[1].data, "a;b") == 0 && strcmp(w->params[2].data, "'") == 0);
}

static void what_is_there_and_patterns(void)
{
    CHECK(built("run_name RLIKE 'a'") == NULL && built("tags.a RLIKE 'a'") == NULL);
    patterns = true;
    CHECK(strcmp(built("run_name RLIKE '^a' AND tags.x IS NULL"),
                 " AND r.name ~ $1::text AND NOT EXISTS (SELECT FROM t x WHERE x.key = $2 AND "
                 "x.value IS NOT NULL)") == 0);
    CHECK(strcmp(built("run_name is not null AND metrics.m IS NOT NULL"),
                 " AND r.name IS NOT NULL AND EXISTS (SELECT FROM m x WHERE x.key = $1 AND "
                 "x.value IS NOT NULL)") == 0);
    CHECK(strcmp(built("run_name IS NULL"), " AND r.name IS NULL") == 0 && w->count == 0);
    CHECK(built("run_name IS 'a'") == NULL && built("run_name NOT NULL") == NULL);
    CHECK(built("run_name IS NULL 'a'") == NULL && built("metrics.m RLIKE 'a'") == NULL);
    patterns = false;
}

static void numbers_and_lists(void)
{
    CHECK(strcmp(built("metrics.loss >= -1.5e3 and created<5"),
                 " AND EXISTS (SELECT FROM m x WHERE x.key = $1 AND x.value >= $2::float8)"
                 " AND r.start_ms < $3::float8") == 0);
    CHECK(w->params[1].real == -1500);
    CHECK(strcmp(built("run.run_name NOT IN ('a', 'b',)"), " AND r.name <> ALL ($1::text[])") == 0);
    CHECK(w->params[0].length == 2);
    CHECK(strcmp(built("`run name` ilike '%A_'"), " AND r.name ILIKE $1::text ESCAPE ''") == 0);
    CHECK(strcmp(built(""), "") == 0 && strcmp(built(" \n"), "") == 0);
}

static void what_is_no_filter(void)
{
    static const char *const texts[] = {
        "run_name",         "run_name =",        "run_name = 'a",         "run_name = a",
        "run_name > 'a'",   "metrics.a = 'x'",   "metrics.a LIKE 1",      "x.y = 'a'",
        "y = 'a'",          "run_name = 'a' OR", "run_name = 'a' AND",    "AND",
        "run_name IN 'a'",  "run_name IN ()",    "run_name IN ('a'",      "run_name IN (1)",
        "run_name = ('a')", "(run_name = 'a')",  "metrics.a > 1e999",     "metrics.a > nan",
        "tags.`a = 'b'",    "run_name = 'a';",   "run_name REGEXP 'a'",   "= 'a'",
        "tags. = 'a'",      ".a = 'b'",          "run_name NOT LIKE 'a'", "metrics.a > 1 2",
    };

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        CHECK(built(texts[i]) == NULL);
    }
}

static void as_many_clauses_as_a_statement_holds(void)
{
    struct text t = text_new(1 << 16);

    for (int i = 0; i < FILTER_CLAUSES_MAX; i++)
        text_printf(&t, "%smetrics.a > 1", i == 0 ? "" : " AND ");
    CHECK(built(t.data) != NULL && w->count == (size_t)2 * FILTER_CLAUSES_MAX && !w->full);
    text_puts(&t, " AND metrics.a > 1");
    CHECK(built(t.data) == NULL);
    text_free(&t);
    while (!w->full && w->count < DB_PARAMS_MAX)
        (void)where_bind(w, P_INT(1));
    (void)where_bind(w, P_INT(1));
    CHECK(w->full && w->count == DB_PARAMS_MAX);
}

static void orders(void)
{
    struct filter_order o;
    const char *why;

    CHECK(filter_order_parse(rq.arena, " metrics.`my loss`  desc", &o, &why) == OK);
    CHECK(o.descending && strcmp(o.entity, "metrics") == 0 && strcmp(o.key, "my loss") == 0);
    CHECK(filter_order_parse(rq.arena, "start_time", &o, &why) == OK && !o.descending);
    CHECK(filter_order_parse(rq.arena, "start_time SIDEWAYS", &o, &why) == ERR_INVALID);
    CHECK(filter_order_parse(rq.arena, "", &o, &why) == ERR_INVALID && why != NULL);
}

static void words_are_found_whole(void)
{
    CHECK(where_lists(" run_name run name ", "run name"));
    CHECK(!where_lists(" run_name ", "run") && !where_lists(" run_name ", "name"));
    CHECK(!where_lists(" run_name ", "") && !where_lists(" a ", " a"));
}

int main(void)
{
    RUN(values_are_only_ever_bound);
    RUN(what_is_there_and_patterns);
    RUN(numbers_and_lists);
    RUN(what_is_no_filter);
    RUN(as_many_clauses_as_a_statement_holds);
    RUN(orders);
    RUN(words_are_found_whole);
    arena_free(rq.arena);
    return failures != 0;
}
