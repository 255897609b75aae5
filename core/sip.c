/* SPDX-License-Identifier: Apache-2.0 */
#include "core/sip.h"

#include "core/crypto.h"

#include <pthread.h>
#include <string.h>

static uint64_t key[2];
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void make_key(void)
{
    random_bytes(key, sizeof(key));
}

static uint64_t rotate(uint64_t x, int by)
{
    return x << by | x >> (64 - by);
}

static void rounds(uint64_t v[4], int count)
{
    while (count-- > 0) {
        v[0] += v[1];
        v[2] += v[3];
        v[1] = rotate(v[1], 13) ^ v[0];
        v[3] = rotate(v[3], 16) ^ v[2];
        v[0] = rotate(v[0], 32);
        v[2] += v[1];
        v[0] += v[3];
        v[1] = rotate(v[1], 17) ^ v[2];
        v[3] = rotate(v[3], 21) ^ v[0];
        v[2] = rotate(v[2], 32);
    }
}

static void absorb(uint64_t v[4], uint64_t word)
{
    v[3] ^= word;
    rounds(v, 2);
    v[0] ^= word;
}

static uint64_t sip(uint64_t seed, const unsigned char *data, size_t length)
{
    uint64_t v[4];
    uint64_t word = 0;
    size_t at;

    (void)pthread_once(&once, make_key);
    v[0] = key[0] ^ 0x736f6d6570736575U;
    v[1] = key[1] ^ 0x646f72616e646f6dU;
    v[2] = key[0] ^ 0x6c7967656e657261U;
    v[3] = key[1] ^ 0x7465646279746573U;
    if (seed != 0)
        absorb(v, seed);
    for (at = 0; at + 8 <= length; at += 8) {
        memcpy(&word, data + at, 8);
        absorb(v, word);
    }
    word = 0;
    memcpy(&word, data + at, length - at);
    absorb(v, word | (uint64_t)length << 56);
    v[2] ^= 0xff;
    rounds(v, 4);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

uint64_t sip_hash(const void *data, size_t length)
{
    return sip(0, data, length);
}

uint64_t sip_text(uint64_t seed, const char *text)
{
    return sip(seed, (const unsigned char *)text, strlen(text));
}
