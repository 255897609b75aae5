/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REGISTRY_REPLY_H
#define REGISTRY_REPLY_H

#include "core/request.h"

/* For arena_own: gives up a reference to a json_t. */
void json_release(void *json);

/* The entity tag of revision N is "N" (RFC 9110 §8.8.3). Checks If-Match and If-None-Match of a
 * change; revision 0 means that the thing is not there yet. ERR_PRECONDITION says which failed. */
MUST_CHECK enum err etag_check(struct request *rq, int64_t revision);
/* The thing with its ETag header. */
enum err etag_reply(struct request *rq, const struct field *fields, const void *in,
                    int64_t revision);

/* One page of a list, by keyset: ask the database for limit + 1 rows beyond after. */
struct page {
    int64_t limit;
    const char *after; /* the last page's last key; NULL for the first page */
};
MUST_CHECK enum err page_read(struct request *rq, struct page *page);
/* The key as a number, for lists that run downwards; fallback for the first page. */
MUST_CHECK enum err page_number(struct request *rq, const struct page *page, int64_t fallback,
                                int64_t *out);
/* The key as an id, for lists that run downwards; the first page begins at the highest. */
MUST_CHECK enum err page_id(struct request *rq, const struct page *page, const char **out);

/* key_text is the offset of the const char * by which the list is ordered; key_number of the
 * int64_t. More rows than the limit mean that there is a next page. */
enum err page_reply(struct request *rq, const struct page *page, const struct field *fields,
                    size_t size, struct rows *rows, size_t key_text);
enum err page_reply_numbered(struct request *rq, const struct page *page,
                             const struct field *fields, size_t size, struct rows *rows,
                             size_t key_number);

#endif
