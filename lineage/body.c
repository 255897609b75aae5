/* SPDX-License-Identifier: Apache-2.0 */
#include "lineage/body.h"

#include "lineage/gunzip.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static void release_text(void *text)
{
    text_free(text);
}

struct text *body_text(struct request *rq, size_t max)
{
    struct text *t = arena_alloc(rq->arena, sizeof(*t));

    *t = text_new(max);
    arena_own(rq->arena, t, release_text);
    return t;
}

static enum err read_file(const char *path, struct text *out)
{
    static _Thread_local char part[1 << 16];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n;

    if (fd < 0)
        return ERR_INTERNAL;
    while ((n = read(fd, part, sizeof(part))) > 0)
        text_add(out, part, (size_t)n);
    (void)close(fd);
    return n < 0 || out->failed ? ERR_INTERNAL : OK;
}

bool body_is(const char *value, const char *word)
{
    size_t length = strlen(word);

    return strncasecmp(value, word, length) == 0 && strchr("; \t", value[length]) != NULL;
}

static enum err unpack(struct request *rq, const struct text *packed, size_t max,
                       const struct text **out)
{
    const char *encoding = request_header(rq, "content-encoding");
    struct text *plain;
    enum err e;

    *out = packed;
    if (encoding == NULL || body_is(encoding, "identity"))
        return OK;
    if (!body_is(encoding, "gzip"))
        return fail(rq, ERR_MEDIA_TYPE, "Content-Encoding must be gzip or none");
    *out = plain = body_text(rq, max);
    e = gunzip((const uint8_t *)packed->data, packed->length, plain);
    if (e == ERR_TOO_LARGE)
        return fail(rq, e, "unpacked, at most %zu bytes are taken", max);
    return e == OK ? OK : fail(rq, ERR_INVALID, "the body is not what gzip writes");
}

enum err body_read(struct request *rq, size_t packed, size_t plain, const struct text **out)
{
    struct text *body = body_text(rq, packed);

    if (!rq->upload->complete)
        return fail(rq, ERR_INVALID, "the body did not arrive whole");
    if (rq->upload->size > (int64_t)packed)
        return fail(rq, ERR_TOO_LARGE, "at most %zu bytes are taken", packed);
    TRY(read_file(rq->upload->path, body));
    return unpack(rq, body, plain, out);
}
