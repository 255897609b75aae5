/* SPDX-License-Identifier: Apache-2.0 */
#include "compute/engine/onnx_names.h"
#include "compute/engine/trained_parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { IR_VERSION = 8, OPSET = 15, OPSET_ML = 3 };

/* A graph being written: nodes, initialisers, inputs and outputs in the order they are added. */
struct graph {
    struct text body;
    const struct trained *t;
};

static struct text part(void)
{
    return text_new(TRAINED_MODEL_MAX);
}

static void add_tensor(struct graph *g, const char *name, enum element type, const int64_t *dims,
                       size_t rank, struct text *values)
{
    struct text tensor = part();

    for (size_t i = 0; i < rank; i++)
        proto_number(&tensor, TENSOR_DIMS, (uint64_t)dims[i]);
    proto_number(&tensor, TENSOR_TYPE, type);
    text_add(&tensor, values->data == NULL ? "" : values->data, values->length);
    tensor.failed = tensor.failed || values->failed;
    proto_string(&tensor, TENSOR_NAME, name);
    text_free(values);
    proto_message(&g->body, GRAPH_INITIALIZER, &tensor);
}

static void add_numbers(struct graph *g, const char *name, const double *x, int64_t rows,
                        int64_t columns)
{
    int64_t dims[] = {rows, columns};
    struct text values = part();

    /* raw data is little-endian, as every machine this runs on */
    proto_bytes(&values, TENSOR_RAW, x, (size_t)(rows * columns) * sizeof(*x));
    add_tensor(g, name, ELEMENT_DOUBLE, dims, 2, &values);
}

/* op takes "a b" and makes "out"; attributes may be NULL and are freed. */
static void add_node(struct graph *g, const char *domain, const char *op, const char *const *values,
                     struct text *attributes)
{
    struct text node = part();
    size_t i = 1;

    for (; values[i] != NULL; i++)
        proto_string(&node, NODE_INPUT, values[i]);
    proto_string(&node, NODE_OUTPUT, values[0]);
    proto_string(&node, NODE_NAME, values[0]);
    proto_string(&node, NODE_OP, op);
    if (attributes != NULL) {
        text_add(&node, attributes->data, attributes->length);
        node.failed = node.failed || attributes->failed;
        text_free(attributes);
    }
    if (*domain != '\0')
        proto_string(&node, NODE_DOMAIN, domain);
    proto_message(&g->body, GRAPH_NODE, &node);
}

/* The value first named is made from the others. */
#define NODE(g, op, attributes, ...)                                                               \
    add_node(g, "", op, (const char *const[]){__VA_ARGS__, NULL}, attributes)

static void int_attribute(struct text *t, const char *name, int64_t value)
{
    struct text a = part();

    proto_string(&a, ATTRIBUTE_NAME, name);
    proto_number(&a, ATTRIBUTE_INT, (uint64_t)value);
    proto_number(&a, ATTRIBUTE_TYPE, TYPE_INT_ATTRIBUTE);
    proto_message(t, NODE_ATTRIBUTE, &a);
}

static void strings_attribute(struct text *t, const char *name, const struct span *s, size_t count)
{
    struct text a = part();

    proto_string(&a, ATTRIBUTE_NAME, name);
    for (size_t i = 0; i < count; i++)
        proto_bytes(&a, ATTRIBUTE_STRINGS, s[i].data, s[i].length);
    proto_number(&a, ATTRIBUTE_TYPE, TYPE_STRINGS_ATTRIBUTE);
    proto_message(t, NODE_ATTRIBUTE, &a);
}

/* A declared value of shape [N] or, with columns > 0, [N, columns]. */
static void add_value(struct graph *g, enum onnx_field field, struct span name, enum element type,
                      size_t columns)
{
    struct text dim = part(), shape = part(), tensor = part(), wrapped = part(), value = part();

    proto_string(&dim, DIM_PARAM, "N");
    proto_message(&shape, SHAPE_DIM, &dim);
    if (columns > 0) {
        proto_number(&dim, DIM_VALUE, columns);
        proto_message(&shape, SHAPE_DIM, &dim);
    }
    proto_number(&tensor, TYPE_TENSOR_ELEMENT, type);
    proto_message(&tensor, TYPE_TENSOR_SHAPE, &shape);
    proto_message(&wrapped, TYPE_TENSOR, &tensor);
    proto_bytes(&value, VALUE_NAME, name.data, name.length);
    proto_message(&value, VALUE_TYPE, &wrapped);
    proto_message(&g->body, field, &value);
}

static struct span literal(const char *s)
{
    return (struct span){s, strlen(s)};
}

/* Gaps become the mean, then (x - mean) / scale. */
static void add_numbers_in(struct graph *g)
{
    const struct encoder *e = g->t->encoder;
    double *mean = calloc(e->numbers, sizeof(*mean)), *scale = calloc(e->numbers, sizeof(*scale));

    for (size_t i = 0; i < e->numbers && mean != NULL && scale != NULL; i++) {
        mean[i] = e->features[i].mean;
        scale[i] = e->features[i].scale;
    }
    g->body.failed = g->body.failed || mean == NULL || scale == NULL;
    if (!g->body.failed) {
        add_value(g, GRAPH_INPUT, literal("features"), ELEMENT_DOUBLE, e->numbers);
        add_numbers(g, "numbers/mean", mean, 1, (int64_t)e->numbers);
        add_numbers(g, "numbers/scale", scale, 1, (int64_t)e->numbers);
        NODE(g, "IsNaN", NULL, "numbers/missing", "features");
        NODE(g, "Where", NULL, "numbers/imputed", "numbers/missing", "numbers/mean", "features");
        NODE(g, "Sub", NULL, "numbers/centred", "numbers/imputed", "numbers/mean");
        NODE(g, "Div", NULL, "numbers/encoded", "numbers/centred", "numbers/scale");
    }
    free(mean);
    free(scale);
}

/* One STRING [N,1] input becomes DOUBLE [N,categories]; the encoder itself makes FLOAT [N,1,…]. */
static void add_text_in(struct graph *g, size_t feature)
{
    const struct feature *f = &g->t->encoder->features[feature];
    struct text encode = part(), cast = part();
    char room[TRAINED_NAME], hot[TRAINED_NAME], flat[TRAINED_NAME], out[TRAINED_NAME];
    struct span input = trained_input(g->t, feature, room);
    char name[CSV_MAX_NAME + 1];

    (void)snprintf(name, sizeof(name), "%.*s", (int)input.length, input.data);
    (void)snprintf(hot, sizeof(hot), "text/%zu/hot", feature);
    (void)snprintf(flat, sizeof(flat), "text/%zu/flat", feature);
    (void)snprintf(out, sizeof(out), "text/%zu/encoded", feature);
    add_value(g, GRAPH_INPUT, input, ELEMENT_STRING, 1);
    strings_attribute(&encode, "cats_strings", f->categories, f->width);
    int_attribute(&encode, "zeros", 1);
    add_node(g, "ai.onnx.ml", "OneHotEncoder", (const char *const[]){hot, name, NULL}, &encode);
    NODE(g, "Flatten", NULL, flat, hot);
    int_attribute(&cast, "to", ELEMENT_DOUBLE);
    NODE(g, "Cast", &cast, out, flat);
}

/* All encoded features side by side, as "x". */
static void add_features(struct graph *g)
{
    const struct encoder *e = g->t->encoder;
    struct text node = part(), axis = part();
    char name[TRAINED_NAME];

    if (e->numbers > 0)
        add_numbers_in(g);
    for (size_t i = e->numbers; i < e->count; i++)
        add_text_in(g, i);
    if (e->numbers > 0)
        proto_string(&node, NODE_INPUT, "numbers/encoded");
    for (size_t i = e->numbers; i < e->count; i++) {
        (void)snprintf(name, sizeof(name), "text/%zu/encoded", i);
        proto_string(&node, NODE_INPUT, name);
    }
    proto_string(&node, NODE_OUTPUT, "x/all");
    proto_string(&node, NODE_OP, "Concat");
    int_attribute(&axis, "axis", 1);
    text_add(&node, axis.data, axis.length);
    text_free(&axis);
    proto_message(&g->body, GRAPH_NODE, &node);
}

static void add_classes(struct graph *g)
{
    const struct trained *t = g->t;
    int64_t dims[] = {(int64_t)t->classes};
    struct text values = part(), argmax = part();

    if (t->class_number != NULL)
        proto_bytes(&values, TENSOR_RAW, t->class_number, t->classes * sizeof(*t->class_number));
    else
        for (size_t i = 0; i < t->classes; i++)
            proto_bytes(&values, TENSOR_STRINGS, t->class_text[i].data, t->class_text[i].length);
    add_tensor(g, "label/classes", t->class_number != NULL ? ELEMENT_INT64 : ELEMENT_STRING, dims,
               1, &values);
    int_attribute(&argmax, "axis", 1);
    int_attribute(&argmax, "keepdims", 0);
    NODE(g, "ArgMax", &argmax, "label/index", "probabilities");
    NODE(g, "Gather", NULL, "label", "label/classes", "label/index");
    add_value(g, GRAPH_OUTPUT, literal("label"),
              t->class_number != NULL ? ELEMENT_INT64 : ELEMENT_STRING, 0);
    add_value(g, GRAPH_OUTPUT, literal("probabilities"), ELEMENT_DOUBLE, t->classes);
}

/* The probability of either class is the sigmoid of its own score, so neither loses digits. */
static void add_outputs(struct graph *g)
{
    const struct linear *l = g->t->linear;
    const char *scores = g->t->classes == 0 ? "prediction" : "scores/all";
    struct text axis = part();

    add_numbers(g, "scores/weights", l->weights, (int64_t)l->inputs, (int64_t)l->outputs);
    add_numbers(g, "scores/intercepts", l->intercepts, 1, (int64_t)l->outputs);
    NODE(g, "MatMul", NULL, "scores/product", "x/all", "scores/weights");
    NODE(g, "Add", NULL, scores, "scores/product", "scores/intercepts");
    if (g->t->classes == 0) {
        add_value(g, GRAPH_OUTPUT, literal("prediction"), ELEMENT_DOUBLE, 1);
        return;
    }
    int_attribute(&axis, "axis", 1);
    if (l->outputs > 1) {
        NODE(g, "Softmax", &axis, "probabilities", "scores/all");
    } else {
        NODE(g, "Neg", NULL, "scores/other", "scores/all");
        NODE(g, "Sigmoid", NULL, "probability/0", "scores/other");
        NODE(g, "Sigmoid", NULL, "probability/1", "scores/all");
        NODE(g, "Concat", &axis, "probabilities", "probability/0", "probability/1");
    }
    add_classes(g);
}

static void add_opset(struct text *model, const char *domain, uint64_t version)
{
    struct text opset = part();

    proto_string(&opset, OPSET_DOMAIN, domain);
    proto_number(&opset, OPSET_VERSION, version);
    proto_message(model, MODEL_OPSET, &opset);
}

static void add_metadata(struct text *model, const struct trained *t)
{
    struct text entry = part();
    char *words = trained_metadata(t);

    proto_string(&entry, ENTRY_KEY, "chancery");
    proto_string(&entry, ENTRY_VALUE, words == NULL ? "" : words);
    entry.failed = entry.failed || words == NULL;
    proto_message(model, MODEL_METADATA, &entry);
    free(words);
}

enum err trained_export(const struct trained *t, struct text *out, struct refusal *why)
{
    struct graph g = {part(), t};

    *out = part();
    proto_number(out, MODEL_IR_VERSION, IR_VERSION);
    proto_string(out, MODEL_PRODUCER, "chancery");
    proto_string(out, MODEL_PRODUCER_VERSION, "1");
    proto_string(&g.body, GRAPH_NAME, t->trainer);
    add_features(&g);
    add_outputs(&g);
    proto_message(out, MODEL_GRAPH, &g.body);
    add_opset(out, "", OPSET);
    add_opset(out, "ai.onnx.ml", OPSET_ML);
    add_metadata(out, t);
    if (!out->failed)
        return OK;
    text_free(out);
    return refuse(why, ERR_TOO_LARGE, "the model would be larger than %d bytes", TRAINED_MODEL_MAX);
}
