/* SPDX-License-Identifier: Apache-2.0 */
/* Reads any bytes as a table, cell by cell. */
#include "compute/engine/csv.h"
#include "compute/engine/value.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pool pool = pool_new(1 << 24);
    struct refusal why;
    struct csv c;
    bool more = true;

    if (csv_open_memory(&c, (struct span){(const char *)data, size}, &pool, &why) == OK) {
        while (csv_next(&c, &more, &why) == OK && more)
            for (size_t i = 0; i < c.columns; i++)
                if (value_read(c.fields[i]).kind != value_kind(c.fields[i]))
                    __builtin_trap();
        csv_close(&c);
    }
    pool_free(&pool);
    return 0;
}
