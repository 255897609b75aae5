/* SPDX-License-Identifier: Apache-2.0 */
#include "lineage/privacy/search.h"

#include "lineage/privacy/subject_key.h"
#include "lineage/privacy/words.h"

#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

enum { INDEX_ROWS = 2000, VECTOR_MAX = 1 << 20, BATCH_BYTES = 4 << 20, TEXTS = 2 };
static const char key_subject[] = "search";

/* What is searched: the object as the leaf has it, and the payload. */
static void texts_of(const struct audit_row *row, const char *texts[TEXTS])
{
    texts[0] = row->object;
    texts[1] = row->payload;
}

static enum err search_late(struct request *rq, struct audit_filter *f, const struct words_query *q)
{
    const char *texts[TEXTS];
    struct rows rows;
    int64_t *found;

    TRY(audit_late(rq->db, SEARCH_LATE + 1, &rows));
    found = arena_alloc(rq->arena, (rows.count + 1) * sizeof(*found));
    for (size_t i = 0; i < rows.count; i++) {
        const struct audit_row *row = (const struct audit_row *)rows.items + i;

        texts_of(row, texts);
        if (row->payload != NULL && words_match(q, texts, TEXTS))
            found[f->late_count++] = row->seq;
    }
    f->late = found;
    if (rows.count > SEARCH_LATE)
        request_set_header(rq, "Chancery-Search-Incomplete", "true");
    return OK;
}

enum err audit_search(struct request *rq, struct audit_filter *f)
{
    struct words_query *q = arena_alloc(rq->arena, sizeof(*q));
    struct subject_key key;
    enum err e;

    if (f->words == NULL)
        return OK;
    if (!words_parse(rq->arena, f->words, q)) {
        rq->target = "q";
        return fail(rq, ERR_INVALID, "q asks for more than %d words or phrases", WORDS_TERMS_MAX);
    }
    f->nobody = f->nobody || q->count == 0;
    if (f->nobody)
        return OK;
    TRY(search_late(rq, f, q));
    e = subject_key_find(rq->db, key_subject, &key);
    if (e == OK)
        f->tokens = words_tokens(rq->arena, q, key.key);
    else
        f->tokens = ""; /* nothing was indexed yet */
    OPENSSL_cleanse(&key, sizeof(key));
    return e == ERR_NOT_FOUND ? OK : e;
}

/* The head row's lock lets one replica at a time at it; what it waited for is seen by the next
 * statement only. */
QUERY(search_head, "INSERT INTO audit_text_head (tenant_id, size) VALUES ($1::uuid, 0)"
                   " ON CONFLICT (tenant_id) DO UPDATE SET size = audit_text_head.size"
                   " RETURNING size");
QUERY(search_put,
      "INSERT INTO audit_text (tenant_id, seq, words)"
      " SELECT $1::uuid, x.seq, x.words::tsvector"
      " FROM unnest($2::bigint[], $3::text[]) AS x (seq, words) ON CONFLICT DO NOTHING");
QUERY(search_advance, "UPDATE audit_text_head SET size = $2::bigint WHERE tenant_id = $1::uuid");

struct batch {
    struct db *db;
    int64_t *seqs;
    const char **vectors;
    size_t count;
    size_t bytes;
};

static enum err flush(struct batch *b)
{
    size_t count = b->count;

    b->count = b->bytes = 0;
    if (count == 0)
        return OK;
    return db_run(
        b->db, &search_put, NULL,
        PARAMS(P_TEXT(b->db->tenant), P_INTS(b->seqs, count), P_TEXTS(b->vectors, count)));
}

/* The mark is the tenant's id as audit_search has it: without signs. */
static const char *mark_of(struct db *db)
{
    char *mark = arena_text(db->arena, db->tenant);
    size_t n = 0;

    for (const char *c = db->tenant; *c != '\0'; c++)
        if (*c != '-')
            mark[n++] = *c;
    mark[n] = '\0';
    return mark;
}

static enum err add_row(struct batch *b, const struct audit_row *row, struct words_index *x)
{
    struct text vector = text_new(VECTOR_MAX);
    const char *texts[TEXTS];

    texts_of(row, texts);
    words_vector(x, texts, TEXTS, &vector);
    b->seqs[b->count] = row->seq;
    b->vectors[b->count++] = arena_copy(b->db->arena, vector.data, vector.length);
    b->bytes += vector.length;
    text_free(&vector);
    return b->bytes < BATCH_BYTES ? OK : flush(b);
}

static enum err add_rows(struct batch *b, const struct rows *rows, struct words_index *x)
{
    b->seqs = arena_alloc(b->db->arena, (rows->count + 1) * sizeof(*b->seqs));
    b->vectors = arena_alloc(b->db->arena, (rows->count + 1) * sizeof(*b->vectors));
    for (size_t i = 0; i < rows->count; i++) {
        const struct audit_row *row = (const struct audit_row *)rows->items + i;

        if (row->payload != NULL)
            TRY(add_row(b, row, x));
    }
    return flush(b);
}

enum err audit_index(struct db *db)
{
    struct batch b = {.db = db};
    const struct audit_row *last;
    struct words_index *words;
    struct subject_key key;
    struct rows rows;
    PGresult *head;
    int64_t from;
    enum err e;

    TRY(db_rows(db, &search_head, &head, PARAMS(P_TEXT(db->tenant))));
    from = strtoll(PQgetvalue(head, 0, 0), NULL, 10);
    TRY(audit_range(db, from, INDEX_ROWS, &rows));
    TRY(subject_key_take(db, key_subject, &key));
    words = words_index_new(key.key, mark_of(db));
    OPENSSL_cleanse(&key, sizeof(key));
    e = add_rows(&b, &rows, words);
    words_index_free(words);
    TRY(e);
    if (rows.count == 0)
        return OK;
    /* Up to what was read: meanwhile the sequencer may have placed more. */
    last = (const struct audit_row *)rows.items + rows.count - 1;
    return db_change(db, &search_advance, PARAMS(P_TEXT(db->tenant), P_INT(last->index + 1)));
}
