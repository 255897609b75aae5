/* SPDX-License-Identifier: Apache-2.0 */
#include "service/upload.h"

#include "core/log.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BUFFER_SIZE = 1 << 20, THREADS_MAX = 8 };

struct spooling {
    struct spooling *next;
    struct spool *spool;
    struct spool_owner owner;
    struct upload *upload;
    struct sha256 *hash;
    int fd;
    char *data[2];
    size_t length[2];
    unsigned first; /* the older full buffer; the one being filled follows the full ones */
    unsigned full;
    bool queued;
    bool held;
    bool ending;
    bool complete;
    enum err failed;
};

/* One lock for all bodies: it is held for a few instructions per 16 KiB. */
struct spool {
    pthread_mutex_t lock;
    pthread_cond_t ready;
    struct spooling *head;
    struct spooling **tail;
    char *dir;
    int64_t count;
    unsigned most;
    bool closed;
    unsigned threads;
    pthread_t ids[THREADS_MAX];
};

static enum err blame(int number)
{
    return number == ENOSPC || number == EDQUOT || number == EFBIG ? ERR_STORAGE : ERR_INTERNAL;
}

/* The spool is locked. */
static void enqueue(struct spool *s, struct spooling *u)
{
    if (u->queued)
        return;
    u->queued = true;
    u->next = NULL;
    *s->tail = u;
    s->tail = &u->next;
    pthread_cond_signal(&s->ready);
}

static enum err write_out(struct spooling *u, const char *data, size_t length)
{
    sha256_add(u->hash, data, length);
    while (length > 0) {
        ssize_t written = write(u->fd, data, length);

        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0) {
            enum err e = blame(errno);

            log_world("a body cannot be written to %s: %s", u->upload->path,
                      strerrordesc_np(errno));
            if (ftruncate(u->fd, 0) != 0)
                log_world("%s cannot be emptied: %s", u->upload->path, strerrordesc_np(errno));
            return e;
        }
        data += written;
        length -= (size_t)written;
        u->upload->size += written;
    }
    return OK;
}

/* Everything is written: sync, digest, and give back what only receiving needs. */
static enum err finish(struct spooling *u)
{
    enum err e = u->failed;

    if (e == OK && fsync(u->fd) != 0) {
        log_world("%s cannot be synced: %s", u->upload->path, strerrordesc_np(errno));
        e = blame(errno);
    }
    if (e == OK)
        u->upload->sha256 = sha256_end(u->hash);
    else
        sha256_drop(u->hash);
    u->upload->complete = u->complete && e == OK;
    (void)close(u->fd);
    free(u->data[0]);
    free(u->data[1]);
    if (e != OK)
        (void)unlink(u->upload->path);
    return e;
}

/* One step for one body; the spool is locked, and unlocked around slow work. */
static void step(struct spool *s, struct spooling *u)
{
    unsigned at = u->first;
    enum err e = u->failed;
    bool held;

    if (u->full > 0) {
        pthread_mutex_unlock(&s->lock);
        if (e == OK)
            e = write_out(u, u->data[at], u->length[at]);
        pthread_mutex_lock(&s->lock);
        u->failed = e;
        u->length[at] = 0;
        u->first = 1 - at;
        u->full--;
        u->queued = false;
        if (u->full > 0 || u->ending)
            enqueue(s, u);
        held = u->held;
        u->held = false;
        pthread_mutex_unlock(&s->lock);
        if (held)
            u->owner.go_on(u->owner.self);
        pthread_mutex_lock(&s->lock);
        return;
    }
    pthread_mutex_unlock(&s->lock);
    e = finish(u);
    pthread_mutex_lock(&s->lock);
    u->failed = e;
    s->count--;
    pthread_mutex_unlock(&s->lock);
    u->owner.done(u->owner.self);
    pthread_mutex_lock(&s->lock);
}

static void *spool_main(void *arg)
{
    struct spool *s = arg;

    pthread_mutex_lock(&s->lock);
    for (;;) {
        struct spooling *u = s->head;

        if (u == NULL && s->closed)
            break;
        if (u == NULL) {
            pthread_cond_wait(&s->ready, &s->lock);
            continue;
        }
        s->head = u->next;
        if (s->head == NULL)
            s->tail = &s->head;
        step(s, u);
    }
    pthread_mutex_unlock(&s->lock);
    return NULL;
}

struct spool *spool_start(const char *dir, unsigned threads, unsigned most)
{
    struct spool *s = calloc(1, sizeof(*s));

    if (s == NULL)
        return NULL;
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->ready, NULL);
    s->tail = &s->head;
    s->most = most;
    s->dir = strdup(dir);
    if (s->dir == NULL)
        goto fail;
    for (unsigned i = 0; i < threads && i < THREADS_MAX; i++) {
        if (pthread_create(&s->ids[i], NULL, spool_main, s) != 0)
            goto fail;
        s->threads++;
    }
    return s;
fail:
    spool_stop(s);
    return NULL;
}

void spool_stop(struct spool *s)
{
    if (s == NULL)
        return;
    pthread_mutex_lock(&s->lock);
    s->closed = true;
    pthread_cond_broadcast(&s->ready);
    pthread_mutex_unlock(&s->lock);
    for (unsigned i = 0; i < s->threads; i++)
        pthread_join(s->ids[i], NULL);
    pthread_cond_destroy(&s->ready);
    pthread_mutex_destroy(&s->lock);
    free(s->dir);
    free(s);
}

int64_t spool_count(struct spool *s)
{
    int64_t count;

    pthread_mutex_lock(&s->lock);
    count = s->count;
    pthread_mutex_unlock(&s->lock);
    return count;
}

/* Count one more body, if there may be one. */
static bool reserve(struct spool *s)
{
    bool room;

    pthread_mutex_lock(&s->lock);
    room = s->count < s->most && !s->closed;
    if (room)
        s->count++;
    pthread_mutex_unlock(&s->lock);
    return room;
}

static void release(struct spool *s)
{
    pthread_mutex_lock(&s->lock);
    s->count--;
    pthread_mutex_unlock(&s->lock);
}

enum err spool_begin(struct spool *s, struct request *rq, const struct spool_owner *owner,
                     struct spooling **out)
{
    struct spooling *u = arena_alloc(rq->arena, sizeof(*u));

    if (!reserve(s))
        return ERR_BUSY;
    u->upload = arena_alloc(rq->arena, sizeof(*u->upload));
    u->upload->path = arena_printf(rq->arena, "%s/%s", s->dir, rq->id);
    u->fd = open(u->upload->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (u->fd < 0) {
        enum err e = blame(errno);

        log_world("%s cannot be made: %s", u->upload->path, strerrordesc_np(errno));
        release(s);
        return e;
    }
    u->spool = s;
    u->owner = *owner;
    u->hash = sha256_begin();
    rq->upload = u->upload;
    *out = u;
    return OK;
}

/* The buffer to fill, or -1 after the owner was held. */
static int buffer_to_fill(struct spooling *u)
{
    int at = -1;

    pthread_mutex_lock(&u->spool->lock);
    if (u->full < 2) {
        at = (int)((u->first + u->full) % 2);
    } else {
        u->held = true;
        u->owner.hold(u->owner.self);
    }
    pthread_mutex_unlock(&u->spool->lock);
    return at;
}

static void buffer_filled(struct spooling *u)
{
    pthread_mutex_lock(&u->spool->lock);
    u->full++;
    enqueue(u->spool, u);
    pthread_mutex_unlock(&u->spool->lock);
}

static bool buffer_ready(struct spooling *u, int at)
{
    if (u->data[at] == NULL)
        u->data[at] = malloc(BUFFER_SIZE);
    return u->data[at] != NULL;
}

static void set_failed(struct spooling *u, enum err e)
{
    pthread_mutex_lock(&u->spool->lock);
    u->failed = e;
    pthread_mutex_unlock(&u->spool->lock);
}

size_t spool_take(struct spooling *u, const char *data, size_t length)
{
    size_t taken = 0;

    while (taken < length && spool_failed(u) == OK) {
        int at = buffer_to_fill(u);
        size_t part = length - taken;

        if (at < 0)
            return taken;
        if (!buffer_ready(u, at)) {
            set_failed(u, ERR_BUSY);
            break;
        }
        if (part > BUFFER_SIZE - u->length[at])
            part = BUFFER_SIZE - u->length[at];
        memcpy(u->data[at] + u->length[at], data + taken, part);
        u->length[at] += part;
        taken += part;
        if (u->length[at] == BUFFER_SIZE)
            buffer_filled(u);
    }
    return length;
}

void spool_end(struct spooling *u, bool complete)
{
    struct spool *s = u->spool;

    pthread_mutex_lock(&s->lock);
    if (u->full < 2 && u->length[(u->first + u->full) % 2] > 0)
        u->full++;
    u->complete = complete;
    u->ending = true;
    enqueue(s, u);
    pthread_mutex_unlock(&s->lock);
}

enum err spool_failed(struct spooling *u)
{
    enum err e;

    pthread_mutex_lock(&u->spool->lock);
    e = u->failed;
    pthread_mutex_unlock(&u->spool->lock);
    return e;
}

void spool_drop(struct spooling *u)
{
    (void)unlink(u->upload->path);
}
