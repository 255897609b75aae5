/* SPDX-License-Identifier: Apache-2.0 */
#include "compute/engine/output.h"

#include "core/text.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

void output_begin(struct output *o, int fd)
{
    o->fd = fd;
    o->hash = sha256_begin();
    o->bytes = 0;
    o->waiting = 0;
}

static enum err flush(struct output *o, struct refusal *why)
{
    size_t done = 0;

    while (done < o->waiting) {
        ssize_t n = write(o->fd, o->buffer + done, o->waiting - done);

        if (n >= 0)
            done += (size_t)n;
        else if (errno == EFBIG || errno == ENOSPC || errno == EDQUOT)
            return refuse(why, ERR_TOO_LARGE, "the output may not be larger than %zu bytes",
                          o->bytes - o->waiting + done);
        else if (errno != EINTR)
            return refuse(why, ERR_INTERNAL, "the output cannot be written: %s",
                          strerrordesc_np(errno));
    }
    o->waiting = 0;
    return OK;
}

enum err output_add(struct output *o, const void *data, size_t length, struct refusal *why)
{
    const char *from = data;

    sha256_add(o->hash, data, length);
    while (length > 0) {
        size_t part = sizeof(o->buffer) - o->waiting;

        if (part > length)
            part = length;
        memcpy(o->buffer + o->waiting, from, part);
        o->waiting += part;
        o->bytes += part;
        from += part;
        length -= part;
        if (o->waiting == sizeof(o->buffer))
            TRY(flush(o, why));
    }
    return OK;
}

enum err output_end(struct output *o, json_t **about, struct refusal *why)
{
    char hex[2 * SHA256_SIZE + 1];
    enum err e = flush(o, why);
    struct digest d = sha256_end(o->hash);

    o->hash = NULL;
    if (e != OK)
        return e;
    hex_encode(d.bytes, sizeof(d.bytes), hex);
    if (about != NULL)
        *about = json_pack("{s:s, s:I}", "sha256", hex, "bytes", (json_int_t)o->bytes);
    return OK;
}

void output_drop(struct output *o)
{
    if (o->hash != NULL)
        sha256_drop(o->hash);
    o->hash = NULL;
}
