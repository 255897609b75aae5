/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AUTH_LISTING_H
#define AUTH_LISTING_H

#include "core/request.h"

/* One page of a list by keyset, for which a query gives one row more than limit. */
struct listing {
    int64_t limit;
    const char *after; /* the last page's last key; NULL for the first page */
};
/* ids: the keys are UUIDs; else names. ERR_INVALID names the parameter. */
MUST_CHECK enum err listing_read(struct request *rq, bool ids, struct listing *l);
/* key is the offset of the const char * by which the rows are ordered. */
enum err listing_reply(struct request *rq, const struct listing *l, const struct field *fields,
                       size_t size, struct rows *rows, size_t key);

#endif
