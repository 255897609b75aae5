/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVICE_DOWNLOAD_H
#define SERVICE_DOWNLOAD_H

#include "core/request.h"

#include <microhttpd.h>
#include <stdatomic.h>

/* Replies from files, whole or one range of bytes (RFC 9110 §14). */
struct download {
    int fd;
    int64_t offset;
    int64_t size;
    unsigned status;           /* 200, 206 or 416 */
    const char *content_range; /* NULL for none */
    atomic_llong *sent;        /* where bytes are counted */
};

/* What of the file rq's reply sends: its Range and If-Range headers are heeded when the reply is a
 * plain 200 to a GET. */
struct download *download_plan(struct request *rq, unsigned status, bool head, atomic_llong *sent);
/* The body; NULL when there is no memory. */
struct MHD_Response *download_response(struct download *d);

#endif
