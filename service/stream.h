/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVICE_STREAM_H
#define SERVICE_STREAM_H

#include "core/request.h"

#include <microhttpd.h>

/* Replies that go on (server-sent events): one thread with a database connection of its own asks
 * every live stream in turn for what there is to say, and wakes its connection. */
struct streams;
struct live; /* one stream */

struct streams *streams_start(const char *conninfo, unsigned most);
/* End every stream; their connections are resumed and send what is left. */
void streams_end(struct streams *s);
/* After every connection is closed. */
void streams_stop(struct streams *s);
int64_t streams_count(struct streams *s);

/* On the network thread: NULL when there are too many. release(owner) is called on the stream
 * thread when nothing of the request is needed any more, after live_leave. */
struct live *live_begin(struct streams *s, struct request *rq, struct MHD_Connection *connection,
                        int fd, void (*release)(void *owner), void *owner);
/* MHD_ContentReaderCallback; cls is the struct live. */
ssize_t live_read(void *cls, uint64_t position, char *buffer, size_t max);
/* The connection is done with it. */
void live_leave(struct live *live);

#endif
