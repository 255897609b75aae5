/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LINEAGE_NOTE_H
#define LINEAGE_NOTE_H

#include "core/crypto.h"
#include "core/text.h"

/* C2SP signed-note v1.0.0 with Ed25519 (type 0x01), and the note text of C2SP tlog-checkpoint
 * v1.0.0. */

enum {
    NOTE_NAME_MAX = 255,
    NOTE_MAX = 1 << 20,
    NOTE_SIGNATURES_MAX = 64,
    NOTE_KEYS_MAX = 64,
    /* name '+' eight hex digits '+' base64 of type and key, NUL */
    NOTE_VKEY_SIZE = NOTE_NAME_MAX + 1 + 8 + 1 + 44 + 1,
};

struct note_key {
    char name[NOTE_NAME_MAX + 1];
    uint32_t id;
    uint8_t public[ED25519_KEY];
};

/* UTF-8 without spaces (Unicode's), control characters or '+', 1 to NOTE_NAME_MAX bytes. */
bool note_name_valid(const char *name);
/* ERR_INVALID when the name is none. */
MUST_CHECK enum err note_key(const char *name, const uint8_t public[ED25519_KEY],
                             struct note_key *out);
void note_vkey(const struct note_key *key, char out[NOTE_VKEY_SIZE]);
/* ERR_INVALID when text is no vkey, its id is not its key's, or its type is not Ed25519. */
MUST_CHECK enum err note_vkey_parse(const char *text, struct note_key *out);

/* A note is begun with its text (whole lines, the last one ended) and then signed by each key in
 * turn. ERR_INVALID when the text cannot stand in a note; ERR_TOO_LARGE when the note outgrows
 * out's maximum. */
MUST_CHECK enum err note_begin(struct text *out, const char *text, size_t length);
MUST_CHECK enum err note_sign(struct text *note, const struct note_key *key,
                              const uint8_t secret[ED25519_KEY]);

enum note_state {
    NOTE_GOOD,
    NOTE_MALFORMED,
    NOTE_UNSIGNED, /* by any of the keys known */
    NOTE_FORGED,   /* a signature names a known key but is not its */
};
const char *note_state_text(enum note_state s);

struct note {
    const char *text;  /* borrowed from what was opened */
    size_t length;     /* with the final newline */
    size_t signatures; /* lines, of keys known or not */
    uint64_t signers;  /* bit i: keys[i] signed it */
};

/* Read bytes as a note and verify it. Lines of unknown keys are only read. out is set for any state
 * but NOTE_MALFORMED; trust it only when NOTE_GOOD. At most NOTE_KEYS_MAX keys are looked at. */
MUST_CHECK enum note_state note_open(const char *bytes, size_t length, const struct note_key *keys,
                                     size_t key_count, struct note *out);

struct checkpoint {
    char origin[NOTE_NAME_MAX + 1];
    uint64_t size;
    struct digest root;
};

/* The three lines that are signed. */
void checkpoint_write(struct text *out, const struct checkpoint *c);
/* From a note's text. Strict: sizes without leading zeros and at most MERKLE_SIZE_MAX, base64 with
 * zero pad bits. Extension lines are let pass unread. ERR_INVALID otherwise. */
MUST_CHECK enum err checkpoint_parse(const char *text, size_t length, struct checkpoint *out);
/* The checkpoint of a note signed by the key that bears the checkpoint's origin as its name: any
 * state but NOTE_GOOD leaves out unset. */
MUST_CHECK enum note_state checkpoint_open(const char *bytes, size_t length,
                                           const struct note_key *keys, size_t key_count,
                                           struct checkpoint *out);

/* A line that ends in '\n': moves *at past it; NULL when there is none before end. */
const char *line_next(const char **at, const char *end, size_t *length);
/* Decimal digits without leading zeros, at most max. */
bool decimal_parse(const char *text, size_t length, uint64_t max, uint64_t *out);
/* base64 of exactly 32 bytes. */
bool digest_parse(const char *text, size_t length, struct digest *out);
void digest_write(struct text *out, const struct digest *d);

#endif
