/* SPDX-License-Identifier: Apache-2.0 */
#include "core/protobuf.h"

#include <string.h>

struct proto proto_open(struct span message)
{
    const unsigned char *data = (const unsigned char *)message.data;

    return (struct proto){.at = data, .end = message.length == 0 ? data : data + message.length};
}

static bool stop(struct proto *p, const char *fault)
{
    p->fault = fault;
    return false;
}

static bool take_varint(struct proto *p, uint64_t *out)
{
    *out = 0;
    for (unsigned shift = 0; shift < 70; shift += 7) {
        unsigned char b;

        if (p->at >= p->end)
            return stop(p, "a number is cut off");
        b = *p->at++;
        if (shift == 63 && b > 1)
            return stop(p, "a number has more than 64 bits");
        *out |= (uint64_t)(b & 0x7f) << shift;
        if (b < 0x80)
            return true;
    }
    return stop(p, "a number is longer than ten bytes");
}

static bool take_fixed(struct proto *p, size_t size)
{
    if ((size_t)(p->end - p->at) < size)
        return stop(p, "a number is cut off");
    p->number = 0;
    for (size_t i = 0; i < size; i++)
        p->number |= (uint64_t)p->at[i] << (8 * i);
    p->at += size;
    return true;
}

static bool take_bytes(struct proto *p)
{
    uint64_t length;

    if (!take_varint(p, &length))
        return false;
    if (length > (uint64_t)(p->end - p->at))
        return stop(p, "a length passes the end of what holds it");
    p->bytes = (struct span){(const char *)p->at, (size_t)length};
    p->at += length;
    return true;
}

bool proto_next(struct proto *p)
{
    uint64_t tag;

    if (p->fault != NULL || p->at >= p->end || !take_varint(p, &tag))
        return false;
    if (tag >> 3 == 0 || tag >> 3 > 0x1fffffff)
        return stop(p, "a field number is out of range");
    p->field = (uint32_t)(tag >> 3);
    p->wire = (enum proto_wire)(tag & 7);
    switch (tag & 7) {
    case PROTO_VARINT:
        return take_varint(p, &p->number);
    case PROTO_FIXED64:
        return take_fixed(p, 8);
    case PROTO_BYTES:
        return take_bytes(p);
    case PROTO_FIXED32:
        return take_fixed(p, 4);
    default:
        return stop(p, "a group or an unknown wire type");
    }
}

bool proto_is(struct proto *p, uint32_t field, enum proto_wire wire)
{
    if (p->field != field)
        return false;
    if (p->wire == wire)
        return true;
    return stop(p, "a field has the wrong wire type");
}

bool proto_unpack(struct span *packed, enum proto_wire wire, uint64_t *number)
{
    struct proto p = proto_open(*packed);
    bool found;

    if (packed->length == 0)
        return false;
    if (wire == PROTO_VARINT)
        found = take_varint(&p, &p.number);
    else
        found = take_fixed(&p, wire == PROTO_FIXED64 ? 8 : 4);
    *number = p.number;
    *packed = (struct span){(const char *)p.at, (size_t)(p.end - p.at)};
    return found;
}

static void put_varint(struct text *t, uint64_t number)
{
    char bytes[10];
    size_t length = 0;

    for (; number >= 0x80; number >>= 7)
        bytes[length++] = (char)(unsigned char)(number | 0x80);
    bytes[length++] = (char)(unsigned char)number;
    text_add(t, bytes, length);
}

static void put_tag(struct text *t, uint32_t field, enum proto_wire wire)
{
    put_varint(t, (uint64_t)field << 3 | wire);
}

void proto_number(struct text *t, uint32_t field, uint64_t number)
{
    put_tag(t, field, PROTO_VARINT);
    put_varint(t, number);
}

void proto_bytes(struct text *t, uint32_t field, const void *data, size_t length)
{
    put_tag(t, field, PROTO_BYTES);
    put_varint(t, length);
    text_add(t, data, length);
}

void proto_string(struct text *t, uint32_t field, const char *s)
{
    proto_bytes(t, field, s, strlen(s));
}

void proto_float(struct text *t, uint32_t field, float x)
{
    char bytes[sizeof(x)];

    memcpy(bytes, &x, sizeof(x)); /* little-endian, as every machine this runs on */
    put_tag(t, field, PROTO_FIXED32);
    text_add(t, bytes, sizeof(bytes));
}

void proto_fixed64(struct text *t, uint32_t field, uint64_t number)
{
    char bytes[sizeof(number)];

    memcpy(bytes, &number, sizeof(number));
    put_tag(t, field, PROTO_FIXED64);
    text_add(t, bytes, sizeof(bytes));
}

void proto_double(struct text *t, uint32_t field, double x)
{
    uint64_t bits;

    memcpy(&bits, &x, sizeof(bits));
    proto_fixed64(t, field, bits);
}

void proto_message(struct text *t, uint32_t field, struct text *message)
{
    proto_bytes(t, field, message->data == NULL ? "" : message->data, message->length);
    t->failed = t->failed || message->failed;
    text_free(message);
}
