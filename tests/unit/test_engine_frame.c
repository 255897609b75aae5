/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test_engine.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>

static int ends[2];

static bool open_pair(void)
{
    return socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0;
}

static void close_pair(void)
{
    (void)close(ends[0]);
    (void)close(ends[1]);
}

static void frames_arrive_as_sent(void)
{
    static const struct {
        const char *json;
        size_t payload;
    } cases[] = {{"{}", 0}, {"", 0}, {"{\"a\":1}", 1}, {"{\"b\":[]}", 50000}};
    static unsigned char bytes[50000];
    struct frame got = {0};

    CHECK(open_pair());
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (unsigned char)(i * 7);
    for (size_t i = 0; i < 4; i++) {
        struct frame f = {.json = (char *)(uintptr_t)cases[i].json,
                          .json_length = strlen(cases[i].json),
                          .payload = bytes,
                          .payload_length = cases[i].payload};

        CHECK(frame_write(ends[0], &f, 1000) == OK);
        CHECK(frame_read(ends[1], &got, 1000) == OK);
        CHECK(got.payload_length == cases[i].payload && strcmp(got.json, cases[i].json) == 0);
        CHECK(memcmp(got.payload, bytes, got.payload_length) == 0);
    }
    frame_free(&got);
    close_pair();
}

/* Byte by byte, far more than a socket's buffer, from another process. */
static void large_frames_pass_a_slow_pipe(void)
{
    enum { LARGE = 5 << 20 };
    struct frame f = {.json = "{}", .json_length = 2, .payload_length = LARGE}, got = {0};
    pid_t child;

    f.payload = malloc(LARGE);
    memset(f.payload, 0xa5, LARGE);
    CHECK(open_pair());
    child = fork();
    if (child == 0)
        _exit(frame_write(ends[0], &f, 10000) == OK ? 0 : 1);
    for (int i = 0; i < 3; i++)
        (void)poll(NULL, 0, 5);
    CHECK(frame_read(ends[1], &got, 10000) == OK && got.payload_length == LARGE);
    CHECK(memcmp(got.payload, f.payload, LARGE) == 0);
    CHECK(waitpid(child, NULL, 0) == child);
    free(f.payload);
    frame_free(&got);
    close_pair();
}

static void deadlines_hold(void)
{
    struct frame f = {0}, large = {.payload_length = FRAME_PAYLOAD_MAX};

    CHECK(open_pair());
    CHECK(frame_read(ends[1], &f, 50) == ERR_TIMEOUT);
    CHECK(send(ends[0], "\x02\0\0\0\0\0\0\0{", 9, 0) == 9);
    CHECK(frame_read(ends[1], &f, 50) == ERR_TIMEOUT);
    large.payload = calloc(1, FRAME_PAYLOAD_MAX);
    CHECK(frame_write(ends[0], &large, 50) == ERR_TIMEOUT);
    free(large.payload);
    frame_free(&f);
    close_pair();
}

static void ends_and_breaks_differ(void)
{
    struct frame f = {0}, small = {.json = "{}", .json_length = 2};

    CHECK(open_pair());
    (void)close(ends[0]);
    CHECK(frame_read(ends[1], &f, 1000) == ERR_UNAVAILABLE);
    CHECK(frame_write(ends[1], &small, 1000) == ERR_ENGINE);
    (void)close(ends[1]);
    for (size_t cut = 1; cut < 10; cut++) {
        CHECK(open_pair());
        CHECK(send(ends[0], "\x02\0\0\0\0\0\0\0{}", cut, 0) == (ssize_t)cut);
        (void)close(ends[0]);
        CHECK(frame_read(ends[1], &f, 1000) == ERR_ENGINE);
        (void)close(ends[1]);
    }
    frame_free(&f);
}

static void announced_giants_are_refused(void)
{
    static const char heads[][8] = {"\x01\0\x10\0\0\0\0", "\0\0\0\0\x01\0\0\x04",
                                    "\xff\xff\xff\xff\xff\xff\xff"};
    struct frame f = {0};

    for (size_t i = 0; i < 3; i++) {
        CHECK(open_pair());
        CHECK(send(ends[0], heads[i], 8, 0) == 8);
        CHECK(frame_read(ends[1], &f, 1000) == ERR_TOO_LARGE);
        close_pair();
    }
    f.json_length = FRAME_JSON_MAX + 1;
    CHECK(frame_write(1, &f, 1000) == ERR_TOO_LARGE);
}

int main(void)
{
    RUN(frames_arrive_as_sent);
    RUN(large_frames_pass_a_slow_pipe);
    RUN(deadlines_hold);
    RUN(ends_and_breaks_differ);
    RUN(announced_giants_are_refused);
    return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
