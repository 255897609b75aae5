/* SPDX-License-Identifier: Apache-2.0 */
#include "core/crypto.h"

#include "core/text.h"
#include "tests/unit/test.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static bool digest_is(struct digest d, const char *hex)
{
    char text[2 * SHA256_SIZE + 1];

    hex_encode(d.bytes, SHA256_SIZE, text);
    return strcmp(text, hex) == 0;
}

/* FIPS 180-4 examples. */
static void sha256_has_the_published_vectors(void)
{
    struct sha256 *h = sha256_begin();
    char thousand[1000];

    CHECK(digest_is(sha256_of("", 0),
                    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"));
    CHECK(digest_is(sha256_of("abc", 3),
                    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"));
    memset(thousand, 'a', sizeof(thousand));
    for (int i = 0; i < 1000; i++)
        sha256_add(h, thousand, sizeof(thousand));
    sha256_add(h, "", 0);
    CHECK(digest_is(sha256_end(h),
                    "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"));
    sha256_drop(sha256_begin());
    sha256_drop(NULL);
}

static void *hash_much(void *out)
{
    struct digest d = {{0}};

    for (int i = 0; i < 2000; i++)
        d = sha256_of(d.bytes, SHA256_SIZE);
    *(struct digest *)out = d;
    return NULL;
}

static void short_hashes_of_threads_do_not_mix(void)
{
    pthread_t threads[4];
    struct digest results[5];

    for (int i = 0; i < 4; i++)
        CHECK(pthread_create(&threads[i], NULL, hash_much, &results[i]) == 0);
    hash_much(&results[4]);
    for (int i = 0; i < 4; i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
    for (int i = 0; i < 4; i++)
        CHECK(digest_equal(&results[i], &results[4]));
}

/* RFC 4231 §4.2, §4.3, §4.7. */
static void hmac_has_the_published_vectors(void)
{
    static const char long_key_text[] = "Test Using Larger Than Block-Size Key - Hash Key First";
    unsigned char key[131];

    memset(key, 0x0B, 20);
    CHECK(digest_is(hmac_sha256(key, 20, "Hi There", 8),
                    "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"));
    CHECK(digest_is(hmac_sha256("Jefe", 4, "what do ya want for nothing?", 28),
                    "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"));
    memset(key, 0xAA, sizeof(key));
    CHECK(digest_is(hmac_sha256(key, sizeof(key), long_key_text, sizeof(long_key_text) - 1),
                    "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"));
    CHECK(digest_is(hmac_sha256(NULL, 0, "", 0),
                    "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad"));
}

/* RFC 8032 §7.1, tests 1 to 3. */
static const char *const ed25519_vectors[][4] = {
    {"9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
     "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
     "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9"
     "b46bd25bf5f0595bbe24655141438e7a100b"},
    {"4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
     "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
     "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f1"
     "1d8c387b2eaeb4302aeeb00d291612bb0c00"},
    {"c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
     "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
     "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984d"
     "c6594a7c15e9716ed28dc027beceea1ec40a"},
};

static void ed25519_has_the_published_vectors(void)
{
    for (size_t i = 0; i < 3; i++) {
        size_t length = strlen(ed25519_vectors[i][2]) / 2;
        uint8_t secret[ED25519_KEY], expected[ED25519_KEY], public[ED25519_KEY];
        uint8_t message[2], wanted[ED25519_SIGNATURE], signature[ED25519_SIGNATURE];

        CHECK(hex_decode(ed25519_vectors[i][0], secret, ED25519_KEY));
        CHECK(hex_decode(ed25519_vectors[i][1], expected, ED25519_KEY));
        CHECK(hex_decode(ed25519_vectors[i][2], message, length));
        CHECK(hex_decode(ed25519_vectors[i][3], wanted, ED25519_SIGNATURE));
        CHECK(ed25519_public(secret, public) == OK);
        CHECK(memcmp(public, expected, ED25519_KEY) == 0);
        CHECK(ed25519_sign(secret, message, length, signature) == OK);
        CHECK(memcmp(signature, wanted, ED25519_SIGNATURE) == 0);
        CHECK(ed25519_verify(public, message, length, signature));
    }
}

static void ed25519_refuses_changed_input(void)
{
    uint8_t secret[ED25519_KEY], public[ED25519_KEY], signature[ED25519_SIGNATURE];
    uint8_t message[] = "a message";

    ed25519_generate(secret, public);
    CHECK(ed25519_sign(secret, message, sizeof(message), signature) == OK);
    CHECK(ed25519_verify(public, message, sizeof(message), signature));
    CHECK(!ed25519_verify(public, message, sizeof(message) - 1, signature));
    for (size_t i = 0; i < sizeof(signature); i++) {
        signature[i] ^= 1;
        CHECK(!ed25519_verify(public, message, sizeof(message), signature));
        signature[i] ^= 1;
    }
    message[0] ^= 1;
    CHECK(!ed25519_verify(public, message, sizeof(message), signature));
}

static void sealed_bytes_open_only_in_their_place(void)
{
    uint8_t key[SEAL_KEY], plain[100], sealed[100 + SEAL_OVERHEAD], again[100 + SEAL_OVERHEAD];
    uint8_t opened[100];

    random_bytes(key, sizeof(key));
    random_bytes(plain, sizeof(plain));
    CHECK(seal(key, "tenant/1", plain, sizeof(plain), sealed) == OK);
    CHECK(seal(key, "tenant/1", plain, sizeof(plain), again) == OK);
    CHECK(memcmp(sealed, again, sizeof(sealed)) != 0);
    CHECK(unseal(key, "tenant/1", sealed, sizeof(sealed), opened) == OK);
    CHECK(memcmp(plain, opened, sizeof(plain)) == 0);
    CHECK(unseal(key, "tenant/2", sealed, sizeof(sealed), opened) != OK);
    CHECK(unseal(key, "tenant/1", sealed, sizeof(sealed) - 1, opened) != OK);
    CHECK(unseal(key, "tenant/1", sealed, SEAL_OVERHEAD - 1, opened) != OK);
    for (size_t i = 0; i < sizeof(sealed); i++) {
        sealed[i] ^= 0x80;
        CHECK(unseal(key, "tenant/1", sealed, sizeof(sealed), opened) != OK);
        sealed[i] ^= 0x80;
    }
    key[31] ^= 1;
    CHECK(unseal(key, "tenant/1", sealed, sizeof(sealed), opened) != OK);
    CHECK(seal(key, "", NULL, 0, sealed) == OK);
    CHECK(unseal(key, "", sealed, SEAL_OVERHEAD, opened) == OK);
    CHECK(unseal(key, "x", sealed, SEAL_OVERHEAD, opened) != OK);
}

/* The GCM specification's test case 14 (zero key, nonce and block) in our layout. */
static void unseal_reads_the_published_gcm_vector(void)
{
    uint8_t key[SEAL_KEY], sealed[16 + SEAL_OVERHEAD], opened[16] = {1};
    static const uint8_t zero[16];

    memset(key, 0, sizeof(key));
    CHECK(hex_decode("000000000000000000000000cea7403d4d606b6e074ec5d3baf39d18"
                     "d0d1c8a799996bf0265b98b5d48ab919",
                     sealed, sizeof(sealed)));
    CHECK(unseal(key, "", sealed, sizeof(sealed), opened) == OK);
    CHECK(memcmp(opened, zero, sizeof(zero)) == 0);
}

static void random_bytes_differ(void)
{
    uint8_t a[300] = {0}, b[300] = {0};

    random_bytes(a, sizeof(a));
    random_bytes(b, sizeof(b));
    CHECK(!secret_equal(a, b, sizeof(a)) && secret_equal(a, a, sizeof(a)));
    CHECK(secret_equal("abc", "abd", 2) && !secret_equal("abc", "abd", 3));
}

int main(void)
{
    RUN(sha256_has_the_published_vectors);
    RUN(short_hashes_of_threads_do_not_mix);
    RUN(hmac_has_the_published_vectors);
    RUN(ed25519_has_the_published_vectors);
    RUN(ed25519_refuses_changed_input);
    RUN(sealed_bytes_open_only_in_their_place);
    RUN(unseal_reads_the_published_gcm_vector);
    RUN(random_bytes_differ);
    return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
