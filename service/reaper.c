/* SPDX-License-Identifier: Apache-2.0 */
#include "service/reaper.h"

#include "core/text.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>

enum { TICK_MS = 250 };

struct reaper {
    pthread_mutex_t lock;
    pthread_cond_t wake;
    pthread_t thread;
    bool closed;
    struct conn *newest;
    long long count;
    long long reaped;
    long long window_ms;
    long long least;
};

void conn_deadline(struct conn *c, long long seconds)
{
    atomic_store(&c->deadline, seconds == 0 ? 0 : time_steady_ms() + seconds * 1000);
}

void conn_rated(struct conn *c, bool on)
{
    atomic_store(&c->rated, on ? time_steady_ms() : 0);
}

void conn_progress(struct conn *c, long long bytes)
{
    atomic_fetch_add(&c->received, bytes);
}

static bool conn_too_slow(const struct reaper *r, struct conn *c, long long now)
{
    long long rated = atomic_load(&c->rated);
    long long received = atomic_load(&c->received);

    if (rated == 0) {
        c->window_rated = 0;
        return false;
    }
    if (rated == c->window_rated && now - c->window_start < r->window_ms)
        return false;
    if (rated == c->window_rated &&
        (received - c->window_received) * 1000 < r->least * r->window_ms)
        return true;
    c->window_start = rated == c->window_rated ? now : rated;
    c->window_rated = rated;
    c->window_received = received;
    return false;
}

static void reap(struct reaper *r)
{
    long long now = time_steady_ms();

    for (struct conn *c = r->newest; c != NULL; c = c->older) {
        long long deadline = atomic_load(&c->deadline);

        if ((deadline == 0 || now < deadline) && !conn_too_slow(r, c, now))
            continue;
        conn_deadline(c, 0);
        conn_rated(c, false);
        (void)shutdown(c->fd, SHUT_RDWR);
        r->reaped++;
    }
}

static void *reaper_main(void *arg)
{
    struct reaper *r = arg;

    pthread_mutex_lock(&r->lock);
    while (!r->closed) {
        struct timespec until;

        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_nsec += TICK_MS * 1000000L;
        until.tv_sec += until.tv_nsec / 1000000000L;
        until.tv_nsec %= 1000000000L;
        (void)pthread_cond_timedwait(&r->wake, &r->lock, &until);
        reap(r);
    }
    pthread_mutex_unlock(&r->lock);
    return NULL;
}

struct reaper *reaper_start(unsigned window_s, unsigned least)
{
    struct reaper *r = calloc(1, sizeof(*r));
    pthread_condattr_t attributes;

    if (r == NULL)
        return NULL;
    pthread_mutex_init(&r->lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&r->wake, &attributes);
    pthread_condattr_destroy(&attributes);
    r->window_ms = (long long)window_s * 1000;
    r->least = least;
    if (pthread_create(&r->thread, NULL, reaper_main, r) != 0) {
        free(r);
        return NULL;
    }
    return r;
}

void reaper_stop(struct reaper *r)
{
    pthread_mutex_lock(&r->lock);
    r->closed = true;
    pthread_cond_signal(&r->wake);
    pthread_mutex_unlock(&r->lock);
    pthread_join(r->thread, NULL);
    pthread_cond_destroy(&r->wake);
    pthread_mutex_destroy(&r->lock);
    free(r);
}

struct conn *reaper_add(struct reaper *r, int fd)
{
    struct conn *c = calloc(1, sizeof(*c));

    if (c == NULL)
        return NULL;
    c->fd = fd;
    pthread_mutex_lock(&r->lock);
    c->older = r->newest;
    if (r->newest != NULL)
        r->newest->newer = c;
    r->newest = c;
    r->count++;
    pthread_mutex_unlock(&r->lock);
    return c;
}

void reaper_remove(struct reaper *r, struct conn *c)
{
    pthread_mutex_lock(&r->lock);
    if (c->newer != NULL)
        c->newer->older = c->older;
    else
        r->newest = c->older;
    if (c->older != NULL)
        c->older->newer = c->newer;
    r->count--;
    pthread_mutex_unlock(&r->lock);
    free(c);
}

void reaper_close_all(struct reaper *r)
{
    pthread_mutex_lock(&r->lock);
    for (struct conn *c = r->newest; c != NULL; c = c->older)
        (void)shutdown(c->fd, SHUT_RDWR);
    pthread_mutex_unlock(&r->lock);
}

long long reaper_count(struct reaper *r)
{
    long long count;

    pthread_mutex_lock(&r->lock);
    count = r->count;
    pthread_mutex_unlock(&r->lock);
    return count;
}

long long reaper_reaped(struct reaper *r)
{
    long long reaped;

    pthread_mutex_lock(&r->lock);
    reaped = r->reaped;
    pthread_mutex_unlock(&r->lock);
    return reaped;
}
