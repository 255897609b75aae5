/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REGISTRY_PICKLE_H
#define REGISTRY_PICKLE_H

#include "core/err.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a pickle would do if somebody loaded it; nothing here ever loads one. The opcodes of
 * protocols 0 to 5 (CPython, Lib/pickletools.py) are walked, not executed: which of them can run
 * code, and which names they would import. Also inside zip files (torch, npz), of numpy's object
 * arrays, and behind gzip and zlib (joblib). Everything is bounded: what could not be walked to its
 * end is reported as such. */
enum {
    PICKLE_STEPS_MAX = 2000000,  /* opcodes of one file */
    PICKLE_BYTES_MAX = 64 << 20, /* read or inflated of one file */
    PICKLE_GLOBALS_MAX = 100,    /* names that are listed */
    PICKLE_MEMBERS_MAX = 10000,  /* of a zip file */
    PICKLE_NAME_MAX = 120,       /* bytes of a module or name that are kept */
};

/* Bytes to read by place: a file, or memory when fd is -1. */
struct pickle_bytes {
    int fd;
    const uint8_t *data;
    uint64_t size;
};
/* As many of length as there are at offset, at most. */
size_t pickle_read(const struct pickle_bytes *b, uint64_t offset, void *out, size_t length);

/* A stream of them, or of what they inflate to. */
struct pickle_stream;
struct pickle_stream *pickle_open(const struct pickle_bytes *b, uint64_t offset, uint64_t length,
                                  int inflate_bits); /* 0: as they are. NULL: no memory */
void pickle_close(struct pickle_stream *s);
/* The next byte, or -1 at the end or past the bounds. */
int pickle_next(struct pickle_stream *s);
/* What is next, without taking it: at most 16 bytes. */
size_t pickle_peek(struct pickle_stream *s, uint8_t *out, size_t length);
bool pickle_skip(struct pickle_stream *s, uint64_t length);

/* Walk one pickle: {"protocol", "opcodes", "globals", "complete"}, owned by the caller. *ended when
 * its STOP was reached: what follows may be another. */
json_t *pickle_walk(struct pickle_stream *s, bool *ended);

/* Look into a file of that path: append to list one object for each pickle in it, with "path" and,
 * inside a zip file, "member". */
void pickle_scan(const struct pickle_bytes *b, const char *path, json_t *list);

#endif
