/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_CRYPTO_H
#define CORE_CRYPTO_H

#include "core/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    SHA256_SIZE = 32,
    ED25519_KEY = 32,
    ED25519_SIGNATURE = 64,
    SEAL_KEY = 32,
    SEAL_OVERHEAD = 28
};

struct sha256;

struct digest {
    uint8_t bytes[SHA256_SIZE];
};

/* A running SHA-256 (FIPS 180-4). sha256_end frees it and writes the digest; sha256_drop only
 * frees. */
struct sha256 *sha256_begin(void);
void sha256_add(struct sha256 *h, const void *data, size_t length);
struct digest sha256_end(struct sha256 *h);
void sha256_drop(struct sha256 *h);
struct digest sha256_of(const void *data, size_t length);
struct digest hmac_sha256(const void *key, size_t key_length, const void *data, size_t length);
bool digest_equal(const struct digest *a, const struct digest *b);

/* length bytes from the operating system's generator; never fails (aborts when there is none). */
void random_bytes(void *out, size_t length);
/* Constant time. */
bool secret_equal(const void *a, const void *b, size_t length);

/* Ed25519 (RFC 8032). secret is the 32-byte seed. */
void ed25519_generate(uint8_t secret[ED25519_KEY], uint8_t public[ED25519_KEY]);
MUST_CHECK enum err ed25519_public(const uint8_t secret[ED25519_KEY], uint8_t public[ED25519_KEY]);
MUST_CHECK enum err ed25519_sign(const uint8_t secret[ED25519_KEY], const void *data, size_t length,
                                 uint8_t signature[ED25519_SIGNATURE]);
bool ed25519_verify(const uint8_t public[ED25519_KEY], const void *data, size_t length,
                    const uint8_t signature[ED25519_SIGNATURE]);

/* AES-256-GCM with a fresh random nonce: out gets nonce(12) || ciphertext || tag(16), which is
 * length + SEAL_OVERHEAD bytes. aad binds the sealed bytes to their place (tenant, key id, …). */
MUST_CHECK enum err seal(const uint8_t key[SEAL_KEY], const char *aad, const void *plain,
                         size_t length, uint8_t *out);
/* length is of the sealed bytes; out gets length - SEAL_OVERHEAD. ERR_INTERNAL when it does not
 * open. */
MUST_CHECK enum err unseal(const uint8_t key[SEAL_KEY], const char *aad, const void *sealed,
                           size_t length, uint8_t *out);

#endif
