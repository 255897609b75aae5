/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYS_ENVELOPE_H
#define KEYS_ENVELOPE_H

#include "core/db.h"
#include "core/service.h"

/* Envelope encryption, AES-256-GCM throughout: the installation's key (auth/keys/kek.h) wraps one
 * key a tenant, which wraps one key a value. Every layer is bound to its place,
 * "v1|tenant|id|version| purpose", so that a row copied elsewhere does not open. All inside a
 * TX_WRITE of the tenant. */
enum { ENVELOPE_MAX = 65536 };

struct envelope_place {
    const char *id; /* UUID */
    int64_t version;
    const char *purpose; /* "secret", "identity-provider" */
};

MUST_CHECK enum err envelope_seal(struct db *db, const struct envelope_place *p, const void *plain,
                                  size_t length);
/* The value, NUL-terminated, in memory that is wiped with the request. ERR_NOT_FOUND when there is
 * none, or its key was shredded; ERR_INTERNAL (logged) when it does not open. Also outside
 * TX_WRITE. */
MUST_CHECK enum err envelope_open(struct db *db, const struct envelope_place *p, const char **plain,
                                  size_t *length);
/* All versions of it. */
MUST_CHECK enum err envelope_drop(struct db *db, const char *id);

/* A new key for the tenant, wrapped under the newest installation key: all values' keys are wrapped
 * anew and the old tenant key is destroyed. */
MUST_CHECK enum err envelope_rotate(struct db *db, int64_t *number, int64_t *values);
/* The tenant's key under the newest installation key, if it is under an older one. */
MUST_CHECK enum err envelope_rewrap(struct db *db, bool *changed);
/* Crypto-shredding: the tenant's key is destroyed, and with it every value for good. */
MUST_CHECK enum err envelope_shred(struct db *db, int64_t *values);

#endif
