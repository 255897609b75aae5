/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ENGINE_CSV_INPUT_H
#define ENGINE_CSV_INPUT_H

#include "compute/engine/dict.h"

#include <stdbool.h>

/* A table's bytes, one row at a time. Only quotes and line ends are understood here. */
struct csv_input {
    int fd;             /* -1 when the table is in memory */
    struct span memory; /* the table, when it is */
    size_t taken;       /* bytes of the source that are in the buffer or were */
    char *buffer;
    size_t room;
    size_t start; /* of the present row */
    size_t end;   /* of what is in the buffer */
    bool ended;   /* the source has no more */
};

/* One row as it stands in the file, its line end left out. */
struct csv_line {
    char *data;
    size_t length;
    size_t breaks; /* line ends it takes, its own one included */
    bool quotes;   /* there is a quote in it */
};

void csv_input_free(struct csv_input *in);
/* *more is false at the end of the source. ERR_CONTENT for a quote that never closes. */
MUST_CHECK enum err csv_input_line(struct csv_input *in, size_t line, struct csv_line *out,
                                   bool *more, struct refusal *why);

#endif
