/* SPDX-License-Identifier: Apache-2.0 */
#include "compute/engine/onnx_parts.h"

#include "core/text.h"

#include <string.h>

enum err onnx_check_name(struct span name, struct refusal *why)
{
    if (name.length > ONNX_MAX_NAME)
        return refuse(why, ERR_CONTENT, "a name is longer than %d bytes", ONNX_MAX_NAME);
    for (size_t i = 0; i < name.length; i++)
        if ((unsigned char)name.data[i] < 0x20)
            return refuse(why, ERR_CONTENT, "a name has a control character in it");
    if (name.length > 0 && !utf8_valid(name.data, name.length))
        return refuse(why, ERR_CONTENT, "a name is not UTF-8");
    return OK;
}

enum err onnx_proto_end(const struct proto *p, const char *what, struct refusal *why)
{
    if (p->fault == NULL)
        return OK;
    return refuse(why, ERR_CONTENT, "the file is damaged in a %s: %s", what, p->fault);
}

/* How many values the repeated fields hold, before there is room for them. */
struct counts {
    size_t numbers, reals, texts;
};

static size_t packed_count(struct span packed, enum proto_wire wire)
{
    uint64_t ignored;
    size_t count = 0;

    if (wire == PROTO_FIXED32)
        return packed.length / 4;
    while (proto_unpack(&packed, wire, &ignored))
        count++;
    return count;
}

static enum err count_field(struct attribute *a, struct counts *c, struct proto *p,
                            struct refusal *why)
{
    if (p->field == ATTRIBUTE_GRAPH || p->field == ATTRIBUTE_GRAPHS)
        return refuse(why, ERR_CONTENT,
                      "attribute \"%.*s\" is a graph of its own; control flow is not supported",
                      (int)a->name.length, a->name.data);
    if (p->field == ATTRIBUTE_TENSORS || p->field == ATTRIBUTE_SPARSE ||
        p->field == ATTRIBUTE_REFERENCE || p->field == ATTRIBUTE_TYPE_PROTO)
        return refuse(why, ERR_CONTENT, "attribute \"%.*s\" is of a kind that is not supported",
                      (int)a->name.length, a->name.data);
    if (p->field == ATTRIBUTE_INTS)
        c->numbers += p->wire == PROTO_BYTES ? packed_count(p->bytes, PROTO_VARINT) : 1;
    else if (p->field == ATTRIBUTE_FLOATS)
        c->reals += p->wire == PROTO_BYTES ? packed_count(p->bytes, PROTO_FIXED32) : 1;
    else if (p->field == ATTRIBUTE_STRINGS)
        c->texts++;
    return OK;
}

static float to_float(uint64_t bits)
{
    uint32_t low = (uint32_t)bits;
    float x;

    memcpy(&x, &low, sizeof(x));
    return x;
}

/* The arrays an attribute is filled into. */
struct lists {
    int64_t *numbers;
    float *reals;
    struct span *texts;
};

static void take_repeated(struct attribute *a, struct lists *l, struct proto *p)
{
    enum proto_wire wire = p->field == ATTRIBUTE_INTS ? PROTO_VARINT : PROTO_FIXED32;
    struct span packed = p->bytes;
    uint64_t bits = p->number;
    bool more = p->wire == wire || proto_unpack(&packed, wire, &bits);

    while (more) {
        if (p->field == ATTRIBUTE_INTS)
            l->numbers[a->number_count++] = (int64_t)bits;
        else
            l->reals[a->real_count++] = to_float(bits);
        more = p->wire == PROTO_BYTES && proto_unpack(&packed, wire, &bits);
    }
}

/* A number of a list, alone or packed with others. */
static bool is_repeated(struct proto *p)
{
    if (p->field != ATTRIBUTE_INTS && p->field != ATTRIBUTE_FLOATS)
        return false;
    return p->wire == PROTO_BYTES ||
           proto_is(p, p->field, p->field == ATTRIBUTE_INTS ? PROTO_VARINT : PROTO_FIXED32);
}

static enum err take_field(struct attribute *a, struct lists *l, struct proto *p, struct pool *pool,
                           struct refusal *why)
{
    struct span ignored;

    if (is_repeated(p))
        take_repeated(a, l, p);
    else if (proto_is(p, ATTRIBUTE_STRINGS, PROTO_BYTES))
        l->texts[a->text_count++] = p->bytes;
    else if (proto_is(p, ATTRIBUTE_INT, PROTO_VARINT))
        a->number = (int64_t)p->number;
    else if (proto_is(p, ATTRIBUTE_FLOAT, PROTO_FIXED32))
        a->real = to_float(p->number);
    else if (proto_is(p, ATTRIBUTE_STRING, PROTO_BYTES))
        a->text = p->bytes;
    else if (proto_is(p, ATTRIBUTE_TENSOR, PROTO_BYTES))
        return onnx_read_tensor(p->bytes, &a->tensor, &ignored, pool, why);
    return OK;
}

enum err onnx_read_attribute(struct span message, struct attribute *out, struct pool *pool,
                             struct refusal *why)
{
    struct proto p = proto_open(message);
    struct counts c = {0};
    struct lists l;

    *out = (struct attribute){0};
    while (proto_next(&p)) {
        if (proto_is(&p, ATTRIBUTE_NAME, PROTO_BYTES))
            out->name = p.bytes;
        TRY(onnx_check_name(out->name, why));
        TRY(count_field(out, &c, &p, why));
    }
    TRY(onnx_proto_end(&p, "attribute", why));
    TRY(pool_get(pool, c.numbers, sizeof(*l.numbers), &l.numbers, why));
    TRY(pool_get(pool, c.reals, sizeof(*l.reals), &l.reals, why));
    TRY(pool_get(pool, c.texts, sizeof(*l.texts), &l.texts, why));
    p = proto_open(message);
    while (proto_next(&p))
        TRY(take_field(out, &l, &p, pool, why));
    out->numbers = l.numbers;
    out->reals = l.reals;
    out->texts = l.texts;
    return onnx_proto_end(&p, "attribute", why);
}

static enum err read_dim(struct span message, struct value_info *out, struct refusal *why)
{
    struct proto p = proto_open(message);
    int64_t dim = -1;

    while (proto_next(&p))
        if (proto_is(&p, DIM_VALUE, PROTO_VARINT))
            dim = (int64_t)p.number;
    if (out->shape.rank == TENSOR_RANK)
        return refuse(why, ERR_CONTENT, "\"%.*s\" has more than %d dimensions",
                      (int)out->name.length, out->name.data, TENSOR_RANK);
    out->shape.dims[out->shape.rank++] = dim <= 0 ? -1 : dim;
    return onnx_proto_end(&p, "dimension", why);
}

static enum err read_tensor_type(struct span message, struct value_info *out, struct refusal *why)
{
    struct proto p = proto_open(message), shape;

    while (proto_next(&p)) {
        if (proto_is(&p, TYPE_TENSOR_ELEMENT, PROTO_VARINT))
            out->type = p.number > 99 ? 99 : (enum element)p.number;
        if (!proto_is(&p, TYPE_TENSOR_SHAPE, PROTO_BYTES))
            continue;
        out->shaped = true;
        out->shape.rank = 0;
        shape = proto_open(p.bytes);
        while (proto_next(&shape))
            if (proto_is(&shape, SHAPE_DIM, PROTO_BYTES))
                TRY(read_dim(shape.bytes, out, why));
        TRY(onnx_proto_end(&shape, "shape", why));
    }
    return onnx_proto_end(&p, "tensor type", why);
}

enum err onnx_read_value(struct span message, struct value_info *out, struct refusal *why)
{
    struct proto p = proto_open(message), type = proto_open((struct span){0});

    *out = (struct value_info){0};
    while (proto_next(&p)) {
        if (proto_is(&p, VALUE_NAME, PROTO_BYTES))
            out->name = p.bytes;
        if (proto_is(&p, VALUE_TYPE, PROTO_BYTES))
            type = proto_open(p.bytes);
    }
    TRY(onnx_proto_end(&p, "declared value", why));
    TRY(onnx_check_name(out->name, why));
    while (proto_next(&type))
        if (proto_is(&type, TYPE_TENSOR, PROTO_BYTES))
            TRY(read_tensor_type(type.bytes, out, why));
    return onnx_proto_end(&type, "type", why);
}
