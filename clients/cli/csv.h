/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_CSV_H
#define CLI_CSV_H

#include "core/arena.h"

#include <stdbool.h>
#include <stddef.h>

/* A small table of text (RFC 4180) in memory: fields[row * columns + column]; row 0 is the header.
 */
struct csv {
    const char **fields;
    size_t rows;
    size_t columns;
};

/* text is NUL-terminated and is not kept. NULL when all is well, else what is wrong and where, from
 * the arena. Every row must have as many fields as the header. */
const char *csv_parse(struct arena *a, const char *text, struct csv *out);

#endif
