/* SPDX-License-Identifier: Apache-2.0 */
#include "service/listener.h"

#include "tests/unit/front.h"

#include <pthread.h>

#define HOST "Host: localhost\r\n"
#define SLOW "GET /slow HTTP/1.1\r\n" HOST "\r\n"

enum { BUSY = 4 };

static char heard[REPLY_ROOM];

struct stopping {
    pthread_t thread;
    unsigned drain_ms;
    int64_t took;
};

static void *stop_main(void *arg)
{
    struct stopping *s = arg;
    int64_t began = time_steady_ms();

    listener_stop(door.listener, s->drain_ms);
    s->took = time_steady_ms() - began;
    return NULL;
}

/* Two requests running, two waiting, one connection idle. */
static bool make_busy(struct client clients[BUSY + 1])
{
    struct listener_config config = front_config();
    struct listener_stats stats = {0};
    bool open = front_start(&config);

    atomic_store(&door.gate, 1);
    for (int i = 0; i <= BUSY && open; i++)
        open = client_open(&clients[i]);
    for (int i = 0; i < BUSY && open; i++)
        open = client_say(&clients[i], SLOW);
    for (int i = 0; i < 5000 && open; i++) {
        listener_stats(door.listener, &stats);
        if (stats.queued[LANE_SLOW] == BUSY - 2 && stats.busy[LANE_SLOW] == 2)
            return true;
        (void)usleep(1000);
    }
    return false;
}

static int count_status(struct client clients[BUSY], const char *status)
{
    int count = 0;

    for (int i = 0; i < BUSY; i++) {
        (void)client_reply(&clients[i], heard, sizeof(heard));
        count += strncmp(heard + 9, status, 3) == 0;
    }
    return count;
}

static void close_all(struct client clients[BUSY + 1])
{
    for (int i = 0; i <= BUSY; i++)
        client_close(&clients[i]);
}

/* Nobody is let in any more. */
static bool wait_until_refused(void)
{
    for (int i = 0; i < 500; i++) {
        int fd = front_connect();

        if (fd < 0)
            return true;
        (void)close(fd);
        (void)usleep(10000);
    }
    return false;
}

/* What was accepted is done and answered; what comes meanwhile is told to go elsewhere. */
static void test_stop_loses_nothing(void)
{
    struct stopping s = {.drain_ms = 10000};
    struct client clients[BUSY + 1];

    CHECK(make_busy(clients));
    CHECK(pthread_create(&s.thread, NULL, stop_main, &s) == 0);
    CHECK(wait_until_refused());
    CHECK(client_say(&clients[BUSY], "GET /hello HTTP/1.1\r\n" HOST "\r\n"));
    (void)client_reply(&clients[BUSY], heard, sizeof(heard));
    CHECK(strncmp(heard, "HTTP/1.1 503", 12) == 0);
    CHECK(strstr(heard, "Connection: close\r\n") != NULL);
    atomic_store(&door.gate, 0);
    CHECK(count_status(clients, "200") == BUSY);
    (void)pthread_join(s.thread, NULL);
    CHECK(s.took < 9000);
    close_all(clients);
}

/* Past the time to drain, what waits is refused; what runs is waited for. */
static void test_stop_with_little_time(void)
{
    struct stopping s = {.drain_ms = 100};
    struct client clients[BUSY + 1];
    int ran = atomic_load(&door.ran);

    CHECK(make_busy(clients));
    CHECK(pthread_create(&s.thread, NULL, stop_main, &s) == 0);
    (void)usleep(1000000);
    atomic_store(&door.gate, 0);
    CHECK(count_status(clients, "503") == BUSY - 2);
    (void)pthread_join(s.thread, NULL);
    CHECK(atomic_load(&door.ran) == ran + 2);
    close_all(clients);
}

/* Streams end, and a body that is half there is shown to its handler. */
static void test_stop_during_stream_and_upload(void)
{
    struct listener_config config = front_config();
    struct listener_stats stats = {0};
    static char half[100000];
    struct client stream;
    struct client upload;

    CHECK(front_start(&config));
    atomic_store(&door.partial, 0);
    CHECK(client_open(&stream) && client_open(&upload));
    CHECK(client_say(&stream, "GET /endless HTTP/1.1\r\n" HOST "\r\n"));
    CHECK(client_say(&upload, "PUT /up HTTP/1.1\r\n" HOST "Content-Length: 200000\r\n\r\n"));
    CHECK(client_send(&upload, half, sizeof(half)));
    for (int i = 0; i < 5000 && stats.bytes_in < (int64_t)sizeof(half); i++) {
        listener_stats(door.listener, &stats);
        (void)usleep(1000);
    }
    CHECK(stats.streams == 1 && stats.uploads == 1);
    listener_stop(door.listener, 300);
    CHECK(atomic_load(&door.partial) == 1);
    CHECK(atomic_load(&door.partial_size) == (int64_t)sizeof(half));
    (void)client_hear(&stream, heard, sizeof(heard), 500);
    CHECK(strstr(heard, "\r\n0\r\n\r\n") != NULL);
    client_close(&stream);
    client_close(&upload);
}

static void test_stop_during_handshake(void)
{
    static const char half[] = "\x16\x03\x01\x02\x00\x01";
    struct listener_config config = front_config();
    int64_t began;
    int fd;

    CHECK(front_start(&config));
    fd = front_connect();
    CHECK(fd >= 0 && write(fd, half, sizeof(half) - 1) == (ssize_t)sizeof(half) - 1);
    (void)usleep(200000);
    began = time_steady_ms();
    listener_stop(door.listener, 5000);
    CHECK(time_steady_ms() - began < 4000);
    (void)close(fd);
}

static void test_start_says_what_is_wrong(void)
{
    struct listener_config config = front_config();
    struct listener *l;

    config.address = "localhost.invalid";
    CHECK(listener_start(&config, &front_hooks, &l) == ERR_INVALID && l == NULL);
    config = front_config();
    config.cert_path = door.tls.ca; /* not of that key */
    CHECK(listener_start(&config, &front_hooks, &l) == ERR_INVALID);
    config = front_config();
    CHECK(front_start(&config));
    config.port = listener_port(door.listener);
    CHECK(listener_start(&config, &front_hooks, &l) == ERR_UNAVAILABLE);
    listener_stop(door.listener, 0);
}

/* A service without its database still answers. */
static void test_database_away(void)
{
    struct listener_config config = front_config();
    struct client c;

    config.conninfo = "host=/nonexistent dbname=none connect_timeout=1";
    CHECK(front_start(&config));
    CHECK(client_open(&c));
    CHECK(client_say(&c, "GET /hello HTTP/1.1\r\n" HOST "\r\n"));
    (void)client_reply(&c, heard, sizeof(heard));
    CHECK(strncmp(heard, "HTTP/1.1 200", 12) == 0);
    client_close(&c);
    listener_stop(door.listener, 1000);
}

int main(void)
{
    if (!front_prepare())
        return EXIT_FAILURE;
    RUN(test_stop_loses_nothing);
    RUN(test_stop_with_little_time);
    RUN(test_stop_during_stream_and_upload);
    RUN(test_stop_during_handshake);
    RUN(test_start_says_what_is_wrong);
    RUN(test_database_away);
    front_clean();
    return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
