/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ENGINE_CSV_H
#define ENGINE_CSV_H

#include "compute/engine/dict.h"

#include <stdbool.h>

/* Comma-separated values after RFC 4180, strictly: a header of distinct, non-empty names; every row
 * as wide as the header; quotes only around whole fields; UTF-8 without NUL. LF ends a row as CRLF
 * does, a byte-order mark is skipped, and so are blank lines in tables of more than one column.
 * Memory is bounded by the longest row, so the size of the file does not matter. */
enum {
    CSV_MAX_COLUMNS = 10000,
    CSV_MAX_FIELD = 1 << 20,
    CSV_MAX_ROW = 1 << 24,
    CSV_MAX_NAME = 256
};

struct csv {
    size_t columns;
    struct span *names;  /* (columns) */
    struct span *fields; /* (columns) of the present row, unquoted; valid until the next row */
    size_t line;         /* where the present row begins, from 1 */
    size_t next_line;    /* where the next one does */
    struct csv_input *input;
};

/* fd is read from its first byte with pread; nobody's file offset moves. The pool holds the names
 * and the buffer. csv_close frees nothing of the pool's. */
MUST_CHECK enum err csv_open(struct csv *c, int fd, struct pool *pool, struct refusal *why);
MUST_CHECK enum err csv_open_memory(struct csv *c, struct span table, struct pool *pool,
                                    struct refusal *why);
void csv_close(struct csv *c);

/* The next row; *more is false at the end. Errors are ERR_CONTENT and name the line. */
MUST_CHECK enum err csv_next(struct csv *c, bool *more, struct refusal *why);

/* Bytes of the table that the rows so far take. */
size_t csv_offset(const struct csv *c);

/* The number of the column of that name, or -1. */
long csv_column(const struct csv *c, struct span name);

#endif
