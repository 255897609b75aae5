/* SPDX-License-Identifier: Apache-2.0 */
/* idle_connections ADDRESS PORT COUNT SECONDS [CA.PEM]: opens COUNT TLS connections, makes one
 * request on each, holds them all for SECONDS, makes another request on each and says how many
 * answered both times. Exit status 0: all did. Without a CA the certificate is not verified. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { MOST = 1000000, TIMEOUT_S = 20, REFRESH_S = 20, REFRESH_EVERY = 100 };

struct idle {
    int fd;
    SSL *ssl;
    time_t asked;
    bool alive;
};

static long number(const char *text, long least, long most)
{
    char *end = NULL;
    long value = strtol(text, &end, 10);

    if (*text == '\0' || *end != '\0' || value < least || value > most) {
        (void)fprintf(stderr, "%s is no number from %ld to %ld\n", text, least, most);
        exit(2);
    }
    return value;
}

static void raise_limit(long count)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return;
    if (limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
    if (limit.rlim_max < (rlim_t)count + 16)
        (void)fprintf(stderr, "only %llu files may be open\n", (unsigned long long)limit.rlim_max);
}

/* More than 28,000 connections need more than one source address; loopback has them. */
static void bind_source(int fd, long index)
{
    struct sockaddr_in from = {.sin_family = AF_INET};
    int on = 1;

    from.sin_addr.s_addr = htonl(0x7f000001u + (uint32_t)(index / 20000));
    (void)setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
    (void)bind(fd, (const struct sockaddr *)&from, sizeof(from));
}

static bool idle_open(struct idle *c, const struct sockaddr_in *to, SSL_CTX *context, long index)
{
    const struct timeval limit = {.tv_sec = TIMEOUT_S};
    int on = 1;

    c->ssl = NULL;
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (c->fd < 0)
        return false;
    (void)setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    (void)setsockopt(c->fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    if ((ntohl(to->sin_addr.s_addr) >> 24) == 127)
        bind_source(c->fd, index);
    if (connect(c->fd, (const struct sockaddr *)to, sizeof(*to)) != 0)
        return false;
    c->ssl = SSL_new(context);
    return c->ssl != NULL && SSL_set_fd(c->ssl, c->fd) == 1 && SSL_connect(c->ssl) == 1;
}

/* The length of the reply whose head is in text, or 0 while the head is not whole. */
static size_t reply_length(const char *text)
{
    const char *body = strstr(text, "\r\n\r\n");
    const char *announced = strstr(text, "Content-Length: ");

    if (body == NULL)
        return 0;
    return (size_t)(body + 4 - text) +
           (announced == NULL ? 0 : (size_t)strtoul(announced + 16, NULL, 10));
}

/* One request; true when the whole reply came. */
static bool idle_exchange(struct idle *c)
{
    static const char request[] = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";
    char reply[8192] = "";
    size_t length = 0;

    if (c->ssl == NULL || SSL_write(c->ssl, request, sizeof(request) - 1) <= 0)
        return false;
    while (length + 1 < sizeof(reply)) {
        int got = SSL_read(c->ssl, reply + length, (int)(sizeof(reply) - 1 - length));

        if (got <= 0)
            return false;
        length += (size_t)got;
        reply[length] = '\0';
        if (reply_length(reply) != 0 && length >= reply_length(reply))
            return strncmp(reply, "HTTP/1.1 ", 9) == 0;
    }
    return false;
}

static void idle_ask(struct idle *c)
{
    c->alive = c->alive && idle_exchange(c);
    c->asked = time(NULL);
}

static void refresh(struct idle *all, long count)
{
    for (long i = 0; i < count; i++)
        if (time(NULL) - all[i].asked >= REFRESH_S)
            idle_ask(&all[i]);
}

static void open_all(struct idle *all, long count, const struct sockaddr_in *to, SSL_CTX *context)
{
    for (long i = 0; i < count; i++) {
        if (i % REFRESH_EVERY == 0)
            refresh(all, i);
        all[i].alive = idle_open(&all[i], to, context, i);
        idle_ask(&all[i]);
    }
}

static void hold_all(struct idle *all, long count, long seconds)
{
    time_t end = time(NULL) + seconds;

    while (time(NULL) < end) {
        refresh(all, count);
        (void)usleep(100000);
    }
    for (long i = 0; i < count; i++)
        idle_ask(&all[i]);
}

static long count_alive(const struct idle *all, long count)
{
    long alive = 0;

    for (long i = 0; i < count; i++)
        alive += all[i].alive;
    return alive;
}

static SSL_CTX *make_context(const char *ca)
{
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());

    if (context == NULL)
        exit(2);
    if (ca != NULL && SSL_CTX_load_verify_locations(context, ca, NULL) != 1) {
        (void)fprintf(stderr, "%s holds no certificates\n", ca);
        exit(2);
    }
    SSL_CTX_set_verify(context, ca == NULL ? SSL_VERIFY_NONE : SSL_VERIFY_PEER, NULL);
    /* Memory of this side is not what is measured. */
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    return context;
}

int main(int argc, char **argv)
{
    struct sockaddr_in to = {.sin_family = AF_INET};
    struct idle *all;
    SSL_CTX *context;
    long count;
    long first;
    long second;

    if (argc < 5 || inet_pton(AF_INET, argv[1], &to.sin_addr) != 1) {
        (void)fprintf(stderr, "usage: idle_connections ADDRESS PORT COUNT SECONDS [CA.PEM]\n");
        return 2;
    }
    to.sin_port = htons((uint16_t)number(argv[2], 1, 65535));
    count = number(argv[3], 1, MOST);
    raise_limit(count);
    context = make_context(argc > 5 ? argv[5] : NULL);
    all = calloc((size_t)count, sizeof(*all));
    if (all == NULL)
        return 2;
    open_all(all, count, &to, context);
    first = count_alive(all, count);
    (void)printf("%ld of %ld connections are open\n", first, count);
    (void)fflush(stdout);
    hold_all(all, count, number(argv[4], 0, 86400));
    second = count_alive(all, count);
    (void)printf("%ld of %ld answered again\n", second, count);
    for (long i = 0; i < count; i++) {
        SSL_free(all[i].ssl);
        (void)close(all[i].fd);
    }
    free(all);
    SSL_CTX_free(context);
    return second == count ? 0 : 1;
}
