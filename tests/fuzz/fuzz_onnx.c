/* SPDX-License-Identifier: Apache-2.0 */
/* Reads any bytes as a model, and runs it once on two rows of zeros or empty strings. */
#include "compute/engine/onnx.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void run(const struct model *m, struct pool *pool)
{
    struct tensor **in = pool_take(pool, m->input_count, sizeof(struct tensor *));
    struct tensor **out = pool_take(pool, m->output_count, sizeof(struct tensor *));
    struct refusal why;

    for (size_t i = 0; in != NULL && i < m->input_count; i++) {
        struct shape shape = m->values[m->inputs[i]].shape;

        for (unsigned d = 0; d < shape.rank; d++)
            shape.dims[d] = shape.dims[d] < 0 ? 2 : shape.dims[d];
        if (tensor_new(m->values[m->inputs[i]].type, &shape, &in[i], pool, &why) != OK)
            return;
    }
    if (in != NULL && out != NULL)
        (void)!onnx_run(m, in, out, pool, &why);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pool pool = pool_new(1 << 24);
    struct refusal why;
    struct model m;

    if (onnx_read(&m, (struct span){(const char *)data, size}, &pool, &why) == OK)
        run(&m, &pool);
    pool_free(&pool);
    return 0;
}
