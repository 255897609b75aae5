/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/pickle.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Whatever the bytes are: it ends, and what it says is JSON. */
static void scan(const uint8_t *bytes, size_t size, const char *path)
{
    const struct pickle_bytes b = {.fd = -1, .data = bytes, .size = size};
    json_t *list = json_array();
    char *text;

    pickle_scan(&b, path, list);
    text = json_dumps(list, JSON_COMPACT);
    if (text == NULL || json_array_size(list) > PICKLE_MEMBERS_MAX)
        abort();
    free(text);
    json_decref(list);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    /* Exact allocation, so that a read past the end is seen. */
    uint8_t *bytes = malloc(size + (size == 0));

    if (bytes == NULL)
        abort();
    if (size > 0)
        memcpy(bytes, data, size);
    scan(bytes, size, "model.pkl");
    scan(bytes, size, "weights.bin");
    free(bytes);
    return 0;
}
