/* SPDX-License-Identifier: Apache-2.0 */
#include "service/wire.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { HELD_MAX = 2048, PARTS_MAX = 16 };

struct wire {
    int fd;
    bool hold;
    size_t begin; /* held[begin … end) waits; the session takes it for sent */
    size_t end;
    char *held; /* HELD_MAX bytes, from the first time on */
};

static size_t total(const giovec_t *parts, int count)
{
    size_t length = 0;

    for (int i = 0; i < count; i++)
        length += parts[i].iov_len;
    return length;
}

/* Whether the parts are kept for later. */
static bool keep(struct wire *w, const giovec_t *parts, int count)
{
    if (!w->hold || w->end > 0 || total(parts, count) > HELD_MAX)
        return false;
    if (w->held == NULL)
        w->held = malloc(HELD_MAX);
    if (w->held == NULL)
        return false;
    for (int i = 0; i < count; i++) {
        memcpy(w->held + w->end, parts[i].iov_base, parts[i].iov_len);
        w->end += parts[i].iov_len;
    }
    return true;
}

/* What waits, then the parts. Bytes of the parts that were sent, or -1 with errno. */
static ssize_t send_after(struct wire *w, const giovec_t *parts, int count)
{
    struct iovec all[PARTS_MAX + 1] = {{w->held + w->begin, w->end - w->begin}};
    struct msghdr message = {.msg_iov = all, .msg_iovlen = 1 + (size_t)count};
    size_t waiting = w->end - w->begin;
    ssize_t sent;

    for (int i = 0; i < count; i++)
        all[1 + i] = parts[i];
    sent = sendmsg(w->fd, &message, MSG_NOSIGNAL);
    if (sent < 0)
        return -1;
    if ((size_t)sent < waiting) {
        w->begin += (size_t)sent;
        errno = EAGAIN;
        return count == 0 ? 0 : -1;
    }
    w->begin = w->end = 0;
    return sent - (ssize_t)waiting;
}

static ssize_t push(gnutls_transport_ptr_t wire, const giovec_t *parts, int count)
{
    struct wire *w = wire;
    struct msghdr message = {.msg_iov = NULL};

    if (count > PARTS_MAX)
        count = PARTS_MAX;
    if (keep(w, parts, count)) {
        w->hold = false;
        return (ssize_t)w->end;
    }
    w->hold = false;
    if (w->end > 0)
        return send_after(w, parts, count);
    message.msg_iov = (struct iovec *)(uintptr_t)parts; /* sendmsg only reads them */
    message.msg_iovlen = (size_t)count;
    return sendmsg(w->fd, &message, MSG_NOSIGNAL);
}

struct wire *wire_attach(gnutls_session_t session, int fd)
{
    struct wire *w = calloc(1, sizeof(*w));
    gnutls_transport_ptr_t from;
    gnutls_transport_ptr_t to;

    if (w == NULL)
        return NULL;
    w->fd = fd;
    gnutls_transport_get_ptr2(session, &from, &to);
    gnutls_transport_set_ptr2(session, from, w);
    gnutls_transport_set_vec_push_function(session, push);
    return w;
}

void wire_free(struct wire *w)
{
    if (w == NULL)
        return;
    free(w->held);
    free(w);
}

void wire_hold(struct wire *w)
{
    if (w != NULL)
        w->hold = true;
}

void wire_flush(struct wire *w)
{
    if (w == NULL)
        return;
    w->hold = false;
    if (w->end > 0)
        (void)send_after(w, NULL, 0);
}
