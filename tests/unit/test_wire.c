/* SPDX-License-Identifier: Apache-2.0 */
#include "service/wire.h"

#include "tests/unit/test.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Two sessions with a shared key over a pair of sockets; the server's goes through a wire. */
struct pair_of_sessions {
    int fds[2];
    gnutls_session_t server;
    gnutls_session_t client;
    gnutls_psk_server_credentials_t server_key;
    gnutls_psk_client_credentials_t client_key;
    struct wire *wire;
};

static const char priorities[] = "NORMAL:-VERS-ALL:+VERS-TLS1.3:+PSK:+DHE-PSK:+ECDHE-PSK";

static int find_key(gnutls_session_t session, const char *name, gnutls_datum_t *key)
{
    (void)session;
    (void)name;
    key->data = gnutls_malloc(4);
    key->size = 4;
    memcpy(key->data, "\1\2\3\4", 4);
    return 0;
}

static void *client_main(void *arg)
{
    struct pair_of_sessions *p = arg;
    int rc;

    do
        rc = gnutls_handshake(p->client);
    while (rc < 0 && !gnutls_error_is_fatal(rc));
    return rc == 0 ? p : NULL;
}

static void set_nonblocking(int fd)
{
    (void)fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
}

static bool begin(struct pair_of_sessions *p)
{
    const gnutls_datum_t key = {(unsigned char *)(char[]){"01020304"}, 8};
    pthread_t thread;
    void *done = NULL;
    int rc;

    if (socketpair(AF_UNIX, SOCK_STREAM, 0, p->fds) != 0)
        return false;
    (void)gnutls_psk_allocate_server_credentials(&p->server_key);
    gnutls_psk_set_server_credentials_function(p->server_key, find_key);
    (void)gnutls_psk_allocate_client_credentials(&p->client_key);
    (void)gnutls_psk_set_client_credentials(p->client_key, "me", &key, GNUTLS_PSK_KEY_HEX);
    (void)gnutls_init(&p->server, GNUTLS_SERVER);
    (void)gnutls_init(&p->client, GNUTLS_CLIENT);
    (void)gnutls_priority_set_direct(p->server, priorities, NULL);
    (void)gnutls_priority_set_direct(p->client, priorities, NULL);
    (void)gnutls_credentials_set(p->server, GNUTLS_CRD_PSK, p->server_key);
    (void)gnutls_credentials_set(p->client, GNUTLS_CRD_PSK, p->client_key);
    gnutls_transport_set_int(p->client, p->fds[1]);
    gnutls_transport_set_int(p->server, p->fds[0]);
    p->wire = wire_attach(p->server, p->fds[0]);
    if (p->wire == NULL || pthread_create(&thread, NULL, client_main, p) != 0)
        return false;
    do
        rc = gnutls_handshake(p->server);
    while (rc < 0 && !gnutls_error_is_fatal(rc));
    (void)pthread_join(thread, &done);
    set_nonblocking(p->fds[0]);
    set_nonblocking(p->fds[1]);
    return rc == 0 && done != NULL;
}

static void end(struct pair_of_sessions *p)
{
    gnutls_deinit(p->server);
    gnutls_deinit(p->client);
    gnutls_psk_free_server_credentials(p->server_key);
    gnutls_psk_free_client_credentials(p->client_key);
    wire_free(p->wire);
    (void)close(p->fds[0]);
    (void)close(p->fds[1]);
}

/* Bytes that lie in the client's socket. */
static ssize_t waiting(const struct pair_of_sessions *p)
{
    static char buffer[1 << 20];
    ssize_t n = recv(p->fds[1], buffer, sizeof(buffer), MSG_PEEK);

    return n < 0 ? 0 : n;
}

static bool reads(struct pair_of_sessions *p, const char *wanted)
{
    char got[64] = "";

    return gnutls_record_recv(p->client, got, sizeof(got) - 1) == (ssize_t)strlen(wanted) &&
           strcmp(got, wanted) == 0;
}

static bool says(struct pair_of_sessions *p, const char *what)
{
    return gnutls_record_send(p->server, what, strlen(what)) == (ssize_t)strlen(what);
}

static void a_head_waits_for_its_body(void)
{
    struct pair_of_sessions p = {.wire = NULL};

    CHECK(begin(&p));
    CHECK(says(&p, "plain") && reads(&p, "plain"));
    for (int i = 0; i < 3; i++) {
        CHECK(waiting(&p) == 0);
        wire_hold(p.wire);
        CHECK(says(&p, "head") && waiting(&p) == 0);
        CHECK(says(&p, "body") && reads(&p, "head") && reads(&p, "body"));
        CHECK(says(&p, "more") && reads(&p, "more"));
    }
    end(&p);
}

static void what_waits_in_vain_is_sent_at_the_end(void)
{
    struct pair_of_sessions p = {.wire = NULL};

    CHECK(begin(&p));
    wire_hold(p.wire);
    CHECK(says(&p, "head") && waiting(&p) == 0);
    wire_flush(p.wire);
    CHECK(reads(&p, "head"));
    wire_flush(p.wire);
    wire_hold(p.wire);
    wire_flush(p.wire);
    CHECK(says(&p, "next") && reads(&p, "next"));
    end(&p);
}

static void what_is_too_long_to_keep_is_sent(void)
{
    struct pair_of_sessions p = {.wire = NULL};
    char head[4000];

    memset(head, 'h', sizeof(head));
    CHECK(begin(&p));
    wire_hold(p.wire);
    CHECK(gnutls_record_send(p.server, head, sizeof(head)) == sizeof(head));
    CHECK(waiting(&p) > (ssize_t)sizeof(head));
    CHECK(gnutls_record_recv(p.client, head, sizeof(head)) == sizeof(head));
    CHECK(says(&p, "body") && reads(&p, "body"));
    end(&p);
}

/* What the client reads next has the given length and begins with the letter. */
static bool next_is(struct pair_of_sessions *p, char letter, size_t length)
{
    static char got[16384];

    return gnutls_record_recv(p->client, got, sizeof(got)) == (ssize_t)length && got[0] == letter;
}

/* The socket is full, so head and body go out as the client makes room, whole and in order. */
static void a_held_head_survives_a_full_socket(void)
{
    struct pair_of_sessions p = {.wire = NULL};
    static char filler[4096], body[16000];
    int fillers = 0, refused = 0;

    memset(filler, 'f', sizeof(filler));
    memset(body, 'b', sizeof(body));
    CHECK(begin(&p));
    while (gnutls_record_send(p.server, filler, sizeof(filler)) > 0)
        fillers++;
    fillers++; /* the one that was refused is kept by GnuTLS and goes first */
    while (gnutls_record_send(p.server, NULL, 0) < 0) {
        CHECK(next_is(&p, 'f', sizeof(filler)));
        fillers--;
    }
    wire_hold(p.wire);
    CHECK(says(&p, "head"));
    while (gnutls_record_send(p.server, refused == 0 ? body : NULL,
                              refused == 0 ? sizeof(body) : 0) < 0) {
        refused++;
        CHECK(fillers-- > 0 && next_is(&p, 'f', sizeof(filler)));
    }
    CHECK(refused > 0);
    while (fillers-- > 0)
        CHECK(next_is(&p, 'f', sizeof(filler)));
    CHECK(next_is(&p, 'h', 4) && next_is(&p, 'b', sizeof(body)));
    CHECK(says(&p, "more") && reads(&p, "more"));
    end(&p);
}

int main(void)
{
    RUN(a_head_waits_for_its_body);
    RUN(what_waits_in_vain_is_sent_at_the_end);
    RUN(what_is_too_long_to_keep_is_sent);
    RUN(a_held_head_survives_a_full_socket);
    return failures > 0;
}
