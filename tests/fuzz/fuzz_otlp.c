/* SPDX-License-Identifier: Apache-2.0 */
/* Spans from anywhere: a reason, or records that are JSON and can be told again. */
#include "registry/mlflow/trace_otlp.h"
#include "registry/mlflow/trace_value.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What is kept of a span is an object of attributes that the answer's writer takes. */
static void tell(const json_t *records)
{
    struct text out = text_new(64 << 20);
    const json_t *record;
    size_t i;

    json_array_foreach(records, i, record)
    {
        const json_t *attributes = json_object_get(record, "attributes");

        if (!json_is_object(attributes) || json_object_get(record, "trace") == NULL)
            abort();
        value_write_pairs(&out, attributes);
    }
    text_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct otlp_batch batch;
    const char *why = NULL;
    json_t *records;

    if (otlp_read((struct span){(const char *)data, size}, &batch, &why) == OK) {
        records = json_loadb(batch.records.data, batch.records.length, 0, NULL);
        if (records == NULL || json_array_size(records) != batch.taken)
            abort();
        tell(records);
        json_decref(records);
    } else if (why == NULL && !batch.records.failed) {
        abort();
    }
    text_free(&batch.records);
    return 0;
}
