/* SPDX-License-Identifier: Apache-2.0 */
#include "compute/engine/onnx.h"

#include "compute/engine/onnx_parts.h"
#include "compute/engine/operator.h"

#include <stdio.h>
#include <string.h>

/* A model being read. */
struct reader {
    struct model *m;
    struct dict names; /* of values */
    struct pool *pool;
    struct refusal *why;
};

/* What stands in a graph, counted before room is made for it. */
struct census {
    size_t nodes, initializers, inputs, outputs, edges;
};

static enum err read_opset(struct model *m, struct span message, struct refusal *why)
{
    struct proto p = proto_open(message);
    struct span domain = {"", 0};
    uint64_t version = 0;

    while (proto_next(&p)) {
        if (proto_is(&p, OPSET_DOMAIN, PROTO_BYTES))
            domain = p.bytes;
        else if (proto_is(&p, OPSET_VERSION, PROTO_VARINT))
            version = p.number;
    }
    TRY(onnx_proto_end(&p, "operator set", why));
    if (domain.length == 0 || span_is(domain, "ai.onnx")) {
        if (version < ONNX_MIN_OPSET || version > ONNX_MAX_OPSET)
            return refuse(why, ERR_CONTENT, "operator set %llu is outside %d to %d",
                          (unsigned long long)version, ONNX_MIN_OPSET, ONNX_MAX_OPSET);
        m->opset = (int64_t)version;
    } else if (span_is(domain, "ai.onnx.ml")) {
        m->opset_ml = version > 100 ? 100 : (int64_t)version;
    }
    return OK;
}

static enum err read_metadata(struct model *m, struct span message, struct refusal *why)
{
    struct proto p = proto_open(message);
    struct span key = {"", 0}, value = {"", 0};

    while (proto_next(&p)) {
        if (proto_is(&p, ENTRY_KEY, PROTO_BYTES))
            key = p.bytes;
        else if (proto_is(&p, ENTRY_VALUE, PROTO_BYTES))
            value = p.bytes;
    }
    if (span_is(key, "chancery"))
        m->metadata = value;
    return onnx_proto_end(&p, "metadata property", why);
}

static enum err count_ports(struct span node, struct census *c, struct refusal *why)
{
    struct proto p = proto_open(node);
    size_t ports = 0;

    while (proto_next(&p))
        ports += p.field == NODE_INPUT || p.field == NODE_OUTPUT;
    if (ports > ONNX_MAX_PORTS)
        return refuse(why, ERR_CONTENT, "a node has more than %d inputs and outputs",
                      ONNX_MAX_PORTS);
    c->edges += ports;
    return onnx_proto_end(&p, "node", why);
}

static enum err take_census(struct span graph, struct census *c, struct refusal *why)
{
    struct proto p = proto_open(graph);

    while (proto_next(&p)) {
        bool node = proto_is(&p, GRAPH_NODE, PROTO_BYTES);

        c->nodes += node;
        if (node)
            TRY(count_ports(p.bytes, c, why));
        c->initializers += proto_is(&p, GRAPH_INITIALIZER, PROTO_BYTES);
        c->inputs += proto_is(&p, GRAPH_INPUT, PROTO_BYTES);
        c->outputs += proto_is(&p, GRAPH_OUTPUT, PROTO_BYTES);
        if (p.field == GRAPH_SPARSE_INITIALIZER)
            return refuse(why, ERR_CONTENT, "sparse initializers are not supported");
    }
    TRY(onnx_proto_end(&p, "graph", why));
    if (c->nodes > ONNX_MAX_NODES)
        return refuse(why, ERR_CONTENT, "%zu nodes, more than %d", c->nodes, ONNX_MAX_NODES);
    if (c->initializers > ONNX_MAX_INITIALIZERS)
        return refuse(why, ERR_CONTENT, "%zu initializers, more than %d", c->initializers,
                      ONNX_MAX_INITIALIZERS);
    if (c->inputs > ONNX_MAX_ENDS || c->outputs > ONNX_MAX_ENDS || c->outputs == 0)
        return refuse(why, ERR_CONTENT, "the graph has %zu inputs and %zu outputs; 1 to %d fit",
                      c->inputs, c->outputs, ONNX_MAX_ENDS);
    return OK;
}

/* A value that nothing has made before. */
static enum err new_value(struct reader *r, struct span name, int32_t *out)
{
    size_t before = r->names.count;
    long number = dict_add(&r->names, name);

    if (number < 0)
        return refuse(r->why, ERR_TOO_LARGE, "no memory for the names of the model");
    if (name.length == 0 || r->names.count == before)
        return refuse(r->why, ERR_CONTENT, "the value \"%.*s\" is made twice, or has no name",
                      (int)name.length, name.data);
    *out = (int32_t)number;
    r->m->value_count = r->names.count;
    r->m->values[number].name = r->names.keys[number];
    return OK;
}

static enum err add_initializer(struct reader *r, struct span message)
{
    struct tensor *t;
    struct span name;
    int32_t value = 0;

    TRY(onnx_read_tensor(message, &t, &name, r->pool, r->why));
    TRY(new_value(r, name, &value));
    r->m->values[value].constant = t;
    return OK;
}

static enum err add_input(struct reader *r, struct span message)
{
    struct value_info declared;
    long known;
    int32_t value = 0;

    TRY(onnx_read_value(message, &declared, r->why));
    known = dict_find(&r->names, declared.name);
    /* before IR 4 every initializer was declared as an input too */
    if (known >= 0 && r->m->values[known].constant != NULL)
        return OK;
    TRY(new_value(r, declared.name, &value));
    declared.name = r->m->values[value].name;
    if (element_size(declared.type) == 0)
        return refuse(r->why, ERR_CONTENT, "input \"%.*s\" is not a tensor of a supported type",
                      (int)declared.name.length, declared.name.data);
    r->m->values[value] = declared;
    r->m->inputs[r->m->input_count++] = value;
    return OK;
}

static enum err add_output(struct reader *r, struct span message)
{
    struct value_info declared;
    long value;

    TRY(onnx_read_value(message, &declared, r->why));
    value = dict_find(&r->names, declared.name);
    if (value < 0)
        return refuse(r->why, ERR_CONTENT, "nothing makes the output \"%.*s\"",
                      (int)declared.name.length, declared.name.data);
    if (r->m->values[value].type == ELEMENT_NONE) {
        r->m->values[value].type = declared.type;
        r->m->values[value].shaped = declared.shaped;
        r->m->values[value].shape = declared.shape;
    }
    r->m->outputs[r->m->output_count++] = (int32_t)value;
    return OK;
}

/* Inputs must have been made already: so the graph has no cycle, and runs in the order it stands.
 */
static enum err add_port(struct reader *r, struct node *n, const struct proto *p)
{
    long known;
    int32_t value = -1;

    TRY(onnx_check_name(p->bytes, r->why));
    if (p->field == NODE_OUTPUT) {
        if (p->bytes.length > 0)
            TRY(new_value(r, p->bytes, &value));
        n->outputs[n->output_count++] = value;
        return OK;
    }
    known = p->bytes.length == 0 ? -1 : dict_find(&r->names, p->bytes);
    if (p->bytes.length > 0 && known < 0)
        return refuse(r->why, ERR_CONTENT, "node \"%.*s\" uses \"%.*s\" before anything makes it",
                      (int)n->name.length, n->name.data, (int)p->bytes.length, p->bytes.data);
    n->inputs[n->input_count++] = (int32_t)known;
    return OK;
}

static enum err add_ports(struct reader *r, struct node *n, struct span message)
{
    struct proto p;

    /* outputs last, or a node could use what it makes */
    for (uint32_t field = NODE_INPUT; field <= NODE_OUTPUT; field++) {
        p = proto_open(message);
        while (proto_next(&p))
            if (proto_is(&p, field, PROTO_BYTES))
                TRY(add_port(r, n, &p));
        TRY(onnx_proto_end(&p, "node", r->why));
    }
    return OK;
}

static enum err add_attributes(struct reader *r, struct node *n, struct span message)
{
    struct proto p = proto_open(message);

    TRY(pool_get(r->pool, n->attribute_count, sizeof(*n->attributes), &n->attributes, r->why));
    n->attribute_count = 0;
    while (proto_next(&p)) {
        struct attribute *a;

        if (!proto_is(&p, NODE_ATTRIBUTE, PROTO_BYTES))
            continue;
        a = &n->attributes[n->attribute_count];
        TRY(onnx_read_attribute(p.bytes, a, r->pool, r->why));
        for (size_t i = 0; i < n->attribute_count; i++)
            if (span_compare(n->attributes[i].name, a->name) == 0)
                return refuse(r->why, ERR_CONTENT, "node \"%.*s\" has two attributes \"%.*s\"",
                              (int)n->name.length, n->name.data, (int)a->name.length, a->name.data);
        n->attribute_count++;
    }
    return onnx_proto_end(&p, "node", r->why);
}

static enum err find_operator(struct reader *r, struct node *n, struct span op, struct span domain)
{
    bool ml = span_is(domain, "ai.onnx.ml");

    n->version = ml ? r->m->opset_ml : r->m->opset;
    n->op = ml || domain.length == 0 || span_is(domain, "ai.onnx") ? operator_find(op, ml) : NULL;
    if (n->op == NULL)
        return refuse(r->why, ERR_CONTENT,
                      "node \"%.*s\": the operator %.*s%s%.*s is not supported",
                      (int)n->name.length, n->name.data, (int)domain.length, domain.data,
                      domain.length > 0 ? "." : "", (int)op.length, op.data);
    if (n->version == 0)
        return refuse(r->why, ERR_CONTENT, "the model uses %.*s without importing its operator set",
                      (int)op.length, op.data);
    return OK;
}

static enum err add_node(struct reader *r, struct span message)
{
    struct node *n = &r->m->nodes[r->m->node_count++];
    struct span op = {"", 0}, domain = {"", 0};
    struct proto p = proto_open(message);
    size_t inputs = 0, outputs = 0;

    while (proto_next(&p)) {
        inputs += proto_is(&p, NODE_INPUT, PROTO_BYTES);
        outputs += proto_is(&p, NODE_OUTPUT, PROTO_BYTES);
        n->attribute_count += proto_is(&p, NODE_ATTRIBUTE, PROTO_BYTES);
        if (proto_is(&p, NODE_OP, PROTO_BYTES))
            op = p.bytes;
        else if (proto_is(&p, NODE_DOMAIN, PROTO_BYTES))
            domain = p.bytes;
        else if (proto_is(&p, NODE_NAME, PROTO_BYTES))
            n->name = p.bytes;
    }
    TRY(onnx_proto_end(&p, "node", r->why));
    TRY(onnx_check_name(n->name, r->why));
    TRY(onnx_check_name(op, r->why));
    TRY(onnx_check_name(domain, r->why));
    if (n->attribute_count > ONNX_MAX_ATTRIBUTES)
        return refuse(r->why, ERR_CONTENT, "node \"%.*s\" has more than %d attributes",
                      (int)n->name.length, n->name.data, ONNX_MAX_ATTRIBUTES);
    TRY(find_operator(r, n, op, domain));
    TRY(pool_get(r->pool, inputs, sizeof(*n->inputs), &n->inputs, r->why));
    TRY(pool_get(r->pool, outputs, sizeof(*n->outputs), &n->outputs, r->why));
    TRY(add_ports(r, n, message));
    TRY(add_attributes(r, n, message));
    return n->op->prepare == NULL ? OK : n->op->prepare(n, r->pool, r->why);
}

static enum err add_all(struct reader *r, struct span graph, uint32_t field,
                        enum err (*add)(struct reader *, struct span))
{
    struct proto p = proto_open(graph);

    while (proto_next(&p))
        if (proto_is(&p, field, PROTO_BYTES))
            TRY(add(r, p.bytes));
    return onnx_proto_end(&p, "graph", r->why);
}

static enum err read_graph(struct reader *r, struct span graph)
{
    struct model *m = r->m;
    struct census c = {0};
    size_t values;

    TRY(take_census(graph, &c, r->why));
    values = c.initializers + c.inputs + c.edges;
    r->names = dict_new(r->pool, values);
    TRY(pool_get(r->pool, values, sizeof(*m->values), &m->values, r->why));
    TRY(pool_get(r->pool, c.nodes, sizeof(*m->nodes), &m->nodes, r->why));
    TRY(pool_get(r->pool, c.inputs, sizeof(*m->inputs), &m->inputs, r->why));
    TRY(pool_get(r->pool, c.outputs, sizeof(*m->outputs), &m->outputs, r->why));
    TRY(add_all(r, graph, GRAPH_INITIALIZER, add_initializer));
    TRY(add_all(r, graph, GRAPH_INPUT, add_input));
    TRY(add_all(r, graph, GRAPH_NODE, add_node));
    return add_all(r, graph, GRAPH_OUTPUT, add_output);
}

enum err onnx_read(struct model *m, struct span file, struct pool *pool, struct refusal *why)
{
    struct reader r = {.m = m, .pool = pool, .why = why};
    struct proto p = proto_open(file);
    struct span graph = {NULL, 0};

    *m = (struct model){.metadata = {"", 0}};
    while (proto_next(&p)) {
        if (p.field == MODEL_FUNCTIONS || p.field == MODEL_TRAINING)
            return refuse(why, ERR_CONTENT, "models with %s are not supported",
                          p.field == MODEL_FUNCTIONS ? "functions of their own" : "training parts");
        if (proto_is(&p, MODEL_OPSET, PROTO_BYTES))
            TRY(read_opset(m, p.bytes, why));
        else if (proto_is(&p, MODEL_METADATA, PROTO_BYTES))
            TRY(read_metadata(m, p.bytes, why));
        else if (proto_is(&p, MODEL_GRAPH, PROTO_BYTES)) {
            if (graph.data != NULL)
                return refuse(why, ERR_CONTENT, "the model has two graphs");
            graph = p.bytes;
        }
    }
    TRY(onnx_proto_end(&p, "model", why));
    if (graph.data == NULL)
        return refuse(why, ERR_CONTENT, "the file is not an ONNX model: there is no graph in it");
    return read_graph(&r, graph);
}
