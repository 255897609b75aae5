/* SPDX-License-Identifier: Apache-2.0 */
#include "service/listener.h"

#include "tests/unit/front.h"

#include <dirent.h>

#define KEEP "Host: localhost\r\n"
#define HOST KEEP "Connection: close\r\n"

static char heard[REPLY_ROOM];

static const char *ask(const char *request)
{
    (void)front_ask(request, strlen(request), heard, sizeof(heard));
    return heard;
}

static const char *body_of(const char *reply)
{
    const char *body = strstr(reply, "\r\n\r\n");

    return body == NULL ? "" : body + 4;
}

static int open_files(void)
{
    DIR *d = opendir("/proc/self/fd");
    int count = 0;

    while (d != NULL && readdir(d) != NULL)
        count++;
    (void)closedir(d);
    return count;
}

static void test_echo(void)
{
    CHECK(strcmp(body_of(ask("POST /echo HTTP/1.1\r\n" HOST "Content-Length: 3\r\n\r\nabc")),
                 "abc") == 0);
    CHECK(strcmp(body_of(ask("POST /echo HTTP/1.1\r\n" HOST
                             "Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n")),
                 "abc") == 0);
    CHECK(strstr(ask("POST /echo HTTP/1.1\r\n" HOST "Expect: 100-continue\r\n"
                     "Content-Length: 3\r\n\r\nabc"),
                 "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200") == heard);
}

static void test_head(void)
{
    CHECK(strncmp(ask("HEAD /hello HTTP/1.1\r\n" HOST "\r\n"), "HTTP/1.1 200", 12) == 0);
    CHECK(strstr(heard, "Content-Length: 5\r\n") != NULL);
    CHECK(body_of(heard)[0] == '\0');
}

/* A small body that nobody wants is read, and the connection goes on. */
static void test_refused_small_body_keeps_connection(void)
{
    struct client c;

    CHECK(client_open(&c));
    CHECK(client_say(&c, "POST /nowhere HTTP/1.1\r\n" KEEP "Content-Length: 3\r\n\r\nabc"));
    (void)client_reply(&c, heard, sizeof(heard));
    CHECK(strncmp(heard, "HTTP/1.1 404", 12) == 0);
    CHECK(client_say(&c, "GET /hello HTTP/1.1\r\n" KEEP "\r\n"));
    (void)client_reply(&c, heard, sizeof(heard));
    CHECK(strncmp(heard, "HTTP/1.1 200", 12) == 0);
    client_close(&c);
}

static void test_body_too_large(void)
{
    static char part[65536];
    struct client c;
    bool sent = true;

    CHECK(strncmp(ask("POST /echo HTTP/1.1\r\n" HOST "Content-Length: 99999999\r\n\r\nabc"),
                  "HTTP/1.1 413", 12) == 0);
    /* Chunked, the size is only known when it is too late to refuse through libmicrohttpd. */
    CHECK(client_open(&c));
    CHECK(client_say(&c, "POST /echo HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"));
    for (int i = 0; i < 32 && sent; i++)
        sent = client_say(&c, "10000\r\n") && client_send(&c, part, sizeof(part)) &&
               client_say(&c, "\r\n");
    CHECK(sent);
    CHECK(client_say(&c, "0\r\n\r\n"));
    (void)client_hear(&c, heard, sizeof(heard), 5000);
    CHECK(strncmp(heard, "HTTP/1.1 413", 12) == 0);
    CHECK(strstr(heard, "Connection: close\r\n") != NULL);
    client_close(&c);
}

static void range_is(const char *headers, const char *status, const char *content_range,
                     size_t length)
{
    char request[512];

    (void)snprintf(request, sizeof(request),
                   "GET /file HTTP/1.1\r\n" HOST "Connection: close\r\n%s\r\n", headers);
    (void)ask(request);
    CHECK(strncmp(heard + 9, status, 3) == 0);
    CHECK(content_range == NULL || strstr(heard, content_range) != NULL);
    CHECK(content_range != NULL || strstr(heard, "Content-Range") == NULL);
    CHECK(strlen(body_of(heard)) == length);
}

static void test_ranges(void)
{
    range_is("", "200", NULL, FILE_SIZE);
    CHECK(strstr(heard, "Accept-Ranges: bytes\r\n") != NULL);
    range_is("Range: bytes=999-1000\r\n", "206", "Content-Range: bytes 999-1000/100000\r\n", 2);
    CHECK(strcmp(body_of(heard), "ab") == 0);
    range_is("Range: bytes=-3\r\n", "206", "Content-Range: bytes 99997-99999/100000\r\n", 3);
    range_is("Range: bytes=99990-\r\n", "206", "Content-Range: bytes 99990-99999/100000\r\n", 10);
    range_is("Range: bytes=0-999999\r\n", "206", "bytes 0-99999/100000\r\n", FILE_SIZE);
    range_is("Range: bytes=100000-\r\n", "416", "Content-Range: bytes */100000\r\n", 0);
    range_is("Range: bytes=-0\r\n", "416", "Content-Range: bytes */100000\r\n", 0);
    range_is("Range: bytes=5-2\r\n", "200", NULL, FILE_SIZE);
    range_is("Range: bytes=0-1,3-4\r\n", "200", NULL, FILE_SIZE);
    range_is("Range: lines=0-1\r\n", "200", NULL, FILE_SIZE);
    range_is("Range: bytes=0-1\r\nIf-Range: \"v1\"\r\n", "206", "bytes 0-1/100000", 2);
    range_is("Range: bytes=0-1\r\nIf-Range: \"v0\"\r\n", "200", NULL, FILE_SIZE);
    (void)ask("HEAD /file HTTP/1.1\r\n" HOST "\r\n");
    CHECK(strstr(heard, "Content-Length: 100000\r\n") != NULL && body_of(heard)[0] == '\0');
}

static void test_events(void)
{
    struct client c;
    size_t length;

    CHECK(client_open(&c));
    CHECK(client_say(&c, "GET /events HTTP/1.1\r\n" HOST "\r\n"));
    length = client_hear(&c, heard, sizeof(heard), 5000);
    CHECK(strstr(heard, "Content-Type: text/event-stream\r\n") != NULL);
    CHECK(strstr(heard, "data: 1\n\n") != NULL && strstr(heard, "data: 3\n\n") != NULL);
    CHECK(strcmp(heard + length - 5, "0\r\n\r\n") == 0);
    client_close(&c);
}

/* A client that leaves is noticed though its connection sleeps, and one too many is told so. */
static void test_streams_end_and_are_counted(void)
{
    struct listener_stats stats;
    struct client c[3];

    for (int i = 0; i < 3; i++) {
        CHECK(client_open(&c[i]));
        CHECK(client_say(&c[i], "GET /endless HTTP/1.1\r\n" HOST "\r\n"));
        (void)client_hear(&c[i], heard, 200, 5000);
        CHECK(strncmp(heard, i < 2 ? "HTTP/1.1 200" : "HTTP/1.1 503", 12) == 0);
    }
    for (int i = 0; i < 3; i++)
        client_close(&c[i]);
    for (int i = 0; i < 2000; i++) {
        listener_stats(door.listener, &stats);
        if (stats.streams == 0 && stats.exchanges == 0)
            break;
        (void)usleep(1000);
    }
    CHECK(stats.streams == 0 && stats.exchanges == 0);
}

/* Two workers and two places in the queue: the fifth is told to come back. */
static void test_full_queue(void)
{
    struct client c[5];
    struct listener_stats stats;

    atomic_store(&door.gate, 1);
    for (int i = 0; i < 4; i++) {
        CHECK(client_open(&c[i]));
        CHECK(client_say(&c[i], "GET /slow HTTP/1.1\r\n" HOST "\r\n"));
        if (i == 1)
            CHECK(front_wait(&door.waiting, 2));
    }
    for (int i = 0; i < 2000; i++) {
        listener_stats(door.listener, &stats);
        if (stats.queued[LANE_SLOW] == 2)
            break;
        (void)usleep(1000);
    }
    CHECK(stats.queued[LANE_SLOW] == 2 && stats.busy[LANE_SLOW] == 2);
    CHECK(client_open(&c[4]));
    CHECK(client_say(&c[4], "GET /slow HTTP/1.1\r\n" HOST "\r\n"));
    (void)client_reply(&c[4], heard, sizeof(heard));
    CHECK(strncmp(heard, "HTTP/1.1 503", 12) == 0);
    CHECK(strstr(heard, "Retry-After: 1\r\n") != NULL);
    /* Other lanes do not wait behind it. */
    CHECK(strncmp(ask("GET /hello HTTP/1.1\r\n" HOST "\r\n"), "HTTP/1.1 200", 12) == 0);
    atomic_store(&door.gate, 0);
    for (int i = 0; i < 4; i++) {
        (void)client_reply(&c[i], heard, sizeof(heard));
        CHECK(strncmp(heard, "HTTP/1.1 200", 12) == 0);
    }
    for (int i = 0; i < 5; i++)
        client_close(&c[i]);
}

static void test_reload_under_an_open_connection(void)
{
    struct client old;
    struct client fresh;
    X509 *first;
    X509 *second;

    CHECK(client_open(&old));
    first = SSL_get1_peer_certificate(old.ssl);
    CHECK(unlink(door.tls.cert) == 0);
    CHECK(listener_reload_tls(door.listener) == ERR_INVALID);
    CHECK(strncmp(ask("GET /hello HTTP/1.1\r\n" HOST "\r\n"), "HTTP/1.1 200", 12) == 0);
    CHECK(localca_ensure(door.dir, NULL, &door.tls) == OK);
    CHECK(listener_reload_tls(door.listener) == OK);
    CHECK(client_open(&fresh));
    second = SSL_get1_peer_certificate(fresh.ssl);
    CHECK(X509_cmp(first, second) != 0);
    CHECK(client_say(&old, "GET /hello HTTP/1.1\r\n" KEEP "\r\n"));
    (void)client_reply(&old, heard, sizeof(heard));
    CHECK(strncmp(heard, "HTTP/1.1 200", 12) == 0);
    X509_free(first);
    X509_free(second);
    client_close(&old);
    client_close(&fresh);
}

/* RFC 9325: neither old versions nor ciphers without forward secrecy. */
static void test_weak_tls_is_refused(void)
{
    struct client c;

    CHECK(SSL_CTX_set_max_proto_version(door.context, TLS1_2_VERSION) == 1);
    CHECK(client_open(&c));
    CHECK(SSL_version(c.ssl) == TLS1_2_VERSION);
    client_close(&c);
    CHECK(SSL_CTX_set_cipher_list(door.context, "AES128-GCM-SHA256:ECDHE-ECDSA-AES128-SHA") == 1);
    CHECK(!client_open(&c));
    client_close(&c);
    CHECK(SSL_CTX_set_cipher_list(door.context, "DEFAULT:@SECLEVEL=0") == 1);
    CHECK(SSL_CTX_set_min_proto_version(door.context, TLS1_1_VERSION) == 1);
    CHECK(SSL_CTX_set_max_proto_version(door.context, TLS1_1_VERSION) == 1);
    CHECK(!client_open(&c));
    client_close(&c);
    CHECK(SSL_CTX_set_cipher_list(door.context, "DEFAULT") == 1);
    CHECK(SSL_CTX_set_min_proto_version(door.context, 0) == 1);
    CHECK(SSL_CTX_set_max_proto_version(door.context, 0) == 1);
}

static void test_sessions_resume(void)
{
    struct client first;
    struct client second;
    SSL_SESSION *session;

    CHECK(client_open(&first));
    CHECK(client_say(&first, "GET /hello HTTP/1.1\r\n" KEEP "\r\n"));
    (void)client_reply(&first, heard, sizeof(heard));
    session = SSL_get1_session(first.ssl);
    second.fd = front_connect();
    second.ssl = SSL_new(door.context);
    (void)SSL_set_fd(second.ssl, second.fd);
    CHECK(SSL_set_session(second.ssl, session) == 1);
    CHECK(SSL_connect(second.ssl) == 1 && SSL_session_reused(second.ssl) == 1);
    SSL_SESSION_free(session);
    client_close(&first);
    client_close(&second);
}

int main(void)
{
    struct listener_config config;
    int files;

    if (!front_prepare())
        return EXIT_FAILURE;
    config = front_config();
    config.queue_max = 2;
    config.streams_max = 2;
    files = open_files();
    if (!front_start(&config))
        return EXIT_FAILURE;
    RUN(test_echo);
    RUN(test_head);
    RUN(test_refused_small_body_keeps_connection);
    RUN(test_body_too_large);
    RUN(test_ranges);
    RUN(test_events);
    RUN(test_streams_end_and_are_counted);
    RUN(test_full_queue);
    RUN(test_weak_tls_is_refused);
    RUN(test_sessions_resume);
    RUN(test_reload_under_an_open_connection);
    listener_stop(door.listener, 1000);
    if (open_files() != files) {
        (void)printf("%d files were open before and %d after\n", files, open_files());
        failures++;
    }
    front_clean();
    return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
