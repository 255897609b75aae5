/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LINEAGE_LOG_KEY_H
#define LINEAGE_LOG_KEY_H

#include "lineage/log.h"

/* The keys of db->tenant's log: the present one (of struct log) and those before it. A key that was
 * replaced signs beside its successor for a while, so that whoever knows only the old one can go
 * over to the new one; what it signed stays valid for ever. */

struct log_key {
    const char *origin;
    uint8_t public[ED25519_KEY];
    uint8_t sealed[ED25519_KEY + SEAL_OVERHEAD];
    bool signs;
    const char *until;     /* RFC 3339; NULL for the present key */
    const char *statement; /* what ended it; NULL for the present key */
};

/* The present key first, then the newest; of former origins too. At most NOTE_KEYS_MAX. */
struct log_keys {
    struct log_key items[NOTE_KEYS_MAX];
    size_t count;
};
MUST_CHECK enum err log_keys_find(struct db *db, const struct log *l, struct log_keys *out);

/* Those that verify notes of the log's present origin. ERR_INVALID when it cannot be a key's name.
 */
struct log_verifiers {
    struct note_key keys[NOTE_KEYS_MAX];
    size_t count;
};
MUST_CHECK enum err log_verifiers(const struct log *l, const struct log_keys *keys,
                                  struct log_verifiers *out);

/* A log's secret key, which opens only in its tenant's place and must be the public one's. Wipe it.
 */
MUST_CHECK enum err log_key_open(struct db *db, const uint8_t seal_key[SEAL_KEY],
                                 const struct log_key *key, uint8_t secret[ED25519_KEY]);
/* A fresh key, sealed. Only public and sealed are set. */
MUST_CHECK enum err log_key_make(struct db *db, const uint8_t seal_key[SEAL_KEY],
                                 struct log_key *out);

/* The present key steps back, and fresh takes its place. statement is the old key's word on it. */
MUST_CHECK enum err log_key_replace(struct db *db, const struct log *l, const struct log_key *fresh,
                                    int64_t overlap_hours, const char *statement);

#endif
