/* SPDX-License-Identifier: Apache-2.0 */
#ifndef UNIT_FRONT_H
#define UNIT_FRONT_H

/* A front door with a few routes of its own, and a client that can say anything over TLS. */
#include "core/request.h"
#include "service/listener.h"
#include "service/localca.h"
#include "tests/unit/test.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define UNUSED __attribute__((unused))

enum { FILE_SIZE = 100000, REPLY_ROOM = 1 << 20 };

static struct {
    char dir[64];
    char spool[80];
    char file[80];
    struct localca tls;
    struct listener *listener;
    SSL_CTX *context;
    atomic_int ran;     /* requests that reached run */
    atomic_int gate;    /* /slow waits while 1 */
    atomic_int waiting; /* requests in /slow */
    atomic_int partial; /* uploads that were not complete */
    atomic_llong partial_size;
} door;

static const struct route front_routes[] = {
    {.method = "GET", .path = "/hello", .body = no_body},
    {.method = "POST", .path = "/echo", .body = raw_body},
    {.method = "GET", .path = "/slow", .body = no_body},
    {.method = "PUT", .path = "/up", .body = file_body},
    {.method = "PUT", .path = "/denied", .body = file_body},
    {.method = "GET", .path = "/file", .body = no_body},
    {.method = "GET", .path = "/events", .body = no_body},
    {.method = "GET", .path = "/endless", .body = no_body},
    {.method = "GET", .path = "/quiet", .body = no_body},
};

static void front_refuse(struct request *rq, enum err e, const char *detail)
{
    rq->outcome = e;
    rq->reply.kind = REPLY_BYTES;
    rq->reply.type = "text/plain";
    rq->reply.bytes = detail == NULL ? err_meaning(e) : arena_text(rq->arena, detail);
    rq->reply.length = strlen(rq->reply.bytes);
}

static enum err front_route(struct request *rq)
{
    size_t length = strcspn(rq->path, "?");

    for (size_t i = 0; i < sizeof(front_routes) / sizeof(front_routes[0]); i++) {
        const struct route *r = &front_routes[i];

        if (strlen(r->path) == length && strncmp(r->path, rq->path, length) == 0 &&
            strcmp(r->method, rq->method) == 0) {
            rq->route = r;
            return OK;
        }
    }
    front_refuse(rq, ERR_NOT_FOUND, NULL);
    return ERR_NOT_FOUND;
}

static enum lane front_lane(const struct request *rq)
{
    return strcmp(rq->route->path, "/slow") == 0 ? LANE_SLOW : LANE_READ;
}

static enum err front_admit(struct request *rq)
{
    if (strcmp(rq->route->path, "/denied") != 0)
        return OK;
    front_refuse(rq, ERR_DENIED, NULL);
    return ERR_DENIED;
}

static enum err front_next(struct db *db, void *state, struct text *out)
{
    int *count = state;

    (void)db;
    text_printf(out, "data: %d\n\n", ++*count);
    return *count == 3 ? ERR_NOT_FOUND : OK;
}

static enum err front_endless(struct db *db, void *state, struct text *out)
{
    (void)db;
    (void)state;
    text_puts(out, "data: on\n\n");
    return OK;
}

static enum err front_quiet(struct db *db, void *state, struct text *out)
{
    (void)db;
    (void)state;
    (void)out;
    return OK;
}

static void front_bytes(struct request *rq, const char *bytes, size_t length)
{
    rq->reply.kind = REPLY_BYTES;
    rq->reply.type = "text/plain";
    rq->reply.bytes = bytes;
    rq->reply.length = length;
}

static void front_upload(struct request *rq)
{
    const struct upload *u = rq->upload;
    char *digest = arena_alloc(rq->arena, 2 * SHA256_SIZE + 1);

    if (!u->complete) {
        atomic_store(&door.partial_size, u->size);
        atomic_fetch_add(&door.partial, 1);
        return;
    }
    hex_encode(u->sha256.bytes, SHA256_SIZE, digest);
    front_bytes(rq, digest, strlen(digest));
}

static void front_file(struct request *rq)
{
    rq->reply.kind = REPLY_FILE;
    rq->reply.type = "application/octet-stream";
    rq->reply.fd = open(door.file, O_RDONLY | O_CLOEXEC);
    rq->reply.size = FILE_SIZE;
    rq->reply.headers[rq->reply.headers_count].name = "ETag";
    rq->reply.headers[rq->reply.headers_count++].value = "\"v1\"";
}

static void front_stream(struct request *rq,
                         enum err (*next)(struct db *db, void *state, struct text *out))
{
    rq->reply.kind = REPLY_STREAM;
    rq->reply.type = "text/event-stream";
    rq->reply.stream.next = next;
    rq->reply.stream.state = arena_alloc(rq->arena, sizeof(int));
}

static void front_run(struct request *rq)
{
    const char *path = rq->route->path;

    atomic_fetch_add(&door.ran, 1);
    if (strcmp(path, "/slow") == 0) {
        atomic_fetch_add(&door.waiting, 1);
        while (atomic_load(&door.gate) != 0)
            (void)usleep(1000);
        atomic_fetch_sub(&door.waiting, 1);
    }
    if (strcmp(path, "/echo") == 0)
        front_bytes(rq, rq->raw, rq->raw_length);
    else if (strcmp(path, "/up") == 0)
        front_upload(rq);
    else if (strcmp(path, "/file") == 0)
        front_file(rq);
    else if (strcmp(path, "/events") == 0)
        front_stream(rq, front_next);
    else if (strcmp(path, "/endless") == 0)
        front_stream(rq, front_endless);
    else if (strcmp(path, "/quiet") == 0)
        front_stream(rq, front_quiet);
    else
        front_bytes(rq, "hello", 5);
}

static const struct listener_hooks front_hooks = {.route = front_route,
                                                  .lane = front_lane,
                                                  .admit = front_admit,
                                                  .run = front_run,
                                                  .refuse = front_refuse};

static bool front_write_file(void)
{
    int fd = open(door.file, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    char bytes[1000];
    bool written = fd >= 0;

    for (int i = 0; i < FILE_SIZE / (int)sizeof(bytes) && written; i++) {
        memset(bytes, 'a' + i % 26, sizeof(bytes));
        written = write(fd, bytes, sizeof(bytes)) == (ssize_t)sizeof(bytes);
    }
    (void)close(fd);
    return written;
}

static UNUSED bool front_prepare(void)
{
    (void)snprintf(door.dir, sizeof(door.dir), "/tmp/front-XXXXXX");
    if (mkdtemp(door.dir) == NULL || localca_ensure(door.dir, NULL, &door.tls) != OK)
        return false;
    (void)snprintf(door.spool, sizeof(door.spool), "%s/spool", door.dir);
    (void)snprintf(door.file, sizeof(door.file), "%s/file", door.dir);
    door.context = SSL_CTX_new(TLS_client_method());
    return mkdir(door.spool, 0700) == 0 && front_write_file() && door.context != NULL &&
           SSL_CTX_load_verify_locations(door.context, door.tls.ca, NULL) == 1;
}

static UNUSED struct listener_config front_config(void)
{
    return (struct listener_config){.cert_path = door.tls.cert,
                                    .key_path = door.tls.key,
                                    .spool_dir = door.spool,
                                    .read_workers = 2,
                                    .write_workers = 1,
                                    .slow_workers = 2,
                                    .network_threads = 2};
}

static UNUSED bool front_start(const struct listener_config *config)
{
    atomic_store(&door.gate, 0);
    return listener_start(config, &front_hooks, &door.listener) == OK;
}

static UNUSED void front_clean(void)
{
    char command[128];

    (void)snprintf(command, sizeof(command), "rm -rf '%s'", door.dir);
    if (system(command) != 0)
        failures++;
    SSL_CTX_free(door.context);
}

/* The client. */
struct client {
    int fd;
    SSL *ssl;
};

static UNUSED int front_connect(void)
{
    struct sockaddr_in to = {.sin_family = AF_INET};
    int on = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    to.sin_port = htons(listener_port(door.listener));
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    if (connect(fd, (const struct sockaddr *)&to, sizeof(to)) == 0)
        return fd;
    (void)close(fd);
    return -1;
}

static UNUSED bool client_open(struct client *c)
{
    c->fd = front_connect();
    c->ssl = SSL_new(door.context);
    SSL_set_verify(c->ssl, SSL_VERIFY_PEER, NULL);
    (void)SSL_set1_host(c->ssl, "localhost");
    (void)SSL_set_fd(c->ssl, c->fd);
    return c->fd >= 0 && SSL_connect(c->ssl) == 1;
}

static UNUSED void client_close(struct client *c)
{
    SSL_free(c->ssl);
    (void)close(c->fd);
}

static UNUSED bool client_send(struct client *c, const char *bytes, size_t length)
{
    return length == 0 || SSL_write(c->ssl, bytes, (int)length) == (int)length;
}

static UNUSED bool client_say(struct client *c, const char *text)
{
    return client_send(c, text, strlen(text));
}

/* Whatever comes until the server closes or says nothing for idle_ms; NUL-terminated. */
static UNUSED size_t client_hear(struct client *c, char *out, size_t room, int idle_ms)
{
    size_t length = 0;

    while (length + 1 < room) {
        struct pollfd p = {.fd = c->fd, .events = POLLIN};
        int got;

        if (SSL_pending(c->ssl) == 0 && poll(&p, 1, idle_ms) <= 0)
            break;
        got = SSL_read(c->ssl, out + length, (int)(room - 1 - length));
        if (got <= 0 && SSL_get_error(c->ssl, got) != SSL_ERROR_WANT_READ)
            break;
        if (got > 0)
            length += (size_t)got;
    }
    out[length] = '\0';
    return length;
}

/* Until the reply is whole by its Content-Length, or 5 s passed. */
static UNUSED size_t client_reply(struct client *c, char *out, size_t room)
{
    size_t length = 0;
    int64_t until = time_steady_ms() + 5000;

    out[0] = '\0';
    while (length + 1 < room && time_steady_ms() < until) {
        const char *body = strstr(out, "\r\n\r\n");
        const char *announced = strstr(out, "Content-Length: ");
        int got;

        if (body != NULL && announced != NULL &&
            length >= (size_t)(body + 4 - out) + strtoul(announced + 16, NULL, 10))
            break;
        got = SSL_read(c->ssl, out + length, (int)(room - 1 - length));
        if (got <= 0)
            break;
        length += (size_t)got;
        out[length] = '\0';
    }
    return length;
}

/* One connection: say all of it, hear all of it until the server closes, or 5 s of silence. */
static UNUSED size_t front_ask(const char *bytes, size_t length, char *out, size_t room)
{
    struct client c;
    size_t heard = 0;

    out[0] = '\0';
    if (client_open(&c) && client_send(&c, bytes, length))
        heard = client_hear(&c, out, room, 5000);
    client_close(&c);
    return heard;
}

static UNUSED bool front_wait(atomic_int *value, int wanted)
{
    for (int i = 0; i < 5000 && atomic_load(value) != wanted; i++)
        (void)usleep(1000);
    return atomic_load(value) == wanted;
}

#endif
