/* SPDX-License-Identifier: Apache-2.0 */
#include "lineage/proof.h"

#include <stdlib.h>
#include <string.h>

static const char first_line[] = "c2sp.org/tlog-proof@v1";

void log_proof_write(struct text *out, const struct log_proof *p)
{
    text_printf(out, "%s\n", first_line);
    if (p->extra != NULL) {
        text_puts(out, "extra ");
        text_add(out, p->extra, p->extra_length);
        text_puts(out, "\n");
    }
    text_printf(out, "index %llu\n", (unsigned long long)p->index);
    for (size_t i = 0; i < p->path.count; i++) {
        digest_write(out, &p->path.hashes[i]);
        text_puts(out, "\n");
    }
    text_puts(out, "\n");
    text_add(out, p->checkpoint, p->checkpoint_length);
}

/* The part of a line after its first word; NULL when it begins otherwise. */
static const char *after(const char *word, const char *line, size_t *length)
{
    size_t size = strlen(word);

    if (line == NULL || *length < size || memcmp(line, word, size) != 0)
        return NULL;
    *length -= size;
    return line + size;
}

static bool base64_valid(const char *text, size_t length)
{
    void *bytes = length / 2 > LOG_PROOF_EXTRA_MAX ? NULL : malloc(length + 1);
    bool fine = bytes != NULL && base64_decode(text, length, bytes, LOG_PROOF_EXTRA_MAX) >= 0;

    free(bytes);
    return fine;
}

/* Hashes, one a line, up to an empty line. */
static bool path_parse(const char **at, const char *end, struct merkle_proof *out)
{
    const char *line;
    size_t size;

    while ((line = line_next(at, end, &size)) != NULL && size > 0) {
        if (out->count == MERKLE_PROOF_MAX || !digest_parse(line, size, &out->hashes[out->count++]))
            return false;
    }
    return line != NULL;
}

enum err log_proof_parse(const char *text, size_t length, struct log_proof *out)
{
    const char *at = text, *end = text + length, *line, *rest;
    size_t size;

    memset(out, 0, sizeof(*out));
    if (length > LOG_PROOF_MAX)
        return ERR_INVALID;
    line = line_next(&at, end, &size);
    if (line == NULL || size != sizeof(first_line) - 1 || memcmp(line, first_line, size) != 0)
        return ERR_INVALID;
    line = line_next(&at, end, &size);
    rest = after("extra ", line, &size);
    if (rest != NULL) {
        if (!base64_valid(rest, size))
            return ERR_INVALID;
        out->extra = rest;
        out->extra_length = size;
        line = line_next(&at, end, &size);
    }
    rest = after("index ", line, &size);
    if (rest == NULL || !decimal_parse(rest, size, MERKLE_SIZE_MAX - 1, &out->index))
        return ERR_INVALID;
    if (!path_parse(&at, end, &out->path))
        return ERR_INVALID;
    out->checkpoint = at;
    out->checkpoint_length = (size_t)(end - at);
    return out->checkpoint_length > 0 ? OK : ERR_INVALID;
}

enum log_proof_state log_proof_verify(const struct log_proof *p, const struct digest *leaf,
                                      const struct note_key *keys, size_t key_count,
                                      struct checkpoint *out)
{
    struct checkpoint c;

    if (checkpoint_open(p->checkpoint, p->checkpoint_length, keys, key_count, &c) != NOTE_GOOD)
        return LOG_PROOF_CHECKPOINT;
    if (!merkle_inclusion_verify(&p->path, p->index, c.size, leaf, &c.root))
        return LOG_PROOF_PATH;
    *out = c;
    return LOG_PROOF_GOOD;
}
