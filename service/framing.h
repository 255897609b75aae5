/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVICE_FRAMING_H
#define SERVICE_FRAMING_H

#include "core/request.h"

#include <stdbool.h>

/* What of a request's frame two servers in a row could read differently is refused here, because
 * libmicrohttpd 0.9.75 lets two Content-Lengths, Content-Length with Transfer-Encoding and odd
 * encodings through, and cuts paths at %00 (RFC 9112 §3.2, §6.1, §6.3, §11.2). */
struct frame {
    bool has_body; /* announced: chunked, or of a length other than 0 */
    bool chunked;
    int64_t length; /* of a body that is not chunked */
};

/* rq has its raw target and its headers in lower case. NULL, or what is wrong; frame is set in any
 * case, with has_body true in doubt. */
const char *framing_check(const struct request *rq, const char *version, struct frame *frame);
/* Of a raw request target: NULL, or what is wrong. */
const char *framing_target(const char *target);

#endif
