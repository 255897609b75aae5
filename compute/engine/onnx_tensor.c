/* SPDX-License-Identifier: Apache-2.0 */
#include "compute/engine/onnx_parts.h"

#include <string.h>

/* A TensorProto before its values are read: they may stand before its dimensions. */
struct draft {
    struct span name;
    struct span message;
    struct shape shape;
    uint64_t type;
    struct span raw;
    bool has_raw;
};

static enum err add_dim(struct draft *d, uint64_t dim, struct refusal *why)
{
    if (d->shape.rank == TENSOR_RANK)
        return refuse(why, ERR_CONTENT, "a tensor has more than %d dimensions", TENSOR_RANK);
    if (dim > INT64_MAX)
        return refuse(why, ERR_CONTENT, "a tensor has a negative dimension");
    d->shape.dims[d->shape.rank++] = (int64_t)dim;
    return OK;
}

static enum err add_dims(struct draft *d, struct proto *p, struct refusal *why)
{
    uint64_t dim;

    if (p->wire == PROTO_VARINT)
        return add_dim(d, p->number, why);
    if (!proto_is(p, TENSOR_DIMS, PROTO_BYTES))
        return OK;
    while (proto_unpack(&p->bytes, PROTO_VARINT, &dim))
        TRY(add_dim(d, dim, why));
    return OK;
}

static enum err take_field(struct draft *d, struct proto *p, struct refusal *why)
{
    if (p->field == TENSOR_DIMS)
        return add_dims(d, p, why);
    if (proto_is(p, TENSOR_TYPE, PROTO_VARINT))
        d->type = p->number;
    else if (proto_is(p, TENSOR_NAME, PROTO_BYTES))
        d->name = p->bytes;
    else if (proto_is(p, TENSOR_RAW, PROTO_BYTES)) {
        d->raw = p->bytes;
        d->has_raw = true;
    } else if (p->field == TENSOR_EXTERNAL || (p->field == TENSOR_LOCATION && p->number != 0))
        return refuse(why, ERR_CONTENT,
                      "a tensor keeps its data in another file, which is refused");
    else if (p->field == TENSOR_SEGMENT)
        return refuse(why, ERR_CONTENT, "a tensor is split into segments, which is not supported");
    return OK;
}

/* Which field holds the values of a type, and how one is written there. */
static bool typed_field(enum element type, uint32_t *field, enum proto_wire *wire)
{
    *wire = PROTO_VARINT;
    *field = 0;
    switch (type) {
    case ELEMENT_FLOAT:
        *field = TENSOR_FLOATS, *wire = PROTO_FIXED32;
        return true;
    case ELEMENT_DOUBLE:
        *field = TENSOR_DOUBLES, *wire = PROTO_FIXED64;
        return true;
    case ELEMENT_INT64:
        *field = TENSOR_INT64S;
        return true;
    case ELEMENT_INT32:
    case ELEMENT_BOOL:
        *field = TENSOR_INT32S;
        return true;
    case ELEMENT_STRING:
        *field = TENSOR_STRINGS, *wire = PROTO_BYTES;
        return true;
    default:
        return false;
    }
}

static void put_number(struct tensor *t, size_t i, uint64_t bits)
{
    uint32_t low = (uint32_t)bits;

    if (i >= t->count)
        return; /* one too many, which is refused once all are counted */
    if (t->type == ELEMENT_FLOAT)
        memcpy(&t->f[i], &low, sizeof(low));
    else if (t->type == ELEMENT_DOUBLE)
        memcpy(&t->d[i], &bits, sizeof(bits));
    else if (t->type == ELEMENT_INT64)
        memcpy(&t->l[i], &bits, sizeof(bits));
    else if (t->type == ELEMENT_INT32)
        memcpy(&t->i[i], &low, sizeof(low));
    else
        t->b[i] = bits != 0;
}

/* Values in their own field, one by one or packed; *found counts them all. */
static void take_typed(const struct draft *d, struct tensor *t, size_t *found)
{
    struct proto p = proto_open(d->message);
    enum proto_wire wire;
    uint32_t field;
    uint64_t bits;

    (void)typed_field(t->type, &field, &wire);
    while (proto_next(&p)) {
        if (p.field != field)
            continue;
        if (t->type == ELEMENT_STRING) {
            if (p.wire == wire && *found < t->count)
                t->s[*found] = p.bytes;
            *found += p.wire == wire;
        } else if (p.wire == wire) {
            put_number(t, (*found)++, p.number);
        } else if (p.wire == PROTO_BYTES) {
            while (proto_unpack(&p.bytes, wire, &bits))
                put_number(t, (*found)++, bits);
        }
    }
}

static enum err fill(const struct draft *d, struct tensor *t, struct refusal *why)
{
    size_t found = 0;

    if (!d->has_raw) {
        take_typed(d, t, &found);
        if (found != t->count)
            return refuse(why, ERR_CONTENT, "a tensor of %zu elements has %zu values", t->count,
                          found);
        return OK;
    }
    if (t->type == ELEMENT_STRING || d->raw.length != t->count * element_size(t->type))
        return refuse(why, ERR_CONTENT, "a tensor of %zu %s elements has %zu bytes of raw data",
                      t->count, element_name(t->type), d->raw.length);
    if (d->raw.length > 0)
        memcpy(t->data, d->raw.data, d->raw.length);
    for (size_t i = 0; t->type == ELEMENT_BOOL && i < t->count; i++)
        t->b[i] = t->b[i] != 0;
    return OK;
}

enum err onnx_read_tensor(struct span message, struct tensor **out, struct span *name,
                          struct pool *pool, struct refusal *why)
{
    struct draft d = {.message = message};
    struct proto p = proto_open(message);
    enum proto_wire wire;
    uint32_t field;
    size_t count;

    while (proto_next(&p))
        TRY(take_field(&d, &p, why));
    TRY(onnx_proto_end(&p, "tensor", why));
    *name = d.name;
    TRY(onnx_check_name(d.name, why));
    if (d.type > ELEMENT_DOUBLE || !typed_field((enum element)d.type, &field, &wire))
        return refuse(why, ERR_CONTENT, "tensor \"%.*s\" has elements %s, which is not supported",
                      (int)d.name.length, d.name.data,
                      element_name(d.type > 99 ? 99 : (enum element)d.type));
    /* no more elements than bytes: every form takes at least one for each */
    if (!shape_count(&d.shape, &count) || count > message.length)
        return refuse(why, ERR_CONTENT,
                      "tensor \"%.*s\" claims more elements than the file has bytes",
                      (int)d.name.length, d.name.data);
    TRY(tensor_new((enum element)d.type, &d.shape, out, pool, why));
    return fill(&d, *out, why);
}
