/* SPDX-License-Identifier: Apache-2.0 */
#include "compute/engine/operator.h"

#include <math.h>

/* ai.onnx.ml OneHotEncoder and LabelEncoder. Their tables are small: they are looked through from
 * the start, as nothing may be remembered from one run to the next. */

static bool is_integer(const struct tensor *t)
{
    return t->type == ELEMENT_INT64 || t->type == ELEMENT_INT32;
}

/* The category of element i, or -1. */
static long category_of(const struct tensor *x, size_t i, const struct attribute *texts,
                        const struct attribute *numbers)
{
    if (x->type == ELEMENT_STRING) {
        for (size_t c = 0; c < texts->text_count; c++)
            if (span_compare(texts->texts[c], x->s[i]) == 0)
                return (long)c;
        return -1;
    }
    for (size_t c = 0; c < numbers->number_count; c++)
        if ((double)numbers->numbers[c] == tensor_get(x, i))
            return (long)c;
    return -1;
}

enum err op_one_hot_encoder(struct step *s)
{
    const struct attribute *texts = node_attribute(s->node, "cats_strings");
    const struct attribute *numbers = node_attribute(s->node, "cats_int64s");
    const struct tensor *x = s->in[0];
    bool zeros = step_number(s, "zeros", 1) != 0;
    struct shape shape = tensor_shape(x);
    size_t width;

    if ((x->type == ELEMENT_STRING ? texts : numbers) == NULL || x->rank == TENSOR_RANK)
        return step_refuse(s, "there are no categories of the input's type");
    width = x->type == ELEMENT_STRING ? texts->text_count : numbers->number_count;
    shape.dims[shape.rank++] = (int64_t)width;
    TRY(step_make(s, 0, ELEMENT_FLOAT, &shape));
    for (size_t i = 0; i < x->count; i++) {
        long c = category_of(x, i, texts, numbers);

        if (c >= 0)
            s->out[0]->f[i * width + (size_t)c] = 1;
        else if (!zeros)
            return step_refuse(s, "a value is none of the categories");
    }
    return OK;
}

/* One side of the mapping: keys or values, as strings, integers or floats. */
struct side {
    const struct attribute *list;
    enum element type;
    size_t count;
};

static struct side find_side(const struct step *s, const char *texts, const char *numbers,
                             const char *reals)
{
    const struct attribute *t = node_attribute(s->node, texts);
    const struct attribute *n = node_attribute(s->node, numbers);
    const struct attribute *r = node_attribute(s->node, reals);

    if (t != NULL)
        return (struct side){t, ELEMENT_STRING, t->text_count};
    if (n != NULL)
        return (struct side){n, ELEMENT_INT64, n->number_count};
    if (r != NULL)
        return (struct side){r, ELEMENT_FLOAT, r->real_count};
    return (struct side){0};
}

static long key_of(const struct side *keys, const struct tensor *x, size_t i)
{
    for (size_t k = 0; k < keys->count; k++) {
        if (keys->type == ELEMENT_STRING) {
            if (span_compare(keys->list->texts[k], x->s[i]) == 0)
                return (long)k;
        } else if (keys->type == ELEMENT_INT64) {
            if ((double)keys->list->numbers[k] == tensor_get(x, i))
                return (long)k;
        } else if (keys->list->reals[k] == (float)tensor_get(x, i) ||
                   (isnan(keys->list->reals[k]) && isnan(tensor_get(x, i)))) {
            return (long)k;
        }
    }
    return -1;
}

static void put_value(struct step *s, const struct side *values, size_t i, long k)
{
    const struct attribute *text = node_attribute(s->node, "default_string");
    struct tensor *out = s->out[0];

    if (out->type == ELEMENT_STRING)
        out->s[i] = k >= 0         ? values->list->texts[k]
                    : text != NULL ? text->text
                                   : (struct span){"_Unused", 7};
    else if (out->type == ELEMENT_INT64)
        out->l[i] = k >= 0 ? values->list->numbers[k] : step_number(s, "default_int64", -1);
    else
        out->f[i] = k >= 0 ? values->list->reals[k] : (float)step_real(s, "default_float", -0.0);
}

/* Version 1 had one list of strings, which maps to and from their places. */
static enum err by_place(struct step *s, const struct attribute *classes)
{
    const struct tensor *x = s->in[0];
    struct shape shape = tensor_shape(x);
    struct side keys = {classes, ELEMENT_STRING, classes->text_count};

    TRY(step_make(s, 0, x->type == ELEMENT_STRING ? ELEMENT_INT64 : ELEMENT_STRING, &shape));
    for (size_t i = 0; i < x->count; i++) {
        if (x->type == ELEMENT_STRING) {
            long k = key_of(&keys, x, i);

            s->out[0]->l[i] = k >= 0 ? k : step_number(s, "default_int64", -1);
        } else {
            double place = tensor_get(x, i);
            bool inside = place >= 0 && place < (double)keys.count;

            put_value(s, &keys, i, inside ? (long)place : -1);
        }
    }
    return OK;
}

enum err op_label_encoder(struct step *s)
{
    struct side keys = find_side(s, "keys_strings", "keys_int64s", "keys_floats");
    struct side values = find_side(s, "values_strings", "values_int64s", "values_floats");
    const struct attribute *classes = node_attribute(s->node, "classes_strings");
    const struct tensor *x = s->in[0];
    struct shape shape = tensor_shape(x);

    if (classes != NULL)
        return by_place(s, classes);
    if (keys.count == 0 || keys.count != values.count)
        return step_refuse(s, "keys and values in lists of one length were expected");
    if ((keys.type == ELEMENT_STRING) != (x->type == ELEMENT_STRING) ||
        (keys.type == ELEMENT_INT64 && !is_integer(x)))
        return step_refuse(s, "the keys are not of the input's type");
    TRY(step_make(s, 0, values.type, &shape));
    for (size_t i = 0; i < x->count; i++)
        put_value(s, &values, i, key_of(&keys, x, i));
    return OK;
}
