/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVICE_UPLOAD_H
#define SERVICE_UPLOAD_H

#include "core/request.h"

/* Bodies on their way to disk. The network thread fills two buffers in turn; a few I/O threads hash
 * and write them. Memory per body is two buffers, however large the body and however slow the disk.
 */
struct spool;

/* How a body talks to its owner. hold stops the network thread's reading and is called on it; go_on
 * and done come from an I/O thread, done exactly once after spool_end. */
struct spool_owner {
    void *self;
    void (*hold)(void *self);
    void (*go_on)(void *self);
    void (*done)(void *self);
};

struct spooling;

/* dir must exist and is not looked into. NULL: the threads cannot be had. */
struct spool *spool_start(const char *dir, unsigned threads, unsigned most);
/* Write what is there, end. No body may be begun any more. */
void spool_stop(struct spool *s);
int64_t spool_count(struct spool *s);

/* On a worker: make the file and rq->upload. ERR_BUSY, ERR_STORAGE or ERR_INTERNAL. */
MUST_CHECK enum err spool_begin(struct spool *s, struct request *rq,
                                const struct spool_owner *owner, struct spooling **out);
/* On the network thread: take what there is room for. Fewer than length: hold was called, and go_on
 * will be. After a failure everything is taken and thrown away. */
size_t spool_take(struct spooling *u, const char *data, size_t length);
/* The end. When done is called, rq->upload is filled in and the file synced, unless it failed. */
void spool_end(struct spooling *u, bool complete);
enum err spool_failed(struct spooling *u);
/* After done: remove what is left of the file. */
void spool_drop(struct spooling *u);

#endif
