/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KEYS_PUBLIC_KEY_H
#define KEYS_PUBLIC_KEY_H

#include <openssl/evp.h>
#include <stddef.h>
#include <stdint.h>

/* Public keys of others from their numbers, big-endian (as JSON Web Keys and COSE keys have them).
 * NULL when OpenSSL does not find it a good key, and for RSA below 2048 or above 8192 bits or with
 * an exponent below 65537. The caller frees it with EVP_PKEY_free. */
enum { RSA_BITS_MIN = 2048, RSA_BITS_MAX = 8192, CURVE_BYTES = 32, EXPONENT_MAX = 8 };

EVP_PKEY *public_key_rsa(const uint8_t *n, size_t n_length, const uint8_t *e, size_t e_length);
EVP_PKEY *public_key_p256(const uint8_t x[CURVE_BYTES], const uint8_t y[CURVE_BYTES]);
EVP_PKEY *public_key_ed25519(const uint8_t bytes[CURVE_BYTES]);

#endif
