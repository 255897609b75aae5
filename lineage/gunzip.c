/* SPDX-License-Identifier: Apache-2.0 */
#include "lineage/gunzip.h"

#include <string.h>

enum { BITS_MAX = 15, LITERALS = 288, DISTANCES = 30, END_OF_BLOCK = 256, LONGEST = 258 };

/* Bits are taken from the lowest up; past the end bad is set and zeros come. */
struct bits {
    const uint8_t *data;
    size_t length;
    size_t at;
    uint32_t held;
    unsigned count;
    bool bad;
};

static unsigned take(struct bits *b, unsigned count)
{
    unsigned value;

    while (b->count < count) {
        if (b->at == b->length) {
            b->bad = true;
            return 0;
        }
        b->held |= (uint32_t)b->data[b->at++] << b->count;
        b->count += 8;
    }
    value = b->held & ((1u << count) - 1);
    b->held >>= count;
    b->count -= count;
    return value;
}

/* A canonical Huffman code (§3.2.2): how many codes there are of each length, and the symbols in
 * the order of their codes. */
struct code {
    uint16_t counts[BITS_MAX + 1];
    uint16_t symbols[LITERALS];
};

static bool code_make(struct code *c, const uint8_t *lengths, unsigned count)
{
    uint16_t next[BITS_MAX + 1] = {0};
    int room = 1;

    memset(c, 0, sizeof(*c));
    for (unsigned i = 0; i < count; i++)
        c->counts[lengths[i]]++;
    c->counts[0] = 0;
    for (unsigned n = 1; n <= BITS_MAX; n++) {
        room = 2 * room - c->counts[n];
        if (room < 0)
            return false;
        if (n < BITS_MAX)
            next[n + 1] = (uint16_t)(next[n] + c->counts[n]);
    }
    for (unsigned i = 0; i < count; i++)
        if (lengths[i] != 0)
            c->symbols[next[lengths[i]]++] = (uint16_t)i;
    return true;
}

static unsigned code_read(struct bits *b, const struct code *c)
{
    unsigned value = 0, first = 0, index = 0;

    for (unsigned n = 1; n <= BITS_MAX && !b->bad; n++) {
        value |= take(b, 1);
        if (value - first < c->counts[n])
            return c->symbols[index + value - first];
        index += c->counts[n];
        first = (first + c->counts[n]) << 1;
        value <<= 1;
    }
    b->bad = true;
    return END_OF_BLOCK;
}

/* §3.2.5 */
static const uint16_t length_base[] = {3,  4,  5,  6,   7,   8,   9,   10,  11, 13,
                                       15, 17, 19, 23,  27,  31,  35,  43,  51, 59,
                                       67, 83, 99, 115, 131, 163, 195, 227, 258};
static const uint8_t length_more[] = {0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2,
                                      2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0};
static const uint16_t distance_base[] = {
    1,   2,   3,   4,   5,   7,    9,    13,   17,   25,   33,   49,   65,    97,    129,
    193, 257, 385, 513, 769, 1025, 1537, 2049, 3073, 4097, 6145, 8193, 12289, 16385, 24577};
static const uint8_t distance_more[] = {0, 0, 0, 0, 1, 1, 2, 2,  3,  3,  4,  4,  5,  5,  6,
                                        6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13};

static void repeat(struct bits *b, const struct code *distances, unsigned symbol, size_t begun,
                   struct text *out)
{
    unsigned i = symbol - 257, d;
    size_t length, distance;
    char part[LONGEST];

    if (i >= sizeof(length_more)) {
        b->bad = true;
        return;
    }
    length = length_base[i] + take(b, length_more[i]);
    d = code_read(b, distances);
    if (b->bad || d >= DISTANCES) {
        b->bad = true;
        return;
    }
    distance = distance_base[d] + take(b, distance_more[d]);
    if (b->bad || out->failed || distance > out->length - begun) {
        b->bad = true;
        return;
    }
    for (size_t k = 0; k < length; k++) /* it may repeat what it just wrote */
        part[k] = k < distance ? out->data[out->length - distance + k] : part[k - distance];
    text_add(out, part, length);
}

struct codes {
    struct code literals;
    struct code distances;
};

static void block(struct bits *b, const struct codes *c, size_t begun, struct text *out)
{
    while (!b->bad && !out->failed) {
        unsigned symbol = code_read(b, &c->literals);
        char byte = (char)symbol;

        if (symbol == END_OF_BLOCK)
            return;
        if (symbol < END_OF_BLOCK)
            text_add(out, &byte, 1);
        else
            repeat(b, &c->distances, symbol, begun, out);
    }
}

static void fixed_codes(struct codes *c)
{
    uint8_t lengths[LITERALS];

    for (unsigned i = 0; i < LITERALS; i++)
        lengths[i] = i < 144 ? 8 : i < 256 ? 9 : i < 280 ? 7 : 8;
    (void)code_make(&c->literals, lengths, LITERALS);
    memset(lengths, 5, DISTANCES);
    (void)code_make(&c->distances, lengths, DISTANCES);
}

/* One entry of the list of code lengths: a length, or a run of the last one or of zeros. */
static unsigned lengths_of(struct bits *b, const struct code *c, uint8_t *lengths, unsigned at,
                           unsigned total)
{
    unsigned symbol = code_read(b, c), times = 1;
    uint8_t value = (uint8_t)symbol;

    if (symbol >= 16) {
        value = symbol == 16 && at > 0 ? lengths[at - 1] : 0;
        b->bad = b->bad || symbol > 18 || (symbol == 16 && at == 0);
        times = symbol == 16 ? 3 + take(b, 2) : symbol == 17 ? 3 + take(b, 3) : 11 + take(b, 7);
    }
    if (b->bad || at + times > total) {
        b->bad = true;
        return total;
    }
    memset(lengths + at, value, times);
    return at + times;
}

/* §3.2.7 */
static void dynamic_codes(struct bits *b, struct codes *c)
{
    static const uint8_t order[] = {16, 17, 18, 0, 8,  7, 9,  6, 10, 5,
                                    11, 4,  12, 3, 13, 2, 14, 1, 15};
    unsigned literals = 257 + take(b, 5), distances = 1 + take(b, 5), count = 4 + take(b, 4);
    uint8_t lengths[LITERALS + 32] = {0};

    if (literals > 286 || distances > DISTANCES) {
        b->bad = true;
        return;
    }
    for (unsigned i = 0; i < count; i++)
        lengths[order[i]] = (uint8_t)take(b, 3);
    b->bad = b->bad || !code_make(&c->literals, lengths, sizeof(order));
    memset(lengths, 0, sizeof(lengths));
    for (unsigned at = 0; at < literals + distances && !b->bad;)
        at = lengths_of(b, &c->literals, lengths, at, literals + distances);
    b->bad = b->bad || lengths[END_OF_BLOCK] == 0 || !code_make(&c->literals, lengths, literals) ||
             !code_make(&c->distances, lengths + literals, distances);
}

static void stored(struct bits *b, struct text *out)
{
    unsigned length, check;

    b->held = b->count = 0; /* the rest of the byte: take never holds a whole one */
    length = take(b, 16);
    check = take(b, 16);
    if (b->bad || length != (~check & 0xFFFFu) || length > b->length - b->at) {
        b->bad = true;
        return;
    }
    text_add(out, (const char *)b->data + b->at, length);
    b->at += length;
}

static void inflate(struct bits *b, struct text *out)
{
    size_t begun = out->length;
    struct codes c;
    bool last = false;

    while (!last && !b->bad && !out->failed) {
        unsigned kind;

        last = take(b, 1) == 1;
        kind = take(b, 2);
        if (kind == 0) {
            stored(b, out);
            continue;
        }
        if (kind == 1)
            fixed_codes(&c);
        else if (kind == 2)
            dynamic_codes(b, &c);
        b->bad = b->bad || kind == 3;
        block(b, &c, begun, out);
    }
    b->held = b->count = 0;
}

static uint32_t crc32_of(const char *data, size_t length)
{
    uint32_t crc = UINT32_MAX, table[256];

    for (uint32_t i = 0; i < 256; i++) {
        table[i] = i;
        for (int k = 0; k < 8; k++)
            table[i] = (table[i] >> 1) ^ ((table[i] & 1) != 0 ? UINT32_C(0xEDB88320) : 0);
    }
    for (size_t i = 0; i < length; i++)
        crc = table[(crc ^ (uint8_t)data[i]) & 0xFF] ^ (crc >> 8);
    return ~crc;
}

/* A zero-terminated text of a member's header. */
static void skip_text(struct bits *b)
{
    while (take(b, 8) != 0 && !b->bad)
        ;
}

enum { HAS_CRC = 2, HAS_EXTRA = 4, HAS_NAME = 8, HAS_COMMENT = 16 };

/* RFC 1952 §2.3 */
static void header(struct bits *b)
{
    unsigned magic = take(b, 16), method = take(b, 8), flags = take(b, 8);

    b->bad = b->bad || magic != 0x8B1F || method != 8 || (flags & 0xE0) != 0;
    for (int i = 0; i < 6; i++)
        (void)take(b, 8);
    if ((flags & HAS_EXTRA) != 0)
        for (unsigned n = take(b, 16); n > 0 && !b->bad; n--)
            (void)take(b, 8);
    if ((flags & HAS_NAME) != 0)
        skip_text(b);
    if ((flags & HAS_COMMENT) != 0)
        skip_text(b);
    if ((flags & HAS_CRC) != 0)
        (void)take(b, 16);
}

enum err gunzip(const uint8_t *data, size_t length, struct text *out)
{
    struct bits b = {.data = data, .length = length};

    do {
        size_t begun = out->length;
        uint32_t crc, size;

        header(&b);
        if (!b.bad)
            inflate(&b, out);
        if (out->failed)
            return ERR_TOO_LARGE;
        crc = take(&b, 16);
        crc |= (uint32_t)take(&b, 16) << 16;
        size = take(&b, 16);
        size |= (uint32_t)take(&b, 16) << 16;
        if (b.bad || size != (uint32_t)(out->length - begun) ||
            (size > 0 && crc != crc32_of(out->data + begun, size)))
            return ERR_CONTENT;
    } while (b.at < b.length);
    return OK;
}
