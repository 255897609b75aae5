/* SPDX-License-Identifier: Apache-2.0 */
#include "service/stream.h"

#include "core/log.h"

#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { PERIOD_MS = 300, KEEP_ALIVE_MS = 15000, PENDING_MAX = 1 << 20, RETRY_MS = 2000 };

struct live {
    struct live *next;
    struct streams *streams;
    struct request *rq;
    struct MHD_Connection *connection;
    int fd;
    void (*release)(void *owner);
    void *owner;
    /* Under the lock. */
    struct text pending;
    bool held; /* the connection is suspended, waiting for more */
    bool ended;
    bool left;
    /* The stream thread's own. */
    int64_t said_at;
};

struct streams {
    pthread_mutex_t lock;
    pthread_cond_t wake;
    pthread_t thread;
    const char *conninfo;
    struct db db;
    int64_t retry_at;
    struct live *first;
    unsigned count;
    unsigned most;
    bool fresh; /* a stream began */
    bool ending;
    bool closed;
};

/* Suspended connections are not watched by libmicrohttpd, so we look whether the client is there.
 */
static bool peer_left(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLRDHUP};

    return poll(&p, 1, 0) > 0 && (p.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0;
}

/* What the handler has to say now; OK while there will be more. */
static enum err ask(struct streams *s, struct live *live, struct text *said)
{
    struct arena *arena = arena_new();
    enum err e;

    s->db.arena = arena;
    log_request(live->rq->id);
    e = live->rq->reply.stream.next(&s->db, live->rq->reply.stream.state, said);
    log_request(NULL);
    s->db.arena = NULL;
    arena_free(arena);
    if (said->failed) {
        log_ours("a stream said more than %d bytes at once and is ended", PENDING_MAX);
        return ERR_TOO_LARGE;
    }
    return e;
}

static void keep_alive(struct live *live, struct text *said)
{
    int64_t now = time_steady_ms();

    if (said->length == 0 && now - live->said_at >= KEEP_ALIVE_MS)
        text_puts(said, ": keep-alive\n\n");
    if (said->length > 0)
        live->said_at = now;
}

static void serve(struct streams *s, struct live *live)
{
    struct text said = text_new(PENDING_MAX);
    enum err e = ask(s, live, &said);
    bool wake;

    keep_alive(live, &said);
    pthread_mutex_lock(&s->lock);
    if (said.length > 0)
        text_add(&live->pending, said.data, said.length);
    if (e != OK || live->pending.failed || s->ending || (live->held && peer_left(live->fd)))
        live->ended = true;
    wake = live->held && (live->pending.length > 0 || live->ended);
    if (wake)
        live->held = false;
    pthread_mutex_unlock(&s->lock);
    if (wake)
        MHD_resume_connection(live->connection);
    text_free(&said);
}

/* Take out the streams whose connections are done. */
static struct live *take_left(struct streams *s)
{
    struct live *left = NULL;

    pthread_mutex_lock(&s->lock);
    for (struct live **at = &s->first; *at != NULL;) {
        struct live *live = *at;

        if (!live->left) {
            at = &live->next;
            continue;
        }
        *at = live->next;
        live->next = left;
        left = live;
        s->count--;
    }
    pthread_mutex_unlock(&s->lock);
    return left;
}

static void forget_left(struct streams *s)
{
    struct live *live = take_left(s);

    while (live != NULL) {
        struct live *next = live->next;

        text_free(&live->pending);
        live->release(live->owner);
        live = next;
    }
}

/* Only this thread takes streams out, and new ones go in before the first: next stays true. */
static void serve_all(struct streams *s)
{
    struct live *live;
    bool ended;

    pthread_mutex_lock(&s->lock);
    for (live = s->first; live != NULL; live = live->next) {
        ended = live->ended;
        pthread_mutex_unlock(&s->lock);
        if (!ended)
            serve(s, live);
        pthread_mutex_lock(&s->lock);
    }
    pthread_mutex_unlock(&s->lock);
}

static void connect_db(struct streams *s)
{
    int64_t now = time_steady_ms();

    if (s->conninfo == NULL || s->db.conn != NULL || now < s->retry_at)
        return;
    if (db_open(&s->db, s->conninfo) == OK)
        return;
    s->db.conninfo = s->conninfo;
    s->retry_at = now + RETRY_MS;
}

/* Until the next round is due, a stream begins or ends, or, without streams, something happens. */
static void pause_between(struct streams *s)
{
    struct timespec until;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += PERIOD_MS * 1000000L;
    until.tv_sec += until.tv_nsec / 1000000000L;
    until.tv_nsec %= 1000000000L;
    while (!s->closed && !s->fresh) {
        if (s->first == NULL)
            pthread_cond_wait(&s->wake, &s->lock);
        else if (pthread_cond_timedwait(&s->wake, &s->lock, &until) != 0)
            break;
    }
    s->fresh = false;
}

static void *streams_main(void *arg)
{
    struct streams *s = arg;

    pthread_mutex_lock(&s->lock);
    while (!s->closed || s->first != NULL) {
        pause_between(s);
        pthread_mutex_unlock(&s->lock);
        forget_left(s);
        if (streams_count(s) > 0) {
            connect_db(s);
            serve_all(s);
        }
        pthread_mutex_lock(&s->lock);
    }
    pthread_mutex_unlock(&s->lock);
    return NULL;
}

struct streams *streams_start(const char *conninfo, unsigned most)
{
    struct streams *s = calloc(1, sizeof(*s));
    pthread_condattr_t attributes;

    if (s == NULL)
        return NULL;
    s->conninfo = conninfo;
    s->most = most;
    pthread_mutex_init(&s->lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&s->wake, &attributes);
    pthread_condattr_destroy(&attributes);
    if (pthread_create(&s->thread, NULL, streams_main, s) != 0) {
        free(s);
        return NULL;
    }
    return s;
}

void streams_end(struct streams *s)
{
    pthread_mutex_lock(&s->lock);
    s->ending = true;
    s->fresh = true;
    pthread_cond_signal(&s->wake);
    pthread_mutex_unlock(&s->lock);
}

void streams_stop(struct streams *s)
{
    if (s == NULL)
        return;
    pthread_mutex_lock(&s->lock);
    s->closed = true;
    pthread_cond_signal(&s->wake);
    pthread_mutex_unlock(&s->lock);
    pthread_join(s->thread, NULL);
    if (s->conninfo != NULL)
        db_close(&s->db);
    pthread_cond_destroy(&s->wake);
    pthread_mutex_destroy(&s->lock);
    free(s);
}

int64_t streams_count(struct streams *s)
{
    int64_t count;

    pthread_mutex_lock(&s->lock);
    count = s->count;
    pthread_mutex_unlock(&s->lock);
    return count;
}

struct live *live_begin(struct streams *s, struct request *rq, struct MHD_Connection *connection,
                        int fd, void (*release)(void *owner), void *owner)
{
    struct live *live = arena_alloc(rq->arena, sizeof(*live));

    *live = (struct live){.streams = s, .rq = rq, .connection = connection, .fd = fd};
    live->release = release;
    live->owner = owner;
    live->pending = text_new(PENDING_MAX);
    live->said_at = time_steady_ms();
    pthread_mutex_lock(&s->lock);
    if (s->count >= s->most || s->ending) {
        pthread_mutex_unlock(&s->lock);
        return NULL;
    }
    s->count++;
    live->next = s->first;
    s->first = live;
    s->fresh = true;
    pthread_cond_signal(&s->wake);
    pthread_mutex_unlock(&s->lock);
    return live;
}

ssize_t live_read(void *cls, uint64_t position, char *buffer, size_t max)
{
    struct live *live = cls;
    struct text *pending = &live->pending;
    ssize_t read = 0;

    (void)position;
    pthread_mutex_lock(&live->streams->lock);
    if (pending->length > 0) {
        size_t part = pending->length < max ? pending->length : max;

        memcpy(buffer, pending->data, part);
        memmove(pending->data, pending->data + part, pending->length - part);
        pending->length -= part;
        read = (ssize_t)part;
    } else if (live->ended) {
        read = MHD_CONTENT_READER_END_OF_STREAM;
    } else {
        live->held = true;
        MHD_suspend_connection(live->connection);
    }
    pthread_mutex_unlock(&live->streams->lock);
    return read;
}

void live_leave(struct live *live)
{
    struct streams *s = live->streams;

    pthread_mutex_lock(&s->lock);
    live->left = true;
    live->ended = true;
    s->fresh = true;
    pthread_cond_signal(&s->wake);
    pthread_mutex_unlock(&s->lock);
}
