/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SERVICE_EXCHANGE_H
#define SERVICE_EXCHANGE_H

#include "service/download.h"
#include "service/framing.h"
#include "service/front.h"

#include <time.h>

/* Where an exchange stands. Network threads move it, except out of the states in which its
 * connection is suspended: then it belongs to the worker or the I/O thread that resumes it. */
enum exchange_at {
    AT_START,     /* the request line is there */
    AT_ADMISSION, /* suspended: a worker asks whether the body may come */
    AT_ADMITTED,
    AT_BODY,    /* into memory */
    AT_UPLOAD,  /* to disk; suspended now and then */
    AT_IGNORE,  /* refused; the rest of a small body is read so that the connection can go on */
    AT_DISCARD, /* the refusal is sent; the rest is read so that the sender sees it */
    AT_WORK,    /* suspended */
    AT_REPLY,   /* the reply is ready */
    AT_SENDING,
};

/* One request and its reply. It lives in its own arena; whoever is done with it last frees it: the
 * network thread, or, when the client left early, the worker, or the stream thread. */
struct exchange {
    struct task task;
    struct listener *listener;
    struct MHD_Connection *connection;
    struct conn *conn;
    struct request rq;
    const char *target; /* where libmicrohttpd keeps it; only compared */
    struct frame frame;
    enum exchange_at at;
    bool head;   /* the method is HEAD */
    bool broken; /* nothing after the headers can be trusted */
    bool close;
    bool refused; /* while the body was coming */
    bool gone;    /* the connection is over and nobody reads the reply */
    char *body;
    size_t body_room;
    size_t body_length;
    int64_t received; /* of a body that is streamed or thrown away */
    struct spooling *spooling;
    bool spool_ended;
    struct live *live;
    struct download *download;
    struct timespec began;
    unsigned status; /* sent; 0: none */
    char id[ID_SIZE];
};

/* The callbacks of libmicrohttpd; cls is the struct listener. */
void *exchange_begin(void *cls, const char *target, struct MHD_Connection *connection);
enum MHD_Result exchange_step(void *cls, struct MHD_Connection *connection, const char *url,
                              const char *method, const char *version, const char *data,
                              size_t *length, void **state);
void exchange_end(void *cls, struct MHD_Connection *connection, void **state,
                  enum MHD_RequestTerminationCode why);

void exchange_free(void *exchange);

/* exchange_body.c: bodies in memory and on disk. */
enum MHD_Result exchange_body_take(struct exchange *x, const char *data, size_t *length);
void exchange_body_free(struct exchange *x);
/* Suspend and let a worker decide. */
/* Bytes that the body of this request may have. */
int64_t exchange_body_most(const struct exchange *x);
enum MHD_Result exchange_upload_ask(struct exchange *x);
enum MHD_Result exchange_upload_take(struct exchange *x, const char *data, size_t *length);
enum MHD_Result exchange_upload_finish(struct exchange *x);
/* The client left in the middle: what came is kept and shown to the handler. */
void exchange_upload_abort(struct exchange *x);

/* exchange_work.c: the way through the workers. Suspend and queue, or refuse. */
enum MHD_Result exchange_submit(struct exchange *x);
/* Queue a task for which the connection is already suspended, or refuse. */
void exchange_queue(struct exchange *x, enum lane lane, void (*run)(struct task *t, struct db *db));
void exchange_run(struct task *t, struct db *db);
void exchange_ahead(struct task *t, struct db *db);
/* From a worker or I/O thread: the reply is ready. */
void exchange_answer(struct exchange *x);
struct exchange *exchange_of(struct task *t);

/* reply.c */
enum MHD_Result exchange_reply(struct exchange *x);
/* Reply while the body is still coming; libmicrohttpd cannot, so the bytes are written past it. */
enum MHD_Result exchange_reply_early(struct exchange *x);

#endif
