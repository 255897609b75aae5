/* SPDX-License-Identifier: Apache-2.0 */
#include "core/cbor.h"

#include "core/text.h"

#include <string.h>

enum { TAG = 6, SIMPLE = 7, FALSE = 20, NIL = 22 };

/* The first bytes of an item: its type, and a number that is its value, length or count. */
struct head {
    unsigned major;
    uint64_t number;
    size_t size;
};

/* RFC 8949 §4.2.1: no more bytes for a number than it needs. Indefinite lengths are refused too. */
static bool read_head(const uint8_t *at, const uint8_t *end, struct head *out)
{
    unsigned low;
    size_t more;

    if (at == end)
        return false;
    low = *at & 31;
    more = low < 24 ? 0 : low > 27 ? SIZE_MAX : (size_t)1 << (low - 24);
    *out = (struct head){.major = *at >> 5, .number = low, .size = 1 + more};
    if (more == 0)
        return true;
    if (more > (size_t)(end - at) - 1)
        return false;
    out->number = 0;
    for (size_t i = 1; i <= more; i++)
        out->number = out->number << 8 | at[i];
    return more == 1 ? out->number >= 24 : out->number >> (4 * more) != 0;
}

static const uint8_t *skip(const uint8_t *at, const uint8_t *end, unsigned depth);

static const uint8_t *skip_array(const uint8_t *at, const uint8_t *end, uint64_t count,
                                 unsigned depth)
{
    for (; count > 0 && at != NULL; count--)
        at = skip(at, end, depth);
    return at;
}

static bool comes_after(const uint8_t *key, size_t length, const uint8_t *last, size_t last_length)
{
    int order = memcmp(key, last, length < last_length ? length : last_length);

    return order > 0 || (order == 0 && length > last_length);
}

/* CTAP 2.1 §8 orders keys by type, length and bytes: the order of their encodings, for keys are
 * integers and strings only. */
static const uint8_t *skip_map(const uint8_t *at, const uint8_t *end, uint64_t count,
                               unsigned depth)
{
    const uint8_t *last = NULL;
    size_t last_length = 0;

    for (; count > 0 && at != NULL; count--) {
        const uint8_t *value = at < end && *at >> 5 <= CBOR_TEXT ? skip(at, end, depth) : NULL;

        if (value == NULL ||
            (last != NULL && !comes_after(at, (size_t)(value - at), last, last_length)))
            return NULL;
        last = at;
        last_length = (size_t)(value - at);
        at = skip(value, end, depth);
    }
    return at;
}

/* Where the item ends; NULL when it is malformed. depth: how many may still be inside each other.
 */
static const uint8_t *skip(const uint8_t *at, const uint8_t *end, unsigned depth)
{
    struct head h;

    if (!read_head(at, end, &h))
        return NULL;
    at += h.size;
    switch (h.major) {
    case CBOR_UINT:
    case CBOR_NEGATIVE:
        return at;
    case CBOR_BYTES:
        return h.number <= (size_t)(end - at) ? at + h.number : NULL;
    case CBOR_TEXT:
        return h.number <= (size_t)(end - at) && utf8_valid((const char *)at, (size_t)h.number)
                   ? at + h.number
                   : NULL;
    case CBOR_ARRAY:
        return depth == 0 ? NULL : skip_array(at, end, h.number, depth - 1);
    case CBOR_MAP:
        return depth == 0 ? NULL : skip_map(at, end, h.number, depth - 1);
    case TAG:
        return NULL;
    default:
        return h.size == 1 && h.number >= FALSE && h.number <= NIL ? at : NULL;
    }
}

enum err cbor_first(const void *data, size_t length, struct cbor *out)
{
    const uint8_t *from = data;
    const uint8_t *end =
        length == 0 || length > CBOR_MAX ? NULL : skip(from, from + length, CBOR_DEPTH_MAX);

    if (end == NULL)
        return ERR_INVALID;
    *out = (struct cbor){.data = from, .length = (size_t)(end - from)};
    return OK;
}

static struct head head_of(struct cbor item)
{
    struct head h = {.major = SIMPLE};

    (void)read_head(item.data, item.data + item.length, &h);
    return h;
}

enum cbor_type cbor_type(struct cbor item)
{
    unsigned major = head_of(item).major;

    return major == SIMPLE ? CBOR_SIMPLE : (enum cbor_type)major;
}

size_t cbor_count(struct cbor item)
{
    struct head h = head_of(item);

    return h.major == CBOR_ARRAY || h.major == CBOR_MAP ? (size_t)h.number : 0;
}

bool cbor_int(struct cbor item, int64_t *out)
{
    struct head h = head_of(item);

    if (h.major > CBOR_NEGATIVE || h.number > INT64_MAX)
        return false;
    *out = h.major == CBOR_UINT ? (int64_t)h.number : -1 - (int64_t)h.number;
    return true;
}

bool cbor_bytes(struct cbor item, const uint8_t **data, size_t *length)
{
    struct head h = head_of(item);

    if (h.major != CBOR_BYTES)
        return false;
    *data = item.data + h.size;
    *length = (size_t)h.number;
    return true;
}

bool cbor_text_is(struct cbor item, const char *text)
{
    struct head h = head_of(item);

    return h.major == CBOR_TEXT && h.number == strlen(text) &&
           memcmp(item.data + h.size, text, (size_t)h.number) == 0;
}

/* The item at this place inside one that is known to be good. */
static struct cbor inside(struct cbor map, const uint8_t *at)
{
    const uint8_t *end = skip(at, map.data + map.length, CBOR_DEPTH_MAX);

    return (struct cbor){.data = at, .length = end == NULL ? 0 : (size_t)(end - at)};
}

/* text NULL: number is looked for. */
static bool under(struct cbor map, const char *text, int64_t number, struct cbor *out)
{
    struct head h = head_of(map);
    const uint8_t *at = map.data + h.size;

    if (h.major != CBOR_MAP)
        return false;
    for (uint64_t i = 0; i < h.number; i++) {
        struct cbor key = inside(map, at);
        struct cbor value = inside(map, key.data + key.length);
        int64_t found;

        if (text != NULL ? cbor_text_is(key, text) : cbor_int(key, &found) && found == number) {
            *out = value;
            return true;
        }
        at = value.data + value.length;
    }
    return false;
}

bool cbor_under_int(struct cbor map, int64_t key, struct cbor *out)
{
    return under(map, NULL, key, out);
}

bool cbor_under_text(struct cbor map, const char *key, struct cbor *out)
{
    return under(map, key, 0, out);
}
