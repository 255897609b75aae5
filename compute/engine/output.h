/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ENGINE_OUTPUT_H
#define ENGINE_OUTPUT_H

#include "compute/engine/refuse.h"
#include "core/crypto.h"

#include <jansson.h>

/* The file a job writes: buffered, hashed on the way. */
struct output {
    int fd;
    struct sha256 *hash;
    size_t bytes;
    size_t waiting;
    char buffer[1 << 16];
};

void output_begin(struct output *o, int fd);
/* ERR_TOO_LARGE when the file may not grow any more. */
MUST_CHECK enum err output_add(struct output *o, const void *data, size_t length,
                               struct refusal *why);
/* Writes what waits; {"sha256","bytes"} in *about when that is not NULL. Ends the hash either way.
 */
MUST_CHECK enum err output_end(struct output *o, json_t **about, struct refusal *why);
/* Gives up; for the way out after an error. */
void output_drop(struct output *o);

#endif
