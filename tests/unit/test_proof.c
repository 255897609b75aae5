/* SPDX-License-Identifier: Apache-2.0 */
#include "lineage/proof.h"

#include "lineage/tile.h"
#include "tests/tools/log_files.h"
#include "tests/unit/test.h"

enum { SIZE = 1000, INDEX = 700 };

static struct log_files l;
static struct text note, proof;
static struct digest leaf;

/* A log of SIZE entries, and the proof text of entry INDEX. */
static bool begin(void)
{
    char directory[] = "/tmp/test_proof.XXXXXX", entry[LOG_ENTRY_ROOM];
    struct log_proof p = {.extra = "YWJj", .extra_length = 4, .index = INDEX};
    struct tile_source from = {log_file_load, l.directory};
    struct tile_reader *r;
    struct merkle_nodes nodes;
    enum err e;

    if (mkdtemp(directory) == NULL || !log_files_begin(&l, directory, "log.test") ||
        log_files_grow(&l, SIZE) != OK || log_files_sign(&l) != OK)
        return false;
    note = text_new(NOTE_MAX);
    proof = text_new(LOG_PROOF_MAX);
    if (log_file_read(l.directory, "checkpoint", &note) != OK)
        return false;
    r = tile_reader_new(&from, SIZE);
    nodes = tile_nodes(r);
    e = merkle_inclusion(&nodes, INDEX, SIZE, &p.path);
    tile_reader_free(r);
    leaf = merkle_leaf(entry, log_entry(INDEX, entry));
    p.checkpoint = note.data;
    p.checkpoint_length = note.length;
    log_proof_write(&proof, &p);
    return e == OK && !proof.failed;
}

static enum log_proof_state verify(const char *text, size_t length)
{
    struct log_proof p;
    struct checkpoint c;

    if (log_proof_parse(text, length, &p) != OK)
        return LOG_PROOF_CHECKPOINT;
    return log_proof_verify(&p, &leaf, &l.key, 1, &c);
}

static void a_written_proof_reads_and_verifies(void)
{
    struct digest other = merkle_leaf("other", 5);
    struct text again = text_new(LOG_PROOF_MAX);
    struct checkpoint c;
    struct log_proof p;

    CHECK(strncmp(proof.data, "c2sp.org/tlog-proof@v1\nextra YWJj\nindex 700\n", 44) == 0);
    CHECK(log_proof_parse(proof.data, proof.length, &p) == OK);
    CHECK(p.index == INDEX && p.path.count == 10 && p.extra_length == 4);
    CHECK(log_proof_verify(&p, &leaf, &l.key, 1, &c) == LOG_PROOF_GOOD);
    CHECK(c.size == SIZE && digest_equal(&c.root, &l.head.root));
    CHECK(log_proof_verify(&p, &other, &l.key, 1, &c) == LOG_PROOF_PATH);
    CHECK(log_proof_verify(&p, &leaf, NULL, 0, &c) == LOG_PROOF_CHECKPOINT);
    log_proof_write(&again, &p);
    CHECK(strcmp(again.data, proof.data) == 0);
    text_free(&again);
    p.extra = NULL;
    log_proof_write(&again, &p);
    CHECK(strncmp(again.data, "c2sp.org/tlog-proof@v1\nindex 700\n", 33) == 0);
    CHECK(verify(again.data, again.length) == LOG_PROOF_GOOD);
    text_free(&again);
}

static void no_changed_bit_or_missing_byte_passes(void)
{
    size_t extra = (size_t)(strstr(proof.data, "YWJj") - proof.data);

    for (size_t i = 0; i < proof.length; i++) {
        CHECK(verify(proof.data, i) != LOG_PROOF_GOOD);
        if (i >= extra && i < extra + 4)
            continue; /* which nothing vouches for */
        proof.data[i] ^= 1;
        CHECK(verify(proof.data, proof.length) != LOG_PROOF_GOOD);
        proof.data[i] ^= 1;
    }
    CHECK(verify(proof.data, proof.length) == LOG_PROOF_GOOD);
}

#define FIRST "c2sp.org/tlog-proof@v1\n"
#define HASH  "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"

static void malformed_proofs_are_refused(void)
{
    static const char *const bad[] = {
        "",
        FIRST,
        "c2sp.org/tlog-proof@v2\nindex 0\n\nx",
        FIRST "index 0\n",
        FIRST "index 0\n\n",
        FIRST "index 00\n\nx",
        FIRST "index -1\n\nx",
        FIRST "index\n\nx",
        FIRST "index 4611686018427387904\n\nx",
        FIRST "extra\nindex 0\n\nx",
        FIRST "extra Zh==\nindex 0\n\nx",
        FIRST "extra YWJj\nextra YWJj\nindex 0\n\nx",
        FIRST "index 0\nextra YWJj\n\nx",
        FIRST "index 0\nAAAA\n\nx",
        FIRST "index 0\n" HASH "x",
    };
    struct text many = text_new(LOG_PROOF_MAX);
    struct log_proof p;

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        CHECK(log_proof_parse(bad[i], strlen(bad[i]), &p) == ERR_INVALID);
    CHECK(log_proof_parse(FIRST "index 0\n\nx", strlen(FIRST "index 0\n\nx"), &p) == OK);
    text_puts(&many, FIRST "index 0\n");
    for (int i = 0; i < MERKLE_PROOF_MAX; i++)
        text_puts(&many, HASH);
    text_puts(&many, "\nx");
    CHECK(log_proof_parse(many.data, many.length, &p) == OK && p.path.count == MERKLE_PROOF_MAX);
    many.length -= 2;
    text_puts(&many, HASH "\nx");
    CHECK(log_proof_parse(many.data, many.length, &p) == ERR_INVALID);
    text_free(&many);
}

int main(void)
{
    if (!begin())
        return EXIT_FAILURE;
    RUN(a_written_proof_reads_and_verifies);
    RUN(no_changed_bit_or_missing_byte_passes);
    RUN(malformed_proofs_are_refused);
    text_free(&note);
    text_free(&proof);
    if (!log_files_remove(l.directory))
        return EXIT_FAILURE;
    return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
