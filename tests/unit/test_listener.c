/* SPDX-License-Identifier: Apache-2.0 */
#include "service/listener.h"

#include "tests/unit/front.h"

#include <dirent.h>
#include <signal.h>
#include <sys/resource.h>

#define HOST "Host: localhost\r\n"

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

/* Files in the spool directory. */
static int leftovers(void)
{
    DIR *d = opendir(door.spool);
    int count = 0;

    while (d != NULL && readdir(d) != NULL)
        count++;
    (void)closedir(d);
    return count - 2;
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

static long resident_kib(void)
{
    long pages = 0;
    FILE *f = fopen("/proc/self/statm", "re");

    if (f == NULL || fscanf(f, "%*d %ld", &pages) != 1)
        pages = 0;
    if (f != NULL)
        (void)fclose(f);
    return pages * 4;
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
    CHECK(client_say(&c, "POST /nowhere HTTP/1.1\r\n" HOST "Content-Length: 3\r\n\r\nabc"));
    (void)client_reply(&c, heard, sizeof(heard));
    CHECK(strncmp(heard, "HTTP/1.1 404", 12) == 0);
    CHECK(client_say(&c, "GET /hello HTTP/1.1\r\n" HOST "\r\n"));
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
    (void)client_hear(&c, heard, sizeof(heard), 2000);
    CHECK(strncmp(heard, "HTTP/1.1 413", 12) == 0);
    CHECK(strstr(heard, "Connection: close\r\n") != NULL);
    client_close(&c);
}

/* Sends size bytes of a pattern to path; the digest of what was sent. */
static bool send_upload(struct client *c, const char *path, int64_t announced, int64_t sent)
{
    static char part[65536];
    char head[256];

    (void)snprintf(head, sizeof(head), "PUT %s HTTP/1.1\r\n" HOST "Content-Length: %lld\r\n\r\n",
                   path, (long long)announced);
    if (!client_say(c, head))
        return false;
    for (int64_t at = 0; at < sent; at += (int64_t)sizeof(part)) {
        size_t length = sent - at < (int64_t)sizeof(part) ? (size_t)(sent - at) : sizeof(part);

        memset(part, (int)(at >> 16) & 0xff, sizeof(part));
        if (!client_send(c, part, length))
            return false;
    }
    return true;
}

static void pattern_digest(int64_t size, char out[2 * SHA256_SIZE + 1])
{
    static char part[65536];
    struct sha256 *h = sha256_begin();
    struct digest d;

    for (int64_t at = 0; at < size; at += (int64_t)sizeof(part)) {
        memset(part, (int)(at >> 16) & 0xff, sizeof(part));
        sha256_add(h, part, size - at < (int64_t)sizeof(part) ? (size_t)(size - at) : sizeof(part));
    }
    d = sha256_end(h);
    hex_encode(d.bytes, SHA256_SIZE, out);
}

static void upload_of(int64_t size)
{
    char wanted[2 * SHA256_SIZE + 1];
    struct client c;

    pattern_digest(size, wanted);
    CHECK(client_open(&c));
    CHECK(send_upload(&c, "/up", size, size));
    (void)client_reply(&c, heard, sizeof(heard));
    CHECK(strncmp(heard, "HTTP/1.1 200", 12) == 0);
    CHECK(strcmp(body_of(heard), wanted) == 0);
    CHECK(leftovers() == 0);
    client_close(&c);
}

static void test_uploads(void)
{
    upload_of(0);
    upload_of(1);
    upload_of(1 << 20);
    upload_of((1 << 20) + 1);
    upload_of(5 << 20);
}

static void test_large_upload_in_little_memory(void)
{
    const long before = resident_kib();

    CHECK(before > 0);
    upload_of(100 << 20);
#ifndef __SANITIZE_ADDRESS__ /* which keeps what was freed */
    CHECK(resident_kib() - before < 20 * 1024);
#endif
}

static void test_chunked_upload(void)
{
    CHECK(strncmp(ask("PUT /up HTTP/1.1\r\n" HOST
                      "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"),
                  "HTTP/1.1 200", 12) == 0);
    CHECK(strcmp(body_of(heard),
                 "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad") == 0);
}

/* The handler of a resumable upload learns of what arrived before the client left. */
static void test_aborted_upload_is_reported(void)
{
    struct client c;

    atomic_store(&door.partial, 0);
    CHECK(client_open(&c));
    CHECK(send_upload(&c, "/up", 50 << 20, 3 << 20));
    (void)shutdown(c.fd, SHUT_WR);
    CHECK(front_wait(&door.partial, 1));
    client_close(&c);
    CHECK(atomic_load(&door.partial_size) == 3 << 20);
    for (int i = 0; i < 1000 && leftovers() != 0; i++)
        (void)usleep(1000);
    CHECK(leftovers() == 0);
}

static void test_denied_upload(void)
{
    struct client c;

    CHECK(strncmp(ask("PUT /denied HTTP/1.1\r\n" HOST "Expect: 100-continue\r\n"
                      "Content-Length: 1000000\r\n\r\n"),
                  "HTTP/1.1 403", 12) == 0);
    CHECK(client_open(&c));
    CHECK(send_upload(&c, "/denied", 2 << 20, 2 << 20));
    (void)client_hear(&c, heard, sizeof(heard), 2000);
    CHECK(strncmp(heard, "HTTP/1.1 403", 12) == 0);
    CHECK(strstr(heard, "Connection: close\r\n") != NULL);
    CHECK(leftovers() == 0);
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
    length = client_hear(&c, heard, sizeof(heard), 800);
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
        (void)client_hear(&c[i], heard, 400, 300);
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
    CHECK(client_say(&old, "GET /hello HTTP/1.1\r\n" HOST "\r\n"));
    (void)client_reply(&old, heard, sizeof(heard));
    CHECK(strncmp(heard, "HTTP/1.1 200", 12) == 0);
    X509_free(first);
    X509_free(second);
    client_close(&old);
    client_close(&fresh);
}

/* The disk's limit is played by the process's own on the size of files. */
static void test_disk_without_room(void)
{
    struct rlimit old;
    struct rlimit small;
    struct client c;

    CHECK(signal(SIGXFSZ, SIG_IGN) != SIG_ERR && getrlimit(RLIMIT_FSIZE, &old) == 0);
    small = old;
    small.rlim_cur = 2 << 20;
    CHECK(setrlimit(RLIMIT_FSIZE, &small) == 0);
    CHECK(client_open(&c));
    (void)send_upload(&c, "/up", 20 << 20, 20 << 20);
    (void)client_hear(&c, heard, sizeof(heard), 2000);
    CHECK(setrlimit(RLIMIT_FSIZE, &old) == 0);
    CHECK(strncmp(heard, "HTTP/1.1 507", 12) == 0);
    client_close(&c);
    for (int i = 0; i < 1000 && leftovers() != 0; i++)
        (void)usleep(1000);
    CHECK(leftovers() == 0);
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
    CHECK(client_say(&first, "GET /hello HTTP/1.1\r\n" HOST "\r\n"));
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
    RUN(test_uploads);
    RUN(test_large_upload_in_little_memory);
    RUN(test_chunked_upload);
    RUN(test_aborted_upload_is_reported);
    RUN(test_denied_upload);
    RUN(test_ranges);
    RUN(test_events);
    RUN(test_streams_end_and_are_counted);
    RUN(test_full_queue);
    RUN(test_weak_tls_is_refused);
    RUN(test_sessions_resume);
    RUN(test_reload_under_an_open_connection);
    RUN(test_disk_without_room);
    listener_stop(door.listener, 1000);
    if (open_files() != files) {
        (void)printf("%d files were open before and %d after\n", files, open_files());
        failures++;
    }
    front_clean();
    return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
