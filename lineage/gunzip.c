/* SPDX-License-Identifier: Apache-2.0 */
#include "lineage/gunzip.h"

#include <limits.h>
#include <zlib.h>

enum { PIECE = 64 << 10, GZIP_ONLY = 15 + 16 };

/* Inflate one piece after the other; a member may follow a member (RFC 1952 §2.2). */
static enum err inflate_all(z_stream *z, struct text *out)
{
    unsigned char piece[PIECE];
    int said = Z_OK;

    while (said == Z_OK || z->avail_in > 0) {
        if (said == Z_STREAM_END && inflateReset(z) != Z_OK)
            return ERR_INTERNAL;
        z->next_out = piece;
        z->avail_out = sizeof(piece);
        said = inflate(z, Z_NO_FLUSH);
        if (said != Z_OK && said != Z_STREAM_END) /* Z_BUF_ERROR: it is cut short */
            return ERR_CONTENT;
        text_add(out, (const char *)piece, sizeof(piece) - z->avail_out);
        if (out->failed)
            return ERR_TOO_LARGE;
    }
    return OK;
}

enum err gunzip(const uint8_t *data, size_t length, struct text *out)
{
    z_stream z = {.next_in = (z_const Bytef *)data, .avail_in = (uInt)length};
    enum err e;

    if (length > UINT_MAX)
        return ERR_TOO_LARGE;
    if (inflateInit2(&z, GZIP_ONLY) != Z_OK)
        return ERR_INTERNAL;
    e = inflate_all(&z, out);
    (void)inflateEnd(&z);
    return e;
}
