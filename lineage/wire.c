/* SPDX-License-Identifier: Apache-2.0 */
#include "lineage/wire.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum { ANSWER_MAX = 64 << 10, HEAD_MAX = 8192 };

struct wire {
    int fd;
    SSL_CTX *context;
    SSL *ssl; /* NULL when plain */
};

static bool host_part(const char *at, size_t length, struct wire_place *out)
{
    const char *colon;
    size_t host;

    if (*at == '[') {
        const char *end = memchr(at, ']', length);

        if (end == NULL || (size_t)(end - at) - 1 >= sizeof(out->host))
            return false;
        (void)snprintf(out->host, sizeof(out->host), "%.*s", (int)(end - at - 1), at + 1);
        colon = end + 1;
    } else {
        host = strcspn(at, ":/?#");
        if (host == 0 || host > length || host >= sizeof(out->host))
            return false;
        (void)snprintf(out->host, sizeof(out->host), "%.*s", (int)host, at);
        colon = at + host;
    }
    if (colon < at + length && *colon == ':') {
        size_t digits = length - (size_t)(colon + 1 - at);

        if (digits == 0 || digits >= sizeof(out->port) || strspn(colon + 1, "0123456789") < digits)
            return false;
        (void)snprintf(out->port, sizeof(out->port), "%.*s", (int)digits, colon + 1);
        return true;
    }
    return colon == at + length;
}

bool wire_parse(const char *url, const char *fallback_port, struct wire_place *out)
{
    const char *at = strstr(url, "://");
    size_t scheme = at == NULL ? 0 : (size_t)(at - url), length;

    if (scheme == 0 || scheme >= sizeof(out->scheme))
        return false;
    for (const unsigned char *c = (const unsigned char *)url; *c != '\0'; c++)
        if (*c <= ' ' || *c >= 0x7f || *c == '@' || *c == '#' || *c == '\\')
            return false;
    (void)snprintf(out->scheme, sizeof(out->scheme), "%.*s", (int)scheme, url);
    (void)snprintf(out->port, sizeof(out->port), "%s", fallback_port);
    at += 3;
    length = strcspn(at, "/?");
    out->path = at + length;
    return host_part(at, length, out);
}

/* IANA's special-purpose registries (RFC 6890 and its updates), in network order. */
static bool public4(uint32_t a)
{
    static const struct {
        uint32_t net, mask;
    } special[] = {
        {0x00000000, 0xff000000}, {0x0a000000, 0xff000000}, {0x64400000, 0xffc00000},
        {0x7f000000, 0xff000000}, {0xa9fe0000, 0xffff0000}, {0xac100000, 0xfff00000},
        {0xc0000000, 0xffffff00}, {0xc0000200, 0xffffff00}, {0xc0a80000, 0xffff0000},
        {0xc6120000, 0xfffe0000}, {0xc6336400, 0xffffff00}, {0xcb007100, 0xffffff00},
        {0xe0000000, 0xe0000000},
    };

    for (size_t i = 0; i < sizeof(special) / sizeof(special[0]); i++)
        if ((a & special[i].mask) == special[i].net)
            return false;
    return true;
}

/* Only global unicast, 2000::/3, without the parts of it that lead elsewhere. */
static bool public6(const uint8_t a[16])
{
    if (IN6_IS_ADDR_V4MAPPED((const struct in6_addr *)a))
        return public4((uint32_t)a[12] << 24 | (uint32_t)a[13] << 16 | (uint32_t)a[14] << 8 |
                       a[15]);
    if ((a[0] & 0xe0) != 0x20)
        return false;
    if (a[0] == 0x20 && a[1] == 0x02) /* 6to4 */
        return public4((uint32_t)a[2] << 24 | (uint32_t)a[3] << 16 | (uint32_t)a[4] << 8 | a[5]);
    return !(a[0] == 0x20 && a[1] == 0x01 && (a[2] == 0 || (a[2] == 0x0d && a[3] == 0xb8)));
}

bool wire_public(const void *address)
{
    const struct sockaddr *a = address;

    if (a->sa_family == AF_INET)
        return public4(ntohl(((const struct sockaddr_in *)address)->sin_addr.s_addr));
    return a->sa_family == AF_INET6 &&
           public6(((const struct sockaddr_in6 *)address)->sin6_addr.s6_addr);
}

static bool connect_in_time(int fd, const struct addrinfo *a)
{
    const struct timeval limit = {.tv_sec = WIRE_MS / 1000};
    struct pollfd p = {.fd = fd, .events = POLLOUT};
    int problem = 0;
    socklen_t size = sizeof(problem);

    if (connect(fd, a->ai_addr, a->ai_addrlen) != 0 &&
        (errno != EINPROGRESS || poll(&p, 1, WIRE_MS) != 1))
        return false;
    return getsockopt(fd, SOL_SOCKET, SO_ERROR, &problem, &size) == 0 && problem == 0 &&
           fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK) == 0 &&
           setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) == 0 &&
           setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) == 0;
}

/* What is looked at is what is connected to: a name cannot change its mind in between. */
static int dial(const struct wire_place *to, const struct wire_rules *rules, char why[WIRE_WHY])
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG};
    struct addrinfo *found = NULL;
    int fd = -1;

    (void)snprintf(why, WIRE_WHY, "the host cannot be resolved");
    if (getaddrinfo(to->host, to->port, &hints, &found) != 0)
        return -1;
    for (const struct addrinfo *a = found; a != NULL && fd < 0; a = a->ai_next) {
        if (!rules->private_too && !wire_public(a->ai_addr)) {
            (void)snprintf(why, WIRE_WHY, "the host is not on a public address");
            continue;
        }
        (void)snprintf(why, WIRE_WHY, "the host does not take the connection");
        fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd >= 0 && !connect_in_time(fd, a)) {
            (void)close(fd);
            fd = -1;
        }
    }
    freeaddrinfo(found);
    return fd;
}

static bool add_roots(SSL_CTX *context, const char *pem)
{
    BIO *bio = BIO_new_mem_buf(pem, -1);
    X509 *root;
    int added = 0;

    while ((root = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL) {
        added += X509_STORE_add_cert(SSL_CTX_get_cert_store(context), root) == 1;
        X509_free(root);
    }
    BIO_free(bio);
    return added > 0;
}

static bool is_address(const char *host)
{
    uint8_t bytes[16];

    return inet_pton(AF_INET, host, bytes) == 1 || inet_pton(AF_INET6, host, bytes) == 1;
}

static bool shake_hands(struct wire *w, const struct wire_place *to, const struct wire_rules *rules)
{
    w->context = SSL_CTX_new(TLS_client_method());
    if (w->context == NULL || SSL_CTX_set_min_proto_version(w->context, TLS1_2_VERSION) != 1)
        return false;
    SSL_CTX_set_verify(w->context, SSL_VERIFY_PEER, NULL);
    (void)SSL_CTX_set_default_verify_paths(w->context);
    if (rules->ca != NULL && !add_roots(w->context, rules->ca))
        return false;
    w->ssl = SSL_new(w->context);
    if (w->ssl == NULL || SSL_set_fd(w->ssl, w->fd) != 1)
        return false;
    if (is_address(to->host))
        return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(w->ssl), to->host) == 1 &&
               SSL_connect(w->ssl) == 1;
    return SSL_set_tlsext_host_name(w->ssl, to->host) == 1 &&
           SSL_set1_host(w->ssl, to->host) == 1 && SSL_connect(w->ssl) == 1;
}

enum err wire_open(const struct wire_place *to, bool tls, const struct wire_rules *rules,
                   struct wire **out, char why[WIRE_WHY])
{
    struct wire *w = calloc(1, sizeof(*w));

    if (w == NULL)
        abort();
    w->fd = dial(to, rules, why);
    if (w->fd < 0) {
        free(w);
        return ERR_UNAVAILABLE;
    }
    if (tls && !shake_hands(w, to, rules)) {
        long verdict = w->ssl == NULL ? X509_V_OK : SSL_get_verify_result(w->ssl);

        (void)snprintf(why, WIRE_WHY, "TLS: %s",
                       verdict == X509_V_OK ? "no handshake"
                                            : X509_verify_cert_error_string(verdict));
        wire_close(w);
        return ERR_UNAVAILABLE;
    }
    *out = w;
    return OK;
}

enum err wire_send(struct wire *w, const char *bytes, size_t length)
{
    while (length > 0) {
        size_t some = length < 16384 ? length : 16384;
        ssize_t sent = w->ssl != NULL ? SSL_write(w->ssl, bytes, (int)some)
                                      : send(w->fd, bytes, some, MSG_NOSIGNAL);

        if (sent <= 0)
            return ERR_UNAVAILABLE;
        bytes += sent;
        length -= (size_t)sent;
    }
    return OK;
}

static ssize_t read_some(struct wire *w, char *buffer, size_t size)
{
    int got;

    if (w->ssl == NULL)
        return recv(w->fd, buffer, size, 0);
    got = SSL_read(w->ssl, buffer, (int)size);
    return got <= 0 && SSL_get_error(w->ssl, got) == SSL_ERROR_ZERO_RETURN ? 0 : got;
}

enum err wire_read(struct wire *w, struct text *out)
{
    int64_t until = time_steady_ms() + INT64_C(2) * WIRE_MS;
    char buffer[4096];
    ssize_t got;

    while ((got = read_some(w, buffer, sizeof(buffer))) > 0) {
        text_add(out, buffer, (size_t)got);
        if (out->failed)
            return ERR_TOO_LARGE;
        if (time_steady_ms() > until)
            return ERR_TIMEOUT;
    }
    /* Some servers end TLS without saying so; an answer tells its own length. */
    return got == 0 || out->length > 0 ? OK : ERR_UNAVAILABLE;
}

enum err wire_finish(struct wire *w)
{
    char rest[512];
    int done;
    ssize_t got;

    if (w->ssl == NULL)
        return shutdown(w->fd, SHUT_WR) == 0 ? OK : ERR_UNAVAILABLE;
    done = SSL_shutdown(w->ssl);
    if (done == 0)
        (void)shutdown(w->fd, SHUT_WR);
    for (int i = 0; i < 64 && done == 0; i++) {
        done = SSL_shutdown(w->ssl);
        if (done == 1)
            return OK;
        got = recv(w->fd, rest, sizeof(rest), 0); /* the peer closed without a word: it has read */
        if (got <= 0)
            return got == 0 ? OK : ERR_UNAVAILABLE;
    }
    return done == 1 ? OK : ERR_UNAVAILABLE;
}

void wire_close(struct wire *w)
{
    if (w == NULL)
        return;
    SSL_free(w->ssl);
    SSL_CTX_free(w->context);
    (void)close(w->fd);
    ERR_clear_error();
    free(w);
}

static enum err converse(struct wire *w, const struct wire_place *to, const char *headers,
                         const struct text *body, struct text *answer)
{
    struct text head = text_new(HEAD_MAX);
    enum err e;

    /* 1.0: the answer ends with the connection, in no chunks. */
    text_printf(&head, "POST %s HTTP/1.0\r\nHost: %s:%s\r\nContent-Length: %zu\r\n%s\r\n",
                *to->path == '\0' ? "/" : to->path, to->host, to->port, body->length, headers);
    e = head.failed ? ERR_TOO_LARGE : wire_send(w, head.data, head.length);
    text_free(&head);
    if (e == OK)
        e = wire_send(w, body->data, body->length);
    return e == OK ? wire_read(w, answer) : e;
}

enum err wire_post(const struct wire_place *to, const struct wire_rules *rules, const char *headers,
                   const struct text *body, struct wire_answer *out, char why[WIRE_WHY])
{
    struct wire *w;
    const char *end;
    enum err e;

    *out = (struct wire_answer){.text = text_new(ANSWER_MAX)};
    TRY(wire_open(to, strcmp(to->scheme, "https") == 0, rules, &w, why));
    e = converse(w, to, headers, body, &out->text);
    wire_close(w);
    (void)snprintf(why, WIRE_WHY, "the answer did not come");
    if (e != OK)
        return e;
    (void)snprintf(why, WIRE_WHY, "the answer is not HTTP");
    end = strstr(out->text.data, "\r\n\r\n");
    if (strncmp(out->text.data, "HTTP/1.", 7) != 0 || end == NULL)
        return ERR_UNAVAILABLE;
    out->status = (unsigned)strtoul(out->text.data + 9, NULL, 10);
    out->body = end + 4;
    return OK;
}
