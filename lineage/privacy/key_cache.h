/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PRIVACY_KEY_CACHE_H
#define PRIVACY_KEY_CACHE_H

#include "core/crypto.h"
#include "core/text.h"

/* Keys that were opened, in memory that is locked, in no core dump and in no child process.
 * Bounded; a key is overwritten when another takes its place, and wiped when it is forgotten or
 * KEY_CACHE_MS have passed. Thread-safe. */

enum { KEY_CACHE_SLOTS = 4096, KEY_CACHE_MS = 5 * 60 * 1000 };

struct subject_key {
    char id[ID_SIZE];
    uint8_t key[SEAL_KEY];
};

bool key_cache_find(const char *tenant, const char *subject, struct subject_key *out);
void key_cache_put(const char *tenant, const char *subject, const struct subject_key *key);
void key_cache_forget(const char *tenant, const char *subject);
/* Wipes what is older than ms; 0 wipes all. */
void key_cache_sweep(int64_t ms);

#endif
