/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CORE_PROTOBUF_H
#define CORE_PROTOBUF_H

#include "core/text.h"

#include <stdbool.h>

/* Bytes that somebody else owns. */
struct span {
    const char *data;
    size_t length;
};

/* Protocol Buffers' wire format (protobuf.dev/programming-guides/encoding), as far as ONNX and
 * OpenTelemetry need it. Groups, which neither has ever used, are refused. Nothing is copied and
 * nothing recurses: how deep messages nest is the caller's to bound. */
enum proto_wire { PROTO_VARINT = 0, PROTO_FIXED64 = 1, PROTO_BYTES = 2, PROTO_FIXED32 = 5 };

/* A message being read in place, field by field. */
struct proto {
    const unsigned char *at;
    const unsigned char *end;
    uint32_t field;
    enum proto_wire wire;
    uint64_t number;   /* of a varint or fixed field */
    struct span bytes; /* of a length-delimited one */
    const char *fault; /* why reading stopped early, or NULL */
};

struct proto proto_open(struct span message);
/* The next field; false at the end and on a fault. */
bool proto_next(struct proto *p);
/* Whether the present field is that one, in that form; sets fault when only the form is wrong. */
bool proto_is(struct proto *p, uint32_t field, enum proto_wire wire);
/* One number of a packed field's bytes, which it shortens. */
bool proto_unpack(struct span *packed, enum proto_wire wire, uint64_t *number);

/* Writing appends to a text, whose failed says at the end whether all of it fitted. */
void proto_number(struct text *t, uint32_t field, uint64_t number);
void proto_bytes(struct text *t, uint32_t field, const void *data, size_t length);
void proto_string(struct text *t, uint32_t field, const char *s);
void proto_float(struct text *t, uint32_t field, float x);
void proto_double(struct text *t, uint32_t field, double x);
void proto_fixed64(struct text *t, uint32_t field, uint64_t number);
/* The text as a message inside t; frees it. */
void proto_message(struct text *t, uint32_t field, struct text *message);

#endif
