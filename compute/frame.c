/* SPDX-License-Identifier: Apache-2.0 */
#include "compute/frame.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>

static int64_t now_ms(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* When to give up; INT64_MAX never. */
static int64_t deadline_of(int64_t timeout_ms)
{
    return timeout_ms < 0 ? INT64_MAX : now_ms() + timeout_ms;
}

static enum err wait_for(int fd, short events, int64_t deadline)
{
    for (;;) {
        struct pollfd p = {.fd = fd, .events = events};
        int64_t left = deadline == INT64_MAX ? -1 : deadline - now_ms();
        int ready;

        if (deadline != INT64_MAX && left < 0)
            left = 0;
        ready = poll(&p, 1, left > INT_MAX ? INT_MAX : (int)left);
        if (ready > 0)
            return OK;
        if (ready == 0)
            return ERR_TIMEOUT;
        if (errno != EINTR)
            return ERR_ENGINE;
    }
}

static bool would_block(void)
{
    return errno == EAGAIN || errno == EWOULDBLOCK;
}

/* Exactly length bytes; *got says how many came before an error. */
static enum err read_all(int fd, unsigned char *out, size_t length, int64_t deadline, size_t *got)
{
    *got = 0;
    while (*got < length) {
        ssize_t n = recv(fd, out + *got, length - *got, MSG_DONTWAIT);
        enum err e;

        if (n == 0)
            return ERR_ENGINE;
        if (n > 0) {
            *got += (size_t)n;
            continue;
        }
        if (errno == EINTR)
            continue;
        if (!would_block())
            return ERR_ENGINE;
        e = wait_for(fd, POLLIN, deadline);
        if (e != OK)
            return e;
    }
    return OK;
}

static uint32_t from_le(const unsigned char *b)
{
    return (uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
}

static void to_le(size_t value, unsigned char *b)
{
    for (unsigned i = 0; i < 4; i++)
        b[i] = (unsigned char)(value >> (8 * i));
}

/* memory grown to need bytes, or NULL; the old one stays valid then. */
static void *grown(void *memory, size_t *room, size_t need)
{
    void *bigger = need <= *room ? memory : realloc(memory, need);

    if (bigger != NULL && need > *room)
        *room = need;
    return bigger;
}

static enum err make_room(struct frame *f)
{
    char *json = grown(f->json, &f->json_room, f->json_length + 1);
    unsigned char *payload;

    if (json == NULL)
        return ERR_ENGINE;
    f->json = json;
    payload = grown(f->payload, &f->payload_room, f->payload_length + 1);
    if (payload == NULL)
        return ERR_ENGINE;
    f->payload = payload;
    return OK;
}

enum err frame_read(int fd, struct frame *f, int64_t timeout_ms)
{
    int64_t deadline = deadline_of(timeout_ms);
    unsigned char head[FRAME_HEAD];
    size_t got;
    enum err e = read_all(fd, head, sizeof(head), deadline, &got);

    if (e != OK)
        return e == ERR_ENGINE && got == 0 ? ERR_UNAVAILABLE : e;
    f->json_length = from_le(head);
    f->payload_length = from_le(head + 4);
    if (f->json_length > FRAME_JSON_MAX || f->payload_length > FRAME_PAYLOAD_MAX)
        return ERR_TOO_LARGE;
    e = make_room(f);
    if (e == OK)
        e = read_all(fd, (unsigned char *)f->json, f->json_length, deadline, &got);
    if (e != OK)
        return e;
    f->json[f->json_length] = '\0';
    return read_all(fd, f->payload, f->payload_length, deadline, &got);
}

void frame_free(struct frame *f)
{
    free(f->json);
    free(f->payload);
    *f = (struct frame){0};
}

/* Takes n written bytes off the front of the three parts. */
static void advance(struct msghdr *m, size_t n)
{
    while (m->msg_iovlen > 0 && n >= m->msg_iov->iov_len) {
        n -= m->msg_iov->iov_len;
        m->msg_iov++;
        m->msg_iovlen--;
    }
    if (m->msg_iovlen > 0) {
        m->msg_iov->iov_base = (unsigned char *)m->msg_iov->iov_base + n;
        m->msg_iov->iov_len -= n;
    }
}

enum err frame_write(int fd, const struct frame *f, int64_t timeout_ms)
{
    int64_t deadline = deadline_of(timeout_ms);
    unsigned char head[FRAME_HEAD];
    struct iovec parts[3] = {
        {head, sizeof(head)}, {f->json, f->json_length}, {f->payload, f->payload_length}};
    struct msghdr m = {.msg_iov = parts, .msg_iovlen = 3};

    if (f->json_length > FRAME_JSON_MAX || f->payload_length > FRAME_PAYLOAD_MAX)
        return ERR_TOO_LARGE;
    to_le(f->json_length, head);
    to_le(f->payload_length, head + 4);
    while (m.msg_iovlen > 0) {
        ssize_t n = sendmsg(fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT);
        enum err e = OK;

        if (n >= 0)
            advance(&m, (size_t)n);
        else if (would_block())
            e = wait_for(fd, POLLOUT, deadline);
        else if (errno != EINTR)
            e = ERR_ENGINE;
        if (e != OK)
            return e;
    }
    return OK;
}
