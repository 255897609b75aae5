/* SPDX-License-Identifier: Apache-2.0 */
#include "lineage/privacy/words.h"

#include "tests/unit/lineage_db.h"
#include "tests/unit/test.h"

/* What is found by opening entries, and what the index finds by tokens, must be the same. */

static const uint8_t key[SEAL_KEY] = {1, 2, 3};
static const uint8_t another[SEAL_KEY] = {1, 2, 4};
static const char mark[] = "0000000000007000800000000000000a";
static struct arena *a;

static const struct {
    const char *texts[2];
    const char *query;
    bool found;
} cases[] = {
    {{"models/risk", "{\"description\":\"A lone walrus\"}"}, "walrus", true},
    {{NULL, "{\"description\":\"A lone walrus\"}"}, "WALRUS", true},
    {{NULL, "a lone walrus"}, "walru", false},
    {{NULL, "a lone walrus"}, "walrus seal", false},
    {{NULL, "a lone walrus"}, "walrus or seal", true},
    {{NULL, "a lone walrus"}, "seal or walrus lone", true},
    {{NULL, "a lone walrus"}, "seal or walrus pair", false},
    {{NULL, "a lone walrus"}, "-seal", true},
    {{NULL, "a lone walrus"}, "walrus -lone", false},
    {{NULL, "a lone walrus"}, "\"lone walrus\"", true},
    {{NULL, "a lone walrus"}, "\"walrus lone\"", false},
    {{NULL, "a lone walrus"}, "-\"lone walrus\"", false},
    {{NULL, "a lone walrus"}, "\"lone walrus", true},
    {{NULL, "ann@example.org"}, "ann@example.org", true},
    {{NULL, "ann@example.org"}, "example", true},
    {{NULL, "ann, example: org"}, "ann@example.org", true},
    {{NULL, "ann x example org"}, "ann@example.org", false},
    {{"users/ann", "lee"}, "\"ann lee\"", false},
    {{"users/ann", "lee"}, "ann lee", true},
    {{NULL, "line\\nnext \\u0041pple \\\"quoted\\\""}, "next", true},
    {{NULL, "line\\nnext \\u0041pple \\\"quoted\\\""}, "pple quoted line", true},
    {{NULL, "line\\nnext"}, "nnext", false},
    {{NULL, "\xc3\x84rger im K\xc3\xa4"
            "fig"},
     "\xc3\xa4rger",
     true},
    {{NULL, "\xd0\x9c\xd0\xbe\xd1\x81\xd0\xba\xd0\xb2\xd0\xb0"},
     "\xd0\xbc\xd0\xbe\xd1\x81\xd0\xba\xd0\xb2\xd0\xb0",
     true},
    {{NULL, "\xe6\x9d\xb1\xe4\xba\xac"}, "\xe6\x9d\xb1\xe4\xba\xac", true},
    {{NULL, "bad \xff utf \xc3( 8"}, "utf 8", true},
    {{NULL, "or else"}, "or", true},
    {{NULL, "or else"}, "else or", true},
    {{NULL, "it's 'quoted' \\ & | ! <-> ()"}, "'quoted'", true},
    {{NULL, "3.14 and 2026-11-21T08:00:00Z"}, "3.14 and 2026-11", true},
};

static bool index_finds(const char *vector, const char *tokens)
{
    const char *const values[] = {vector, tokens, mark};
    PGresult *r = PQexecParams(scratch.super, "SELECT $1::tsvector @@ ($3::tsquery && $2::tsquery)",
                               3, NULL, values, NULL, NULL, 0);
    bool found = PQresultStatus(r) == PGRES_TUPLES_OK && *PQgetvalue(r, 0, 0) == 't';

    if (PQresultStatus(r) != PGRES_TUPLES_OK)
        (void)printf("%s: %s", tokens, PQresultErrorMessage(r));
    PQclear(r);
    return found;
}

static const char *vector_of(const uint8_t *with, const char *const texts[2])
{
    struct words_index *x = words_index_new(with, mark);
    struct text t = text_new(1 << 20);
    const char *vector;

    words_vector(x, texts, 2, &t);
    words_index_free(x);
    vector = arena_copy(a, t.data, t.length);
    text_free(&t);
    return vector;
}

static void both_ways_find_the_same(void)
{
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct words_query q;
        const char *vector = vector_of(key, cases[i].texts);
        bool opened, indexed;

        CHECK(words_parse(a, cases[i].query, &q) && q.count > 0);
        opened = words_match(&q, cases[i].texts, 2);
        indexed = index_finds(vector, words_tokens(a, &q, key));
        if (opened != cases[i].found || indexed != cases[i].found)
            (void)printf("%s: opened %d, indexed %d\n", cases[i].query, opened, indexed);
        CHECK(opened == cases[i].found && indexed == cases[i].found);
    }
}

static void the_index_holds_no_word_and_is_of_its_key(void)
{
    const char *const texts[2] = {"models/risk", "{\"note\":\"swordfish swordfish\"}"};
    const char *vector = vector_of(key, texts);
    struct words_query q;
    char token[WORD_TOKEN];

    CHECK(strstr(vector, "swordfish") == NULL && strstr(vector, "risk") == NULL);
    word_token(key, "swordfish", token);
    CHECK(strstr(vector, token) != NULL && strlen(token) == WORD_TOKEN - 1);
    CHECK(words_parse(a, "swordfish", &q));
    CHECK(index_finds(vector, words_tokens(a, &q, key)));
    CHECK(!index_finds(vector, words_tokens(a, &q, another)));
    CHECK(!index_finds(vector_of(another, texts), words_tokens(a, &q, key)));
}

static void what_is_large_is_bounded(void)
{
    struct text many = text_new(8 << 20), query = text_new(1 << 20);
    char *longest = arena_alloc(a, 5001);
    const char *texts[2] = {NULL, NULL};
    struct words_query q;

    for (int i = 0; i < 3 * WORDS_MAX; i++)
        text_printf(&many, "w%d ", i);
    texts[1] = many.data;
    CHECK(words_parse(a, "w15990", &q) && words_match(&q, texts, 2));
    CHECK(index_finds(vector_of(key, texts), words_tokens(a, &q, key)));
    CHECK(words_parse(a, "w16000", &q) && !words_match(&q, texts, 2));
    CHECK(!index_finds(vector_of(key, texts), words_tokens(a, &q, key)));
    memset(longest, 'x', 5000);
    texts[1] = longest;
    CHECK(words_parse(a, longest, &q) && words_match(&q, texts, 2));
    CHECK(index_finds(vector_of(key, texts), words_tokens(a, &q, key)));
    for (int i = 0; i < WORDS_TERMS_MAX; i++)
        text_printf(&query, "w%d ", i);
    CHECK(words_parse(a, query.data, &q) && q.count == WORDS_TERMS_MAX);
    text_puts(&query, "more");
    CHECK(!words_parse(a, query.data, &q));
    CHECK(words_parse(a, " - \"\" ! ...", &q) && q.count == 0);
    CHECK(!words_match(&q, texts, 2));
    text_free(&many);
    text_free(&query);
}

int main(void)
{
    if (!scratch_start())
        return EXIT_FAILURE;
    a = arena_new();
    RUN(both_ways_find_the_same);
    RUN(the_index_holds_no_word_and_is_of_its_key);
    RUN(what_is_large_is_bounded);
    arena_free(a);
    scratch_stop();
    return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
