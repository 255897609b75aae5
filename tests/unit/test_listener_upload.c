/* SPDX-License-Identifier: Apache-2.0 */
#include "service/upload.h"

#include "tests/unit/front.h"

#include <dirent.h>
#include <signal.h>
#include <sys/resource.h>

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
    (void)client_hear(&c, heard, sizeof(heard), 5000);
    CHECK(strncmp(heard, "HTTP/1.1 403", 12) == 0);
    CHECK(strstr(heard, "Connection: close\r\n") != NULL);
    CHECK(leftovers() == 0);
    client_close(&c);
}

static void test_too_many_uploads(void)
{
    static const char head[] = "PUT /up HTTP/1.1\r\n" KEEP "Content-Length: 3\r\n\r\n";
    struct listener_stats stats = {0};
    struct client c[3];

    for (int i = 0; i < 2; i++)
        CHECK(client_open(&c[i]) && client_say(&c[i], head));
    for (int i = 0; i < 5000 && stats.uploads < 2; i++) {
        listener_stats(door.listener, &stats);
        (void)usleep(1000);
    }
    CHECK(client_open(&c[2]) && client_say(&c[2], head) && client_say(&c[2], "abc"));
    (void)client_reply(&c[2], heard, sizeof(heard));
    CHECK(strncmp(heard, "HTTP/1.1 503", 12) == 0);
    for (int i = 0; i < 2; i++) {
        CHECK(client_say(&c[i], "abc"));
        (void)client_reply(&c[i], heard, sizeof(heard));
        CHECK(strncmp(heard, "HTTP/1.1 200", 12) == 0);
    }
    for (int i = 0; i < 3; i++)
        client_close(&c[i]);
}

/* By what is announced, and by what comes when nothing is announced; no handler sees a part of it.
 */
static void test_upload_too_large(void)
{
    static char part[65536];
    struct client c;

    atomic_store(&door.partial, 0);
    CHECK(strncmp(ask("PUT /up HTTP/1.1\r\n" HOST "Content-Length: 209715201\r\n\r\n"),
                  "HTTP/1.1 413", 12) == 0);
    CHECK(client_open(&c));
    CHECK(client_say(&c, "PUT /up HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"));
    for (int i = 0; i < (210 << 20) / (int)sizeof(part); i++)
        if (!client_say(&c, "10000\r\n") || !client_send(&c, part, sizeof(part)) ||
            !client_say(&c, "\r\n"))
            break;
    (void)client_hear(&c, heard, sizeof(heard), 5000);
    CHECK(strncmp(heard, "HTTP/1.1 413", 12) == 0);
    client_close(&c);
    for (int i = 0; i < 1000 && leftovers() != 0; i++)
        (void)usleep(1000);
    CHECK(leftovers() == 0 && atomic_load(&door.partial) == 0);
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
    (void)client_hear(&c, heard, sizeof(heard), 5000);
    CHECK(setrlimit(RLIMIT_FSIZE, &old) == 0);
    CHECK(strncmp(heard, "HTTP/1.1 507", 12) == 0);
    client_close(&c);
    for (int i = 0; i < 1000 && leftovers() != 0; i++)
        (void)usleep(1000);
    CHECK(leftovers() == 0);
}

int main(void)
{
    struct listener_config config;

    if (!front_prepare())
        return EXIT_FAILURE;
    config = front_config();
    config.uploads_max = 2;
    config.upload_max = 200 << 20;
    if (!front_start(&config))
        return EXIT_FAILURE;
    RUN(test_uploads);
    RUN(test_large_upload_in_little_memory);
    RUN(test_chunked_upload);
    RUN(test_aborted_upload_is_reported);
    RUN(test_denied_upload);
    RUN(test_too_many_uploads);
    RUN(test_upload_too_large);
    RUN(test_disk_without_room);
    listener_stop(door.listener, 1000);
    front_clean();
    return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
