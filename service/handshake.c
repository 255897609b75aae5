/* SPDX-License-Identifier: Apache-2.0 */
#include "service/handshake.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

enum { EVENTS = 64 };

struct handshakes {
    int epoll;
    int stop;
    pthread_t thread;
    atomic_bool closed;
    atomic_long pending;
};

static void resume(struct handshakes *h, struct conn *c)
{
    struct MHD_Connection *connection = c->connection;

    /* From here on the network thread may close and free c. */
    MHD_resume_connection(connection);
    atomic_fetch_sub(&h->pending, 1);
}

static void *handshakes_main(void *arg)
{
    struct handshakes *h = arg;
    struct epoll_event events[EVENTS];

    for (;;) {
        int count = epoll_wait(h->epoll, events, EVENTS, -1);

        for (int i = 0; i < count; i++) {
            if (events[i].data.ptr == NULL)
                return NULL;
            resume(h, events[i].data.ptr);
        }
    }
}

/* One event, then silence until asked again: by then the connection may be gone. */
static void ask_for_event(struct handshakes *h, struct conn *c)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLRDHUP | EPOLLONESHOT, .data.ptr = c};
    int operation = c->watched ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;

    c->watched = true;
    if (epoll_ctl(h->epoll, operation, c->fd, &event) != 0)
        resume(h, c);
}

static void wait_for_client(struct conn *c)
{
    struct handshakes *h = c->handshakes;

    /* Counted first: handshakes_close sees either the count or that nobody counts any more. */
    atomic_fetch_add(&h->pending, 1);
    if (atomic_load(&h->closed)) {
        atomic_fetch_sub(&h->pending, 1);
        return;
    }
    MHD_suspend_connection(c->connection);
    ask_for_event(h, c);
}

static ssize_t pull(gnutls_transport_ptr_t from, void *data, size_t size)
{
    struct conn *c = from;
    ssize_t got = recv(c->fd, data, size, 0);

    if (got < 0 && errno == EAGAIN && !c->established) {
        wait_for_client(c);
        errno = EAGAIN;
    }
    return got;
}

/* After the client's Finished nothing more is read in any handshake of TLS 1.2 or 1.3. */
static int on_finished(gnutls_session_t session, unsigned type, unsigned when, unsigned incoming,
                       const gnutls_datum_t *message)
{
    gnutls_transport_ptr_t from;
    gnutls_transport_ptr_t to;

    (void)type;
    (void)when;
    (void)message;
    gnutls_transport_get_ptr2(session, &from, &to);
    if (incoming != 0)
        ((struct conn *)from)->established = true;
    return 0;
}

void handshake_watch(struct handshakes *h, struct conn *c, struct MHD_Connection *connection,
                     gnutls_session_t session)
{
    const union {
        intptr_t number;
        gnutls_transport_ptr_t pointer;
    } fd = {.number = c->fd};

    c->handshakes = h;
    c->connection = connection;
    gnutls_transport_set_ptr2(session, c, fd.pointer);
    gnutls_transport_set_pull_function(session, pull);
    gnutls_handshake_set_hook_function(session, GNUTLS_HANDSHAKE_FINISHED, GNUTLS_HOOK_POST,
                                       on_finished);
}

struct handshakes *handshakes_start(void)
{
    struct handshakes *h = calloc(1, sizeof(*h));
    struct epoll_event event = {.events = EPOLLIN};

    if (h == NULL)
        return NULL;
    h->epoll = epoll_create1(EPOLL_CLOEXEC);
    h->stop = eventfd(0, EFD_CLOEXEC);
    if (h->epoll >= 0 && h->stop >= 0 && epoll_ctl(h->epoll, EPOLL_CTL_ADD, h->stop, &event) == 0 &&
        pthread_create(&h->thread, NULL, handshakes_main, h) == 0)
        return h;
    if (h->stop >= 0)
        (void)close(h->stop);
    if (h->epoll >= 0)
        (void)close(h->epoll);
    free(h);
    return NULL;
}

void handshakes_close(struct handshakes *h)
{
    atomic_store(&h->closed, true);
}

long handshakes_pending(struct handshakes *h)
{
    return atomic_load(&h->pending);
}

void handshakes_stop(struct handshakes *h)
{
    const uint64_t one = 1;

    (void)!write(h->stop, &one, sizeof(one));
    pthread_join(h->thread, NULL);
    (void)close(h->stop);
    (void)close(h->epoll);
    free(h);
}
