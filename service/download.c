/* SPDX-License-Identifier: Apache-2.0 */
#include "service/download.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

/* Larger than a TLS record on purpose: libmicrohttpd's own 4 KiB reads cost 2.4 times the CPU. */
enum { BLOCK = 65536 };

enum range { RANGE_NONE, RANGE_SOME, RANGE_OUTSIDE };

static bool number_parse(const char *text, size_t length, int64_t *out)
{
    char digits[20];
    uint64_t number = 0;

    if (length == 0 || length >= sizeof(digits))
        return false;
    memcpy(digits, text, length);
    digits[length] = '\0';
    if (!uint_parse(digits, INT64_MAX, &number))
        return false;
    *out = (int64_t)number;
    return true;
}

/* The last n bytes. */
static enum range range_suffix(const char *text, int64_t size, int64_t *first, int64_t *last)
{
    int64_t n = 0;

    if (!number_parse(text, strlen(text), &n))
        return RANGE_NONE;
    if (n == 0 || size == 0)
        return RANGE_OUTSIDE;
    *first = n < size ? size - n : 0;
    *last = size - 1;
    return RANGE_SOME;
}

/* One range; several, other units and nonsense are ignored, as §14.2 allows. */
static enum range range_parse(const char *value, int64_t size, int64_t *first, int64_t *last)
{
    const char *dash;

    if (strncasecmp(value, "bytes=", 6) != 0 || strchr(value, ',') != NULL)
        return RANGE_NONE;
    value += 6;
    if (value[0] == '-')
        return range_suffix(value + 1, size, first, last);
    dash = strchr(value, '-');
    if (dash == NULL || !number_parse(value, (size_t)(dash - value), first))
        return RANGE_NONE;
    *last = size - 1;
    if (dash[1] != '\0' && !number_parse(dash + 1, strlen(dash + 1), last))
        return RANGE_NONE;
    if (dash[1] != '\0' && *last < *first)
        return RANGE_NONE;
    if (*first >= size)
        return RANGE_OUTSIDE;
    if (*last >= size)
        *last = size - 1;
    return RANGE_SOME;
}

static const char *reply_header(const struct reply *reply, const char *name)
{
    for (size_t i = 0; i < reply->headers_count; i++)
        if (strcasecmp(reply->headers[i].name, name) == 0)
            return reply->headers[i].value;
    return NULL;
}

/* If-Range by strong comparison of the ETag; a date never matches. */
static bool still_the_same(const struct request *rq)
{
    const char *wanted = request_header(rq, "if-range");
    const char *etag = reply_header(&rq->reply, "ETag");

    if (wanted == NULL)
        return true;
    return etag != NULL && etag[0] == '"' && strcmp(wanted, etag) == 0;
}

/* If-None-Match by weak comparison (RFC 9110 §13.1.2): does the client have these bytes already? */
static bool known_to_client(const struct request *rq)
{
    const char *list = request_header(rq, "if-none-match");
    const char *etag = reply_header(&rq->reply, "ETag");
    size_t length = etag == NULL ? 0 : strlen(etag);

    if (list == NULL || etag == NULL)
        return false;
    if (strcmp(list, "*") == 0)
        return true;
    for (const char *at = strstr(list, etag); at != NULL; at = strstr(at + 1, etag))
        if (strchr(", \t", at[length]) != NULL) /* or the end */
            return true;
    return false;
}

struct download *download_plan(struct request *rq, unsigned status, bool head, atomic_llong *sent)
{
    const struct reply *reply = &rq->reply;
    struct download *d = arena_alloc(rq->arena, sizeof(*d));
    const char *range = request_header(rq, "range");
    int64_t first = 0;
    int64_t last = 0;
    enum range found;

    *d = (struct download){.fd = reply->fd, .offset = reply->offset, .size = reply->size};
    d->status = status;
    d->sent = sent;
    if (status == 200 && known_to_client(rq)) {
        d->status = 304;
        d->size = 0;
        return d;
    }
    if (range == NULL || status != 200 || head || !still_the_same(rq))
        return d;
    found = range_parse(range, reply->size, &first, &last);
    if (found == RANGE_NONE)
        return d;
    d->status = found == RANGE_SOME ? 206 : 416;
    if (found == RANGE_OUTSIDE) {
        d->size = 0;
        d->content_range = arena_printf(rq->arena, "bytes */%" PRId64, reply->size);
        return d;
    }
    d->offset += first;
    d->size = last - first + 1;
    d->content_range =
        arena_printf(rq->arena, "bytes %" PRId64 "-%" PRId64 "/%" PRId64, first, last, reply->size);
    return d;
}

static ssize_t download_read(void *cls, uint64_t position, char *buffer, size_t max)
{
    struct download *d = cls;
    ssize_t got;

    if (position >= (uint64_t)d->size)
        return MHD_CONTENT_READER_END_OF_STREAM;
    if (max > (uint64_t)d->size - position)
        max = (size_t)((uint64_t)d->size - position);
    do
        got = pread(d->fd, buffer, max, d->offset + (off_t)position);
    while (got < 0 && errno == EINTR);
    /* A file that ends early cannot be told from its end, so the connection is cut. */
    if (got <= 0)
        return MHD_CONTENT_READER_END_WITH_ERROR;
    atomic_fetch_add(d->sent, got);
    return got;
}

struct MHD_Response *download_response(struct download *d)
{
    if (d->size == 0)
        return MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT);
    return MHD_create_response_from_callback((uint64_t)d->size, BLOCK, download_read, d, NULL);
}
