/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ENGINE_ONNX_H
#define ENGINE_ONNX_H

#include "compute/engine/tensor.h"

/* A model file in memory. Names and strings are views of the file, which must outlive the model;
 * all else is the pool's. Read from bytes that nobody vouches for: every count is checked against
 * what is there or against these limits, and nothing in the file names another file or runs. */
enum {
    ONNX_MAX_NODES = 100000,
    ONNX_MAX_INITIALIZERS = 50000,
    ONNX_MAX_NAME = 1024,
    ONNX_MAX_PORTS = 10000,   /* inputs or outputs of a node */
    ONNX_MAX_ATTRIBUTES = 64, /* of a node */
    ONNX_MAX_ENDS = 10000,    /* inputs or outputs of the graph */
    ONNX_MIN_OPSET = 7,
    ONNX_MAX_OPSET = 23
};

struct attribute {
    struct span name;
    int64_t number;
    float real;
    struct span text;
    struct tensor *tensor;
    const int64_t *numbers;
    size_t number_count;
    const float *reals;
    size_t real_count;
    const struct span *texts;
    size_t text_count;
};

struct node {
    const struct onnx_op *op;
    struct span name;
    int64_t version; /* of the operator set it is taken from */
    struct attribute *attributes;
    size_t attribute_count;
    int32_t *inputs; /* values; -1 for one left out */
    size_t input_count;
    int32_t *outputs;
    size_t output_count;
    const void *prepared; /* what its operator made of the attributes, once; or NULL */
};

/* A named edge of the graph. */
struct value_info {
    struct span name;
    struct tensor *constant; /* an initializer, or NULL */
    enum element type; /* as declared for inputs and outputs; ELEMENT_NONE when not a tensor */
    bool shaped;
    struct shape shape; /* -1 for a dimension that is free */
};

struct model {
    struct value_info *values;
    size_t value_count;
    struct node *nodes;
    size_t node_count;
    int32_t *inputs;
    size_t input_count;
    int32_t *outputs;
    size_t output_count;
    int64_t opset;
    int64_t opset_ml;
    struct span metadata; /* the property "chancery"; empty when there is none */
};

/* ERR_CONTENT names what is wrong or not supported, with the node or value it is about. */
MUST_CHECK enum err onnx_read(struct model *m, struct span file, struct pool *pool,
                              struct refusal *why);

/* Runs the graph on inputs (input_count, in the model's order; types and free dimensions must fit).
 * outputs (output_count) live in the pool. */
MUST_CHECK enum err onnx_run(const struct model *m, struct tensor *const *inputs,
                             struct tensor **outputs, struct pool *pool, struct refusal *why);

/* The attribute of that name, or NULL. */
const struct attribute *node_attribute(const struct node *n, const char *name);

#endif
