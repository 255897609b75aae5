/* SPDX-License-Identifier: Apache-2.0 */
/* gzip members from anywhere: whatever they say, no more is written than was allowed. */
#include "lineage/gunzip.h"

#include <stdlib.h>

enum { MOST = 1 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct text out = text_new(MOST);
    enum err e = gunzip(data, size, &out);

    if (out.length > MOST || (e == OK && out.failed))
        abort();
    text_free(&out);
    return 0;
}
