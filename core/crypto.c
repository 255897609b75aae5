/* SPDX-License-Identifier: Apache-2.0 */
#include "core/crypto.h"

#include <errno.h>
#include <limits.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

enum { NONCE = 12, TAG = 16 };

/* Fetched once: an implicit fetch in each call costs more than hashing a small text. */
static struct {
    EVP_MD *sha256;
    EVP_CIPHER *aes_gcm;
    EVP_MAC_CTX *hmac;
    pthread_key_t context;
} ready;
static pthread_once_t once = PTHREAD_ONCE_INIT;
/* Each thread's own context for short hashes; the key above frees it with the thread. */
static _Thread_local EVP_MD_CTX *own_context;

struct sha256 {
    EVP_MD_CTX *context;
};

/* Out of memory, or a libcrypto without its algorithms: there is no safe way on. */
static void need(bool fine, const char *what)
{
    if (fine)
        return;
    (void)fprintf(stderr, "cryptography failed: %s\n", what);
    abort();
}

static void context_free(void *context)
{
    EVP_MD_CTX_free(context);
}

static void prepare(void)
{
    char name[] = "SHA256";
    OSSL_PARAM digest[] = {OSSL_PARAM_construct_utf8_string("digest", name, 0),
                           OSSL_PARAM_construct_end()};
    EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);

    ready.sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    need(ready.sha256 != NULL, "no SHA-256");
    ready.aes_gcm = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
    need(ready.aes_gcm != NULL, "no AES-256-GCM");
    ready.hmac = mac == NULL ? NULL : EVP_MAC_CTX_new(mac);
    /* Keyed, since a context without a key cannot be copied. */
    need(ready.hmac != NULL && EVP_MAC_init(ready.hmac, (const uint8_t *)"", 0, digest) == 1,
         "no HMAC");
    EVP_MAC_free(mac);
    need(pthread_key_create(&ready.context, context_free) == 0, "no thread storage");
}

static EVP_MD_CTX *begin(EVP_MD_CTX *context)
{
    need(context != NULL && EVP_DigestInit_ex2(context, ready.sha256, NULL) == 1, "SHA-256 start");
    return context;
}

static struct digest end(EVP_MD_CTX *context)
{
    struct digest d;
    unsigned length = 0;

    need(EVP_DigestFinal_ex(context, d.bytes, &length) == 1 && length == SHA256_SIZE,
         "SHA-256 end");
    return d;
}

struct sha256 *sha256_begin(void)
{
    struct sha256 *h = malloc(sizeof(*h));

    need(h != NULL, "out of memory");
    (void)pthread_once(&once, prepare);
    h->context = begin(EVP_MD_CTX_new());
    return h;
}

void sha256_add(struct sha256 *h, const void *data, size_t length)
{
    need(EVP_DigestUpdate(h->context, data, length) == 1, "SHA-256");
}

struct digest sha256_end(struct sha256 *h)
{
    struct digest d = end(h->context);

    sha256_drop(h);
    return d;
}

void sha256_drop(struct sha256 *h)
{
    if (h == NULL)
        return;
    EVP_MD_CTX_free(h->context);
    free(h);
}

struct digest sha256_of(const void *data, size_t length)
{
    if (own_context == NULL) {
        (void)pthread_once(&once, prepare);
        own_context = EVP_MD_CTX_new();
        need(own_context != NULL && pthread_setspecific(ready.context, own_context) == 0,
             "out of memory");
    }
    (void)begin(own_context);
    need(EVP_DigestUpdate(own_context, data, length) == 1, "SHA-256");
    return end(own_context);
}

struct digest hmac_sha256(const void *key, size_t key_length, const void *data, size_t length)
{
    EVP_MAC_CTX *context;
    struct digest d = {.bytes = {0}};
    size_t size = 0;

    (void)pthread_once(&once, prepare);
    context = EVP_MAC_CTX_dup(ready.hmac);
    need(context != NULL &&
             EVP_MAC_init(context, key == NULL ? (const void *)"" : key, key_length, NULL) == 1 &&
             EVP_MAC_update(context, data, length) == 1 &&
             EVP_MAC_final(context, d.bytes, &size, sizeof(d.bytes)) == 1 && size == SHA256_SIZE,
         "HMAC-SHA-256");
    EVP_MAC_CTX_free(context);
    return d;
}

bool digest_equal(const struct digest *a, const struct digest *b)
{
    return secret_equal(a->bytes, b->bytes, SHA256_SIZE);
}

bool secret_equal(const void *a, const void *b, size_t length)
{
    return CRYPTO_memcmp(a, b, length) == 0;
}

void random_bytes(void *out, size_t length)
{
    unsigned char *to = out;

    while (length > 0) {
        ssize_t got = getrandom(to, length, 0);

        need(got > 0 || errno == EINTR, "no random bytes");
        if (got > 0) {
            to += got;
            length -= (size_t)got;
        }
    }
}

/* One direction of AES-256-GCM with the tag at tag. */
static bool gcm(EVP_CIPHER_CTX *c, const char *aad, const uint8_t *in, int length, uint8_t *out,
                uint8_t *tag)
{
    bool opening = EVP_CIPHER_CTX_is_encrypting(c) == 0;
    int count = 0;

    if (EVP_CipherUpdate(c, NULL, &count, (const uint8_t *)aad, (int)strlen(aad)) != 1)
        return false;
    if (length > 0 && EVP_CipherUpdate(c, out, &count, in, length) != 1)
        return false;
    if (opening && EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_SET_TAG, TAG, tag) != 1)
        return false;
    if (EVP_CipherFinal_ex(c, out + length, &count) != 1)
        return false;
    return opening || EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_GET_TAG, TAG, tag) == 1;
}

enum err seal(const uint8_t key[SEAL_KEY], const char *aad, const void *plain, size_t length,
              uint8_t *out)
{
    EVP_CIPHER_CTX *c;
    bool fine;

    if (length > INT_MAX - SEAL_OVERHEAD || strlen(aad) > INT_MAX)
        return ERR_TOO_LARGE;
    (void)pthread_once(&once, prepare);
    random_bytes(out, NONCE);
    c = EVP_CIPHER_CTX_new();
    fine = c != NULL && EVP_CipherInit_ex2(c, ready.aes_gcm, key, out, 1, NULL) == 1 &&
           gcm(c, aad, plain, (int)length, out + NONCE, out + NONCE + length);
    EVP_CIPHER_CTX_free(c);
    return fine ? OK : ERR_INTERNAL;
}

enum err unseal(const uint8_t key[SEAL_KEY], const char *aad, const void *sealed, size_t length,
                uint8_t *out)
{
    const uint8_t *in = sealed;
    uint8_t tag[TAG];
    EVP_CIPHER_CTX *c;
    bool fine;

    if (length < SEAL_OVERHEAD || length > INT_MAX || strlen(aad) > INT_MAX)
        return ERR_INTERNAL;
    (void)pthread_once(&once, prepare);
    memcpy(tag, in + length - TAG, TAG);
    length -= SEAL_OVERHEAD;
    c = EVP_CIPHER_CTX_new();
    fine = c != NULL && EVP_CipherInit_ex2(c, ready.aes_gcm, key, in, 0, NULL) == 1 &&
           gcm(c, aad, in + NONCE, (int)length, out, tag);
    EVP_CIPHER_CTX_free(c);
    if (!fine)
        OPENSSL_cleanse(out, length);
    return fine ? OK : ERR_INTERNAL;
}

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
