/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/listing.h"

enum { USUAL = 100, MOST = 1000 };

enum err listing_read(struct request *rq, bool ids, struct listing *l)
{
    l->after = request_query(rq, "after");
    if (l->after != NULL && !(ids ? id_valid(l->after) : name_valid(l->after))) {
        rq->target = "after";
        return fail(rq, ERR_INVALID, "after is not a cursor of this list");
    }
    return request_query_int(rq, "limit", 1, MOST, USUAL, &l->limit);
}

enum err listing_reply(struct request *rq, const struct listing *l, const struct field *fields,
                       size_t size, struct rows *rows, size_t key)
{
    const char *next = NULL;

    if (rows->count > (size_t)l->limit) {
        rows->count = (size_t)l->limit;
        next = *(const char *const *)((const char *)rows->items + (rows->count - 1) * size + key);
    }
    return request_reply_list(rq, fields, size, rows, next);
}
