/* SPDX-License-Identifier: Apache-2.0 */
#include "service/acceptor.h"

#include "core/log.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BACKLOG = 4096, PAUSE_MS = 100 };

struct acceptor {
    int listen_fd;
    int stop_fd;
    uint16_t port;
    acceptor_take *take;
    void *cls;
    pthread_t thread;
};

static int bind_to(const struct addrinfo *a)
{
    int on = 1;
    int off = 0;
    int fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0)
        return -1;
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (a->ai_family == AF_INET6)
        (void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
    if (bind(fd, a->ai_addr, a->ai_addrlen) == 0 && listen(fd, BACKLOG) == 0)
        return fd;
    (void)close(fd);
    return -1;
}

static enum err open_listener(struct acceptor *a, const char *address, uint16_t port)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICHOST};
    struct addrinfo *found = NULL;
    struct sockaddr_in6 bound = {0}; /* the port is at the same place in a struct sockaddr_in */
    socklen_t length = sizeof(bound);
    char service[8];

    (void)snprintf(service, sizeof(service), "%u", port);
    if (getaddrinfo(address, service, &hints, &found) != 0) {
        log_ours("\"%s\" is no numeric address to listen on", address);
        return ERR_INVALID;
    }
    a->listen_fd = bind_to(found);
    freeaddrinfo(found);
    if (a->listen_fd < 0) {
        log_ours("cannot listen on %s port %u: %s", address, port, strerrordesc_np(errno));
        return ERR_UNAVAILABLE;
    }
    if (getsockname(a->listen_fd, (struct sockaddr *)&bound, &length) != 0)
        return ERR_INTERNAL;
    a->port = ntohs(bound.sin6_port);
    return OK;
}

/* False when descriptors or memory have run out and a pause is due. */
static bool accept_all(struct acceptor *a)
{
    for (;;) {
        struct sockaddr_storage peer;
        socklen_t length = sizeof(peer);
        int fd =
            accept4(a->listen_fd, (struct sockaddr *)&peer, &length, SOCK_NONBLOCK | SOCK_CLOEXEC);

        if (fd >= 0)
            a->take(a->cls, fd, (const struct sockaddr *)&peer, length);
        else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
            return false;
        else if (errno != EINTR && errno != ECONNABORTED)
            return true;
    }
}

static void *acceptor_main(void *arg)
{
    struct acceptor *a = arg;
    struct pollfd fds[2] = {{.fd = a->stop_fd, .events = POLLIN},
                            {.fd = a->listen_fd, .events = POLLIN}};
    bool room = true;

    for (;;) {
        fds[1].events = room ? POLLIN : 0;
        (void)poll(fds, 2, room ? -1 : PAUSE_MS);
        if (fds[0].revents != 0)
            return NULL;
        room = accept_all(a);
        if (!room)
            log_ours("no more connections can be accepted for now: %s", strerrordesc_np(errno));
    }
}

enum err acceptor_start(const char *address, uint16_t port, acceptor_take *take, void *cls,
                        struct acceptor **out)
{
    struct acceptor *a = calloc(1, sizeof(*a));
    enum err e;

    if (a == NULL)
        return ERR_INTERNAL;
    a->listen_fd = -1;
    a->take = take;
    a->cls = cls;
    a->stop_fd = eventfd(0, EFD_CLOEXEC);
    e = a->stop_fd < 0 ? ERR_INTERNAL : open_listener(a, address, port);
    if (e == OK && pthread_create(&a->thread, NULL, acceptor_main, a) != 0)
        e = ERR_INTERNAL;
    if (e == OK) {
        *out = a;
        return OK;
    }
    if (a->listen_fd >= 0)
        (void)close(a->listen_fd);
    if (a->stop_fd >= 0)
        (void)close(a->stop_fd);
    free(a);
    return e;
}

uint16_t acceptor_port(const struct acceptor *a)
{
    return a->port;
}

void acceptor_stop(struct acceptor *a)
{
    const uint64_t one = 1;

    if (a == NULL)
        return;
    (void)!write(a->stop_fd, &one, sizeof(one));
    pthread_join(a->thread, NULL);
    (void)close(a->listen_fd);
    (void)close(a->stop_fd);
    free(a);
}
