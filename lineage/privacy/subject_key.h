/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PRIVACY_SUBJECT_KEY_H
#define PRIVACY_SUBJECT_KEY_H

#include "core/db.h"
#include "lineage/privacy/key_cache.h"

/* The keys that payloads of audit entries are sealed under: the installation's key wraps a root key
 * a tenant, which wraps one key a subject. A subject is a principal ("ID"), a service account
 * that something was done to ("service-accounts/NAME"), a day for what nobody is known to have done
 * ("day/2026-11-21"), or what words are searched with ("search"). Every layer is bound to its
 * place: a row that was copied elsewhere does not open. All of db->tenant. */

enum { WRAPPED_KEY = SEAL_KEY + SEAL_OVERHEAD, SUBJECT_SIZE = 101 };

/* How root keys are wrapped, said by a floor that has the installation's keys, before anything that
 * writes entries starts. Without it nothing can be recorded. See auth/keys/kek.h for the errors. */
struct audit_wrapping {
    const char *(*current)(void); /* the name of the key that wraps */
    enum err (*wrap)(const char *place, const uint8_t *key, uint8_t *wrapped);
    enum err (*unwrap)(const char *id, const char *place, const uint8_t *wrapped, uint8_t *key);
};
extern const struct audit_wrapping *audit_wrapping;

/* The subject's key for something new, made if there is none: only in TX_WRITE. From memory as a
 * rule; what was destroyed meanwhile shows when the entry is stored, and then the transaction runs
 * again and asks the database. ERR_UNAVAILABLE (logged) when no key can be had. */
MUST_CHECK enum err subject_key_take(struct db *db, const char *subject, struct subject_key *out);
/* The key in force; ERR_NOT_FOUND when there is none. */
MUST_CHECK enum err subject_key_find(struct db *db, const char *subject, struct subject_key *out);
/* A key from its row; wrapped is hexadecimal. ERR_CONTENT when the row is not as it was made,
 * ERR_UNAVAILABLE (logged) when the installation's key cannot be had. */
MUST_CHECK enum err subject_key_open(struct db *db, const char *id, const char *subject,
                                     const char *wrapped, uint8_t out[SEAL_KEY]);

/* Wrap the tenant's root under the newest key of the installation, if it is under an older one. */
MUST_CHECK enum err subject_root_rewrap(struct db *db, bool *changed);

#endif
