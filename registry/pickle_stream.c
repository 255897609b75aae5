/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/pickle.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

enum { BUFFER = 1 << 16 };

struct pickle_stream {
    const struct pickle_bytes *bytes;
    uint64_t at;   /* where the next raw bytes are */
    uint64_t end;  /* and where they end */
    uint64_t used; /* read or inflated so far */
    bool inflates;
    bool over; /* nothing more comes */
    z_stream z;
    size_t from, filled; /* of out */
    uint8_t raw[BUFFER];
    uint8_t out[BUFFER];
};

size_t pickle_read(const struct pickle_bytes *b, uint64_t offset, void *out, size_t length)
{
    size_t done = 0;

    if (offset >= b->size)
        return 0;
    if (length > b->size - offset)
        length = (size_t)(b->size - offset);
    if (b->fd < 0) {
        memcpy(out, b->data + offset, length);
        return length;
    }
    while (done < length) {
        ssize_t got = pread(b->fd, (char *)out + done, length - done, (off_t)(offset + done));

        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            break;
        done += (size_t)got;
    }
    return done;
}

struct pickle_stream *pickle_open(const struct pickle_bytes *b, uint64_t offset, uint64_t length,
                                  int inflate_bits)
{
    struct pickle_stream *s = calloc(1, sizeof(*s));

    if (s == NULL)
        return NULL;
    s->bytes = b;
    s->at = offset;
    s->end = length > b->size || offset > b->size - length ? b->size : offset + length;
    s->inflates = inflate_bits != 0;
    if (s->inflates && inflateInit2(&s->z, inflate_bits) != Z_OK) {
        free(s);
        return NULL;
    }
    return s;
}

void pickle_close(struct pickle_stream *s)
{
    if (s == NULL)
        return;
    if (s->inflates)
        (void)inflateEnd(&s->z);
    free(s);
}

static size_t raw_bytes(struct pickle_stream *s, uint8_t *to)
{
    uint64_t left = s->at < s->end ? s->end - s->at : 0;
    size_t got = pickle_read(s->bytes, s->at, to, left < BUFFER ? (size_t)left : BUFFER);

    s->at += got;
    return got;
}

static size_t inflated_bytes(struct pickle_stream *s)
{
    int code = Z_OK;

    s->z.next_out = s->out;
    s->z.avail_out = BUFFER;
    while (s->z.avail_out == BUFFER && code == Z_OK) {
        if (s->z.avail_in == 0) {
            s->z.next_in = s->raw;
            s->z.avail_in = (uInt)raw_bytes(s, s->raw);
        }
        code = inflate(&s->z, Z_NO_FLUSH);
    }
    if (code != Z_OK)
        s->over = true;
    return BUFFER - s->z.avail_out;
}

static bool fill(struct pickle_stream *s)
{
    if (s->from < s->filled)
        return true;
    if (s->over || s->used > PICKLE_BYTES_MAX)
        return false;
    s->from = 0;
    s->filled = s->inflates ? inflated_bytes(s) : raw_bytes(s, s->out);
    s->used += s->filled;
    return s->filled > 0;
}

int pickle_next(struct pickle_stream *s)
{
    return fill(s) ? s->out[s->from++] : -1;
}

size_t pickle_peek(struct pickle_stream *s, uint8_t *out, size_t length)
{
    size_t there = fill(s) ? s->filled - s->from : 0;

    if (length > there)
        length = there;
    memcpy(out, s->out + s->from, length);
    return length;
}

/* Raw bytes are jumped over, and so are not counted: a pickle may carry gigabytes of numbers. */
bool pickle_skip(struct pickle_stream *s, uint64_t length)
{
    while (length > 0 && s->from < s->filled) {
        size_t here = s->filled - s->from;
        size_t step = length < here ? (size_t)length : here;

        s->from += step;
        length -= step;
    }
    if (length == 0)
        return true;
    if (!s->inflates) {
        if (length > s->end - s->at)
            return false;
        s->at += length;
        return true;
    }
    return fill(s) && pickle_skip(s, length);
}
