/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DOCUMENT_MODEL_KEY_H
#define DOCUMENT_MODEL_KEY_H

#include "core/request.h"

/* The tenant's key for OpenSSF model signatures, which want ECDSA (P-256, SHA-256): its log's
 * Ed25519 key will not do. Made when it is first needed, and kept sealed. */

enum { MODEL_SIGNATURE_MAX = 80, MODEL_SECRET_MAX = 256 };

struct model_key {
    const char *public; /* SubjectPublicKeyInfo, PEM */
    size_t sealed_length;
    uint8_t sealed[MODEL_SECRET_MAX + SEAL_OVERHEAD];
};

/* ERR_NOT_FOUND before the first signature. */
MUST_CHECK enum err model_key_find(struct db *db, struct model_key *out);
/* Made if there is none. ERR_UNAVAILABLE when the service has no place for keys. TX_WRITE. */
MUST_CHECK enum err model_key_get(struct db *db, struct model_key *out);
/* A DER signature over the bytes. */
MUST_CHECK enum err model_key_sign(struct db *db, const struct model_key *key,
                                   const struct text *bytes, uint8_t out[MODEL_SIGNATURE_MAX],
                                   size_t *length);

#endif
