/* SPDX-License-Identifier: Apache-2.0 */
#include "lineage/proof.h"

#include "tests/tools/log_files.h"

/* prove_log DIRECTORY OUT: for some entries of a log made by make_log write OUT/<index>.tlog-proof
 * and .entry, for some sizes OUT/<size>.consistency (size, root, proof; one a line), and the
 * checkpoint. */

enum { PROOFS = 40 };

static bool write_text(const char *out, uint64_t number, const char *kind, const struct text *t)
{
    char file[64];

    (void)snprintf(file, sizeof(file), "%llu.%s", (unsigned long long)number, kind);
    return !t->failed && file_write(out, file, t->data, t->length);
}

static bool prove_entry(const struct merkle_nodes *nodes, uint64_t index, uint64_t size,
                        const struct text *checkpoint, const char *out)
{
    struct text proof = text_new(LOG_PROOF_MAX), entry = text_new(LOG_ENTRY_ROOM);
    struct log_proof p = {.index = index,
                          .extra = "ZXh0cmE=",
                          .extra_length = 8,
                          .checkpoint = checkpoint->data,
                          .checkpoint_length = checkpoint->length};
    char bytes[LOG_ENTRY_ROOM];
    bool fine = merkle_inclusion(nodes, index, size, &p.path) == OK;

    log_proof_write(&proof, &p);
    text_add(&entry, bytes, log_entry(index, bytes));
    fine = fine && write_text(out, index, "tlog-proof", &proof) &&
           write_text(out, index, "entry", &entry);
    text_free(&proof);
    text_free(&entry);
    return fine;
}

/* The old root is computed from the entries, not from the tiles whose proof is on trial. */
static bool prove_size(const struct merkle_nodes *nodes, uint64_t before, uint64_t size,
                       const char *out)
{
    struct text lines = text_new(65536);
    struct frontier old = {0};
    struct merkle_proof p;
    struct digest root;
    bool fine;

    for (uint64_t i = 0; i < before; i++) {
        char entry[LOG_ENTRY_ROOM];
        struct digest leaf = merkle_leaf(entry, log_entry(i, entry));

        frontier_add(&old, &leaf);
    }
    root = frontier_root(&old);
    fine = merkle_consistency(nodes, before, size, &p) == OK;
    text_printf(&lines, "%llu\n", (unsigned long long)before);
    digest_write(&lines, &root);
    text_puts(&lines, "\n");
    for (size_t i = 0; fine && i < p.count; i++) {
        digest_write(&lines, &p.hashes[i]);
        text_puts(&lines, "\n");
    }
    fine = fine && write_text(out, before, "consistency", &lines);
    text_free(&lines);
    return fine;
}

static bool prove(char *directory, const char *out)
{
    struct tile_source from = {log_file_load, directory};
    struct text checkpoint = text_new(NOTE_MAX);
    struct tile_reader *r = NULL;
    struct merkle_nodes nodes;
    struct checkpoint c;
    struct note n;
    bool fine = log_file_read(directory, "checkpoint", &checkpoint) == OK &&
                note_open(checkpoint.data, checkpoint.length, NULL, 0, &n) == NOTE_UNSIGNED &&
                checkpoint_parse(n.text, n.length, &c) == OK && c.size > 0 &&
                file_write(out, "checkpoint", checkpoint.data, checkpoint.length);

    if (fine) {
        r = tile_reader_new(&from, c.size);
        nodes = tile_nodes(r);
        for (uint64_t i = 0; fine && i < c.size; i += (c.size - 1) / PROOFS + 1)
            fine = prove_entry(&nodes, i, c.size, &checkpoint, out) &&
                   prove_size(&nodes, i + 1, c.size, out);
        fine = fine && prove_entry(&nodes, c.size - 1, c.size, &checkpoint, out) &&
               prove_size(&nodes, c.size, c.size, out);
    }
    tile_reader_free(r);
    text_free(&checkpoint);
    return fine;
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        (void)fputs("usage: prove_log DIRECTORY OUT\n", stderr);
        return EXIT_FAILURE;
    }
    return prove(argv[1], argv[2]) ? EXIT_SUCCESS : EXIT_FAILURE;
}
