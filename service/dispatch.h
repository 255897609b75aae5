/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVICE_DISPATCH_H
#define SERVICE_DISPATCH_H

#include "core/request.h"

/* The way of every request: find, identify, allow, parse, run and audit in one transaction, reply.
 *
 * dispatch_route is cheap and runs on a network thread once the headers are there: it decodes the
 * path and query, finds the route and fills rq->route, rq->args. On failure the reply is ready.
 * The other two run on a worker with rq->db set and leave outcome and reply in rq. */
MUST_CHECK enum err dispatch_route(struct request *rq);

/* Also on a network thread, once the body is there. On failure the reply is ready. */
MUST_CHECK enum err dispatch_body(struct request *rq);

/* The lane whose workers serve this request. */
enum lane dispatch_lane(const struct request *rq);

/* Identify and allow, before the bytes of a streamed body are accepted. */
MUST_CHECK enum err dispatch_admit(struct request *rq);

/* Ask the database what dispatch_run will ask first, if that is known. */
void dispatch_ahead(struct request *rq);
/* Everything. The body, if any, is complete. */
void dispatch_run(struct request *rq);

/* When the request has changed a policy: true, and done(arg) is called on some thread once every
 * replica has seen it, or it has taken too long, which is then the reply. False: nothing to wait
 * for. No worker waits meanwhile. */
bool dispatch_hold(struct request *rq, void (*done)(void *arg), void *arg);

/* On a network thread, right before the reply goes out: what was allowed too long ago, as when the
 * process stood still, is not said any more. */
void dispatch_leave(struct request *rq);

/* The reply for a request that ends before or outside a handler (too large, too slow, queue full).
 */
void dispatch_refuse(struct request *rq, enum err e, const char *detail);

#endif
