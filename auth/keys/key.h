/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYS_KEY_H
#define KEYS_KEY_H

#include "core/db.h"

#include <jansson.h>
#include <openssl/evp.h>

/* The ES256 keys that sign our access tokens, shared by all replicas through the table signing_key.
 * The private half is sealed under the installation's key, and what does not open under it is no
 * key of ours: whoever can only write to the database cannot make one. A key signs for a day, is
 * replaced by itself, and verifies until its last token has expired. Thread-safe. */
enum { KID_SIZE = 17 };

/* key: SEAL_KEY bytes, borrowed until keys_stop. */
void keys_start(const uint8_t *key);
void keys_stop(void);

/* The key to sign with, made if there is none; the caller frees it. kid is 16 characters. Not
 * inside a transaction that is running; nor are the next ones. */
MUST_CHECK enum err keys_signer(struct db *db, EVP_PKEY **key, char kid[KID_SIZE]);
/* A jwt_key_of (auth/jwt.h), whose arg is the struct db to look for keys of other replicas with. */
EVP_PKEY *keys_verifier(void *db, const char *kid);
/* Read the table again: forgets what is retired. */
MUST_CHECK enum err keys_renew(struct db *db);
/* From now on sign with a new key. The old one still verifies. */
MUST_CHECK enum err auth_keys_rotate(struct db *db);
/* A JWK Set (RFC 7517), owned by the caller. */
MUST_CHECK enum err keys_jwks(struct db *db, json_t **out);

#endif
