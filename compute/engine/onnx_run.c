/* SPDX-License-Identifier: Apache-2.0 */
#include "compute/engine/onnx.h"

#include "compute/engine/operator.h"

#include <string.h>

static enum err check_input(const struct value_info *v, const struct tensor *t, struct refusal *why)
{
    if (t->type != v->type)
        return refuse(why, ERR_INVALID, "input \"%.*s\" is %s, not %s", (int)v->name.length,
                      v->name.data, element_name(v->type), element_name(t->type));
    if (!v->shaped)
        return OK;
    if (t->rank != v->shape.rank)
        return refuse(why, ERR_INVALID, "input \"%.*s\" has %u dimensions, not %u",
                      (int)v->name.length, v->name.data, v->shape.rank, t->rank);
    for (unsigned i = 0; i < t->rank; i++)
        if (v->shape.dims[i] >= 0 && v->shape.dims[i] != t->dims[i])
            return refuse(why, ERR_INVALID, "dimension %u of input \"%.*s\" is %lld, not %lld", i,
                          (int)v->name.length, v->name.data, (long long)v->shape.dims[i],
                          (long long)t->dims[i]);
    return OK;
}

static enum err run_node(const struct node *n, struct tensor **values, struct pool *pool,
                         struct refusal *why)
{
    size_t places = n->input_count > STEP_PORTS ? n->input_count : STEP_PORTS;
    struct tensor *few[STEP_PORTS] = {NULL}, **in = few, *out[STEP_PORTS] = {NULL};
    struct step s = {.node = n, .out = out, .pool = pool, .why = why};

    if (places > STEP_PORTS)
        TRY(pool_get(pool, places, sizeof(struct tensor *), &in, why));
    s.in = in;
    s.in_count = n->input_count;
    s.out_count = n->output_count;
    for (size_t i = 0; i < n->input_count; i++)
        in[i] = n->inputs[i] < 0 ? NULL : values[n->inputs[i]];
    for (size_t i = 0; i < n->op->least; i++)
        if (in[i] == NULL)
            return step_refuse(&s, "an input is missing");
    TRY(n->op->run(&s));
    for (size_t i = 0; i < n->output_count; i++) {
        if (n->outputs[i] < 0)
            continue;
        if (i >= STEP_PORTS || out[i] == NULL)
            return step_refuse(&s, "it has more outputs than are supported");
        values[n->outputs[i]] = out[i];
    }
    return OK;
}

enum err onnx_run(const struct model *m, struct tensor *const *inputs, struct tensor **outputs,
                  struct pool *pool, struct refusal *why)
{
    struct tensor **values;

    TRY(pool_get(pool, m->value_count, sizeof(struct tensor *), &values, why));
    for (size_t i = 0; i < m->value_count; i++)
        values[i] = m->values[i].constant;
    for (size_t i = 0; i < m->input_count; i++) {
        TRY(check_input(&m->values[m->inputs[i]], inputs[i], why));
        values[m->inputs[i]] = inputs[i];
    }
    for (size_t i = 0; i < m->node_count; i++)
        TRY(run_node(&m->nodes[i], values, pool, why));
    for (size_t i = 0; i < m->output_count; i++) {
        outputs[i] = values[m->outputs[i]];
        if (outputs[i] == NULL)
            return refuse(why, ERR_CONTENT, "nothing made the output \"%.*s\"",
                          (int)m->values[m->outputs[i]].name.length,
                          m->values[m->outputs[i]].name.data);
    }
    return OK;
}
