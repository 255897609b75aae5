/* SPDX-License-Identifier: Apache-2.0 */
#include "core/crypto.h"

#include <openssl/evp.h>
#include <stdlib.h>

enum err ed25519_public(const uint8_t secret[ED25519_KEY], uint8_t public[ED25519_KEY])
{
    EVP_PKEY *key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, secret, ED25519_KEY);
    size_t size = ED25519_KEY;
    bool fine =
        key != NULL && EVP_PKEY_get_raw_public_key(key, public, &size) == 1 && size == ED25519_KEY;

    EVP_PKEY_free(key);
    return fine ? OK : ERR_INTERNAL;
}

void ed25519_generate(uint8_t secret[ED25519_KEY], uint8_t public[ED25519_KEY])
{
    random_bytes(secret, ED25519_KEY);
    if (ed25519_public(secret, public) != OK)
        abort();
}

enum err ed25519_sign(const uint8_t secret[ED25519_KEY], const void *data, size_t length,
                      uint8_t signature[ED25519_SIGNATURE])
{
    EVP_PKEY *key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, secret, ED25519_KEY);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    size_t size = ED25519_SIGNATURE;
    bool fine =
        key != NULL && context != NULL && EVP_DigestSignInit(context, NULL, NULL, NULL, key) == 1 &&
        EVP_DigestSign(context, signature, &size, data, length) == 1 && size == ED25519_SIGNATURE;

    EVP_MD_CTX_free(context);
    EVP_PKEY_free(key);
    return fine ? OK : ERR_INTERNAL;
}

bool ed25519_verify(const uint8_t public[ED25519_KEY], const void *data, size_t length,
                    const uint8_t signature[ED25519_SIGNATURE])
{
    EVP_PKEY *key = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, public, ED25519_KEY);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool fine = key != NULL && context != NULL &&
                EVP_DigestVerifyInit(context, NULL, NULL, NULL, key) == 1 &&
                EVP_DigestVerify(context, signature, ED25519_SIGNATURE, data, length) == 1;

    EVP_MD_CTX_free(context);
    EVP_PKEY_free(key);
    return fine;
}
