/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_CBOR_H
#define CORE_CBOR_H

#include "core/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* CBOR (RFC 8949) in the one form that authenticators may write (CTAP 2.1 §8, "canonical CBOR"):
 * the shortest integers and lengths, definite lengths, map keys in order and none twice, no tags,
 * no floating point. Nothing is copied: an item is a span of the bytes it was found in. */
enum { CBOR_MAX = 65536, CBOR_DEPTH_MAX = 4 };
enum cbor_type {
    CBOR_UINT,
    CBOR_NEGATIVE,
    CBOR_BYTES,
    CBOR_TEXT,
    CBOR_ARRAY,
    CBOR_MAP,
    CBOR_SIMPLE
};

/* One whole item, looked at from end to end. */
struct cbor {
    const uint8_t *data;
    size_t length;
};

/* The item at the front of length bytes; out->length says how many it takes. ERR_INVALID for what
 * is cut off, not in that form, deeper than CBOR_DEPTH_MAX or longer than CBOR_MAX. */
MUST_CHECK enum err cbor_first(const void *data, size_t length, struct cbor *out);

enum cbor_type cbor_type(struct cbor item);
/* Of an array its items, of a map its pairs; else 0. */
size_t cbor_count(struct cbor item);
/* Any integer that int64_t holds. */
bool cbor_int(struct cbor item, int64_t *out);
/* The bytes of a byte string; false for anything else. Borrowed. */
bool cbor_bytes(struct cbor item, const uint8_t **data, size_t *length);
bool cbor_text_is(struct cbor item, const char *text);
/* What a map has under this key; false when it is no map or has no such key. */
bool cbor_under_int(struct cbor map, int64_t key, struct cbor *out);
bool cbor_under_text(struct cbor map, const char *key, struct cbor *out);

#endif
