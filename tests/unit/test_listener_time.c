/* SPDX-License-Identifier: Apache-2.0 */
#include "service/listener.h"

#include "tests/unit/front.h"

#include <time.h>

/* Clients that take their time. All limits are a second here. */
#define HOST "Host: localhost\r\n"

static char heard[REPLY_ROOM];

static bool closed_by_peer(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLRDHUP};

    return poll(&p, 1, 0) > 0;
}

/* Say first, then a byte every 100 ms until the server closes: after how many ms, or -1 for not in
 * 6 s. */
static int64_t drip(const char *first)
{
    int64_t began = time_steady_ms();
    int64_t took = -1;
    struct client c;

    if (!client_open(&c) || !client_say(&c, first))
        return -1;
    while (time_steady_ms() - began < 15000) {
        if (closed_by_peer(c.fd) || !client_send(&c, "1", 1)) {
            took = time_steady_ms() - began;
            break;
        }
        (void)usleep(100000);
    }
    client_close(&c);
    return took;
}

static void test_slow_headers(void)
{
    int64_t took = drip("GET /hello HTTP/1.1\r\n" HOST "X: ");

    CHECK(took >= 800 && took < 10000);
}

static void test_slow_request_line(void)
{
    int64_t took = drip("GET /hello");

    CHECK(took >= 800 && took < 10000);
}

static void test_slow_body(void)
{
    int64_t took = drip("POST /echo HTTP/1.1\r\n" HOST "Content-Length: 1000\r\n\r\n");

    CHECK(took >= 800 && took < 10000);
}

/* Ten bytes a second are fewer than 1 KiB; what came is still shown to the handler. */
static void test_slow_upload(void)
{
    int64_t took;

    atomic_store(&door.partial, 0);
    took = drip("PUT /up HTTP/1.1\r\n" HOST "Content-Length: 1000000\r\n\r\n");
    CHECK(took >= 800 && took < 10000);
    CHECK(front_wait(&door.partial, 1));
    CHECK(atomic_load(&door.partial_size) > 0);
}

/* An upload at 10 KiB/s is slow but goes on, well past every other limit. */
static void test_steady_upload_is_left_alone(void)
{
    static const char part[1024];
    struct client c;

    CHECK(client_open(&c));
    CHECK(client_say(&c, "PUT /up HTTP/1.1\r\n" HOST "Content-Length: 35840\r\n\r\n"));
    for (int i = 0; i < 35; i++) {
        CHECK(client_send(&c, part, sizeof(part)));
        (void)usleep(100000);
    }
    (void)client_reply(&c, heard, sizeof(heard));
    CHECK(strncmp(heard, "HTTP/1.1 200", 12) == 0);
    client_close(&c);
}

static void test_no_handshake(void)
{
    int fd = front_connect();
    int waited = 0;

    CHECK(fd >= 0);
    while (!closed_by_peer(fd) && waited++ < 100)
        (void)usleep(100000);
    CHECK(waited >= 8 && waited < 100);
    (void)close(fd);
}

/* libmicrohttpd 0.9.75 alone spends a core on each; see service/handshake.h. */
static void test_stalled_handshake_costs_nothing(void)
{
    static const char half[] = "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03";
    int fd = front_connect();
    clock_t began;
    int waited = 0;

    CHECK(fd >= 0 && write(fd, half, sizeof(half) - 1) == (ssize_t)sizeof(half) - 1);
    (void)usleep(50000);
    began = clock();
    while (!closed_by_peer(fd) && waited++ < 100)
        (void)usleep(100000);
    CHECK(waited >= 7 && waited < 100);
    CHECK(clock() - began < CLOCKS_PER_SEC / 4);
    (void)close(fd);
}

static void test_idle_connection(void)
{
    struct client c;
    int waited = 0;

    CHECK(client_open(&c));
    CHECK(client_say(&c, "GET /hello HTTP/1.1\r\n" HOST "\r\n"));
    (void)client_reply(&c, heard, sizeof(heard));
    while (!closed_by_peer(c.fd) && waited++ < 100)
        (void)usleep(100000);
    CHECK(waited >= 8 && waited < 100);
    client_close(&c);
}

/* The second request of a connection has its deadline too. */
static void test_slow_second_headers(void)
{
    int64_t took = drip("GET /hello HTTP/1.1\r\n" HOST "\r\nGET /hello HTTP/1.1\r\n" HOST "X: ");

    CHECK(took >= 800 && took < 10000);
}

/* A handler may take as long as it likes. */
static void test_slow_handler_is_left_alone(void)
{
    struct client c;

    atomic_store(&door.gate, 1);
    CHECK(client_open(&c));
    CHECK(client_say(&c, "GET /slow HTTP/1.1\r\n" HOST "\r\n"));
    (void)usleep(3500000);
    atomic_store(&door.gate, 0);
    (void)client_reply(&c, heard, sizeof(heard));
    CHECK(strncmp(heard, "HTTP/1.1 200", 12) == 0);
    client_close(&c);
}

static struct client quiet;

/* Opened before the other tests, which take their time. */
static void test_quiet_stream_begins(void)
{
    CHECK(client_open(&quiet));
    CHECK(client_say(&quiet, "GET /quiet HTTP/1.1\r\n" HOST "\r\n"));
}

static void test_quiet_stream_is_kept_alive(void)
{
    heard[0] = '\0';
    for (int i = 0; i < 20 && strstr(heard, ": keep-alive") == NULL; i++)
        (void)client_hear(&quiet, heard + strlen(heard), sizeof(heard) - strlen(heard), 1000);
    CHECK(strncmp(heard, "HTTP/1.1 200", 12) == 0);
    CHECK(strstr(heard, "\r\n: keep-alive\n\n\r\n") != NULL);
    client_close(&quiet);
}

int main(void)
{
    struct listener_config config;

    if (!front_prepare())
        return EXIT_FAILURE;
    config = front_config();
    config.header_timeout_s = 1;
    config.body_timeout_s = 1;
    config.idle_timeout_s = 1;
    config.rate_window_s = 1;
    if (!front_start(&config))
        return EXIT_FAILURE;
    RUN(test_quiet_stream_begins);
    RUN(test_slow_headers);
    RUN(test_slow_request_line);
    RUN(test_slow_body);
    RUN(test_slow_upload);
    RUN(test_steady_upload_is_left_alone);
    RUN(test_no_handshake);
    RUN(test_stalled_handshake_costs_nothing);
    RUN(test_idle_connection);
    RUN(test_slow_second_headers);
    RUN(test_slow_handler_is_left_alone);
    RUN(test_quiet_stream_is_kept_alive);
    listener_stop(door.listener, 1000);
    front_clean();
    return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
