/* SPDX-License-Identifier: Apache-2.0 */
#include "compute/engine/operator.h"

#include "compute/engine/elements.h"
#include "compute/engine/forest.h"

#include <string.h>

static const struct onnx_op operators[] = {
#define OPERATOR(domain, name, least, handler)                                                     \
    {name, domain, least, handler, NULL, NULL, NULL, NULL},
#define FOREST(name, handler)          {name, true, 1, handler, forest_prepare, NULL, NULL, NULL},
#define UNARY(name, handler, function) {name, false, 1, handler, NULL, function, NULL, NULL},
#define BINARY(name, handler, function, integers)                                                  \
    {name, false, 1, handler, NULL, NULL, function, integers},
#include "compute/engine/operators.def"
#undef OPERATOR
#undef FOREST
#undef UNARY
#undef BINARY
};

const struct onnx_op *operator_find(struct span name, bool ml)
{
    for (size_t i = 0; i < sizeof(operators) / sizeof(operators[0]); i++)
        if (operators[i].ml == ml && span_is(name, operators[i].name))
            return &operators[i];
    return NULL;
}

enum err step_refuse(struct step *s, const char *problem)
{
    return refuse(s->why, ERR_CONTENT, "node \"%.*s\" (%s): %s", (int)s->node->name.length,
                  s->node->name.data, s->node->op->name, problem);
}

enum err step_make(struct step *s, size_t output, enum element type, const struct shape *shape)
{
    return tensor_new(type, shape, &s->out[output], s->pool, s->why);
}

const struct attribute *node_attribute(const struct node *n, const char *name)
{
    for (size_t i = 0; i < n->attribute_count; i++)
        if (span_is(n->attributes[i].name, name))
            return &n->attributes[i];
    return NULL;
}

int64_t step_number(const struct step *s, const char *attribute, int64_t otherwise)
{
    const struct attribute *a = node_attribute(s->node, attribute);

    return a == NULL ? otherwise : a->number;
}

double step_real(const struct step *s, const char *attribute, double otherwise)
{
    const struct attribute *a = node_attribute(s->node, attribute);

    return a == NULL ? otherwise : (double)a->real;
}

enum err step_integers(struct step *s, size_t input, const char *attribute, struct integers *out)
{
    const struct attribute *a = node_attribute(s->node, attribute);
    const struct tensor *t = input < STEP_PORTS ? s->in[input] : NULL;
    int64_t *copy;

    *out = (struct integers){0};
    if (t == NULL) {
        if (a != NULL)
            *out = (struct integers){a->numbers, a->number_count, true};
        return OK;
    }
    if (t->type != ELEMENT_INT64 && t->type != ELEMENT_INT32)
        return step_refuse(s, "an input that must be integers is not");
    TRY(pool_get(s->pool, t->count, sizeof(*copy), &copy, s->why));
    for (size_t i = 0; i < t->count; i++)
        copy[i] = t->type == ELEMENT_INT64 ? t->l[i] : t->i[i];
    *out = (struct integers){copy, t->count, true};
    return OK;
}

enum err step_axis(struct step *s, int64_t axis, unsigned rank, unsigned *out)
{
    if (axis < -(int64_t)rank || axis >= (int64_t)rank)
        return step_refuse(s, "an axis is outside the rank of its tensor");
    *out = (unsigned)(axis < 0 ? axis + rank : axis);
    return OK;
}
