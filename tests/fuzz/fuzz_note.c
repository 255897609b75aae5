/* SPDX-License-Identifier: Apache-2.0 */
#include "lineage/proof.h"
#include "lineage/tile.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool fine)
{
    if (!fine)
        abort();
}

/* What parses must be written back as the very same bytes: one meaning, one spelling. */
static void proof_reads_as_written(const char *bytes, size_t size)
{
    struct text again = text_new(LOG_PROOF_MAX + NOTE_MAX);
    struct log_proof p;

    if (log_proof_parse(bytes, size, &p) == OK) {
        log_proof_write(&again, &p);
        must(again.length == size && memcmp(again.data, bytes, size) == 0);
    }
    text_free(&again);
}

static void checkpoint_reads_as_written(const char *bytes, size_t size)
{
    struct text again = text_new(NOTE_MAX);
    struct checkpoint c;

    if (checkpoint_parse(bytes, size, &c) == OK) {
        checkpoint_write(&again, &c);
        must(again.length <= size && memcmp(again.data, bytes, again.length) == 0);
    }
    text_free(&again);
}

static void names_read_as_written(const char *bytes, size_t size)
{
    char text[NOTE_VKEY_SIZE + 2], again[NOTE_VKEY_SIZE], path[TILE_PATH];
    struct note_key key;
    struct tile t;

    if (size >= sizeof(text))
        return;
    memcpy(text, bytes, size);
    text[size] = '\0';
    if (note_vkey_parse(text, &key) == OK) {
        note_vkey(&key, again);
        must(strcmp(text, again) == 0);
    }
    if (tile_path_parse(text, &t)) {
        tile_path(t, path);
        must(strcmp(text, path) == 0);
    }
}

static void bundle_ends(const char *bytes, size_t size)
{
    struct bundle b = {(const uint8_t *)bytes, size, 0};
    const uint8_t *entry;
    size_t length, sum = 0;

    while (bundle_next(&b, &entry, &length))
        sum += 2 + length;
    must(sum == b.at && b.at <= size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char vkey[] =
        "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";
    /* Exact allocation, so that a read past the end is seen. */
    char *bytes = malloc(size + (size == 0));
    struct note_key key;
    struct note n;

    must(bytes != NULL && note_vkey_parse(vkey, &key) == OK);
    if (size > 0)
        memcpy(bytes, data, size);
    if (note_open(bytes, size, &key, 1, &n) != NOTE_MALFORMED) {
        must(n.text == bytes && n.length < size && n.text[n.length - 1] == '\n');
        checkpoint_reads_as_written(n.text, n.length);
    }
    proof_reads_as_written(bytes, size);
    checkpoint_reads_as_written(bytes, size);
    names_read_as_written(bytes, size);
    bundle_ends(bytes, size);
    free(bytes);
    return 0;
}
