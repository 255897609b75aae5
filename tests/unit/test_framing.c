/* SPDX-License-Identifier: Apache-2.0 */
#include "service/framing.h"

#include "tests/unit/front.h"

/* What raw bytes get over a real connection: the statuses of the replies in order, and how many
 * requests were run. A smuggled request would show as one more of either. */
struct attack {
    const char *name;
    const char *bytes;
    size_t length; /* 0: to the NUL */
    const char *statuses;
    int ran;
};

#define HOST          "Host: localhost\r\n"
#define CLOSE         "Connection: close\r\n"
#define HELLO         "GET /hello HTTP/1.1\r\n" HOST CLOSE "\r\n" /* the last one */
#define HELLO_FIRST   "GET /hello HTTP/1.1\r\n" HOST "\r\n"
#define POST          "POST /echo HTTP/1.1\r\n" HOST
#define LITERAL(text) text, sizeof(text) - 1

/* clang-format off */
static const struct attack attacks[] = {
    {"a plain request", HELLO, 0, "200", 1},
    {"two requests in one packet", HELLO_FIRST HELLO, 0, "200 200", 2},
    {"a body of its length", POST "Content-Length: 3\r\n\r\nabc" HELLO, 0, "200 200", 2},
    {"a chunked body", POST "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n" HELLO, 0, "200 200", 2},
    {"two different Content-Length", POST "Content-Length: 3\r\nContent-Length: 0\r\n\r\nabc" HELLO, 0, "400", 0},
    {"two equal Content-Length", POST "Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc", 0, "400", 0},
    {"Content-Length beside chunked", POST "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" HELLO, 0, "400", 0},
    {"gzip, chunked", POST "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n" HELLO, 0, "400", 0},
    {"xchunked", POST "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 0, "400", 0},
    {"identity", POST "Transfer-Encoding: identity\r\nContent-Length: 3\r\n\r\nabc", 0, "400", 0},
    {"two Transfer-Encoding", POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 0, "400", 0},
    {"chunked in HTTP/1.0", "POST /echo HTTP/1.0\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 0, "400", 0},
    {"space before the colon", POST "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n", 0, "400", 0},
    {"brackets in a header name", "GET /hello HTTP/1.1\r\n" HOST "X[1]: a\r\n\r\n", 0, "400", 0},
    {"header that begins with a blank", "GET /hello HTTP/1.1\r\n Host: localhost\r\n\r\n", 0, "400", 0},
    {"two Host", "GET /hello HTTP/1.1\r\n" HOST "Host: other\r\n\r\n", 0, "400", 0},
    {"no Host", "GET /hello HTTP/1.1\r\n\r\n", 0, "400", 0},
    {"two Authorization", "GET /hello HTTP/1.1\r\n" HOST "Authorization: a\r\nAuthorization: b\r\n\r\n", 0, "400", 0},
    {"bare CR in a value", "GET /hello HTTP/1.1\r\n" HOST "X: a\rb\r\n\r\n", 0, "400", 0},
    {"control character in a value", "GET /hello HTTP/1.1\r\n" HOST "X: a\x01\x62\r\n\r\n", 0, "400", 0},
    {"DEL in a value", "GET /hello HTTP/1.1\r\n" HOST "X: a\x7f\r\n\r\n", 0, "400", 0},
    /* libmicrohttpd 0.9.75 cuts the value there before we see it; no second request comes of it. */
    {"NUL in a value", LITERAL("GET /hello HTTP/1.1\r\n" HOST CLOSE "X: a\0b\r\n\r\n"), "200", 1},
    /* Taken by libmicrohttpd 0.9.75 as line ends; harmless without a proxy that thinks otherwise. */
    {"bare LF as line ends", "GET /hello HTTP/1.1\nHost: localhost\nConnection: close\n\n", 0, "200", 1},
    {"folded header", "GET /hello HTTP/1.1\r\n" HOST CLOSE "X: a\r\n b\r\n\r\n", 0, "200", 1},
    {"%00 in the path", "GET /hello%00x HTTP/1.1\r\n" HOST "\r\n", 0, "400", 0},
    {"%00 in the query", "GET /hello?a=%00 HTTP/1.1\r\n" HOST "\r\n", 0, "400", 0},
    {"NUL in the path", LITERAL("GET /hello\0x HTTP/1.1\r\n" HOST "\r\n"), "400", 0},
    /* Which routes take one is the router's to say. */
    {"%2f in the path", "GET /a%2fb HTTP/1.1\r\n" HOST "\r\n", 0, "404", 0},
    {"dots behind %2f", "GET /a%2fx/../b HTTP/1.1\r\n" HOST "\r\n", 0, "400", 0},
    {"%5C in the path", "GET /a%5Cb HTTP/1.1\r\n" HOST "\r\n", 0, "400", 0},
    {"backslash in the path", "GET /a\\b HTTP/1.1\r\n" HOST "\r\n", 0, "400", 0},
    {"two slashes", "GET //hello HTTP/1.1\r\n" HOST "\r\n", 0, "400", 0},
    {"dot segment", "GET /a/../hello HTTP/1.1\r\n" HOST "\r\n", 0, "400", 0},
    {"escaped dot segment", "GET /a/%2e%2E/hello HTTP/1.1\r\n" HOST "\r\n", 0, "400", 0},
    {"half-escaped dot segment at the end", "GET /a/.%2e HTTP/1.1\r\n" HOST "\r\n", 0, "400", 0},
    {"broken escape", "GET /hel%lo HTTP/1.1\r\n" HOST "\r\n", 0, "400", 0},
    {"fragment", "GET /hello#x HTTP/1.1\r\n" HOST "\r\n", 0, "400", 0},
    {"absolute form", "GET https://localhost/hello HTTP/1.1\r\n" HOST "\r\n", 0, "400", 0},
    {"asterisk form", "OPTIONS * HTTP/1.1\r\n" HOST "\r\n", 0, "400", 0},
    {"body where none is taken", "GET /hello HTTP/1.1\r\n" HOST CLOSE "Content-Length: 3\r\n\r\nabc", 0, "400", 0},
    {"chunked body where none is taken", "GET /hello HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 0, "400", 0},
    {"malformed chunk size", POST "Transfer-Encoding: chunked\r\n\r\nzz\r\nabc\r\n0\r\n\r\n", 0, "400", 0},
    {"chunk longer than its size", POST "Transfer-Encoding: chunked\r\n\r\n3\r\nabcdef\r\n0\r\n\r\n", 0, "400", 0},
    {"chunk size past 64 bits", POST "Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n", 0, "413", 0},
};
/* clang-format on */

static char heard[REPLY_ROOM];

static void statuses_of(const char *text, char *out, size_t room)
{
    size_t length = 0;

    out[0] = '\0';
    for (const char *at = strstr(text, "HTTP/1.1 "); at != NULL && length + 5 < room;
         at = strstr(at + 9, "HTTP/1.1 "))
        length +=
            (size_t)snprintf(out + length, room - length, "%s%.3s", length > 0 ? " " : "", at + 9);
}

static void try_attack(const struct attack *a)
{
    char statuses[64];

    atomic_store(&door.ran, 0);
    (void)front_ask(a->bytes, a->length == 0 ? strlen(a->bytes) : a->length, heard, sizeof(heard));
    statuses_of(heard, statuses, sizeof(statuses));
    /* What libmicrohttpd 0.9.75 refuses by itself it may refuse twice before it closes. */
    if (strcmp(statuses, "400 400") == 0)
        statuses[3] = '\0';
    if (strcmp(statuses, a->statuses) != 0 || atomic_load(&door.ran) != a->ran)
        (void)printf("%s: got \"%s\" and ran %d\n", a->name, statuses, atomic_load(&door.ran));
    CHECK(strcmp(statuses, a->statuses) == 0);
    CHECK(atomic_load(&door.ran) == a->ran);
}

static void test_attacks(void)
{
    for (size_t i = 0; i < sizeof(attacks) / sizeof(attacks[0]); i++)
        try_attack(&attacks[i]);
}

/* libmicrohttpd itself refuses these, some of them twice, and closes. */
static void test_malformed_lengths(void)
{
    static const char *const lengths[] = {"-1", "+3", "3, 3", "0x3", "99999999999999999999"};
    char request[256];

    atomic_store(&door.ran, 0);
    for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        (void)snprintf(request, sizeof(request), POST "Content-Length: %s\r\n\r\nabc" HELLO,
                       lengths[i]);
        (void)front_ask(request, strlen(request), heard, sizeof(heard));
        CHECK(strncmp(heard, "HTTP/1.1 4", 10) == 0);
    }
    CHECK(atomic_load(&door.ran) == 0);
}

static void test_sizes(void)
{
    static char request[40000];
    int length;

    atomic_store(&door.ran, 0);
    length = snprintf(request, sizeof(request), "GET /%08192d HTTP/1.1\r\n" HOST "\r\n", 0);
    (void)front_ask(request, (size_t)length, heard, sizeof(heard));
    CHECK(strncmp(heard, "HTTP/1.1 400", 12) == 0);
    length =
        snprintf(request, sizeof(request), "GET /hello HTTP/1.1\r\n" HOST "X: %030000d\r\n\r\n", 0);
    (void)front_ask(request, (size_t)length, heard, sizeof(heard));
    CHECK(strncmp(heard, "HTTP/1.1 431", 12) == 0);
    length = snprintf(request, sizeof(request), "GET /hello HTTP/1.1\r\n" HOST);
    for (int i = 0; i < 64; i++)
        length += snprintf(request + length, sizeof(request) - (size_t)length, "X-%d: a\r\n", i);
    length += snprintf(request + length, sizeof(request) - (size_t)length, "\r\n");
    (void)front_ask(request, (size_t)length, heard, sizeof(heard));
    CHECK(strncmp(heard, "HTTP/1.1 400", 12) == 0);
    CHECK(atomic_load(&door.ran) == 0);
}

/* Every reply says who it is and that nobody may keep, sniff or frame it. */
static void test_standard_headers(void)
{
    (void)front_ask(HELLO, strlen(HELLO), heard, sizeof(heard));
    CHECK(strstr(heard, "\r\nX-Request-Id: ") != NULL);
    CHECK(strstr(heard, "\r\nCache-Control: no-store\r\n") != NULL);
    CHECK(strstr(heard, "\r\nX-Content-Type-Options: nosniff\r\n") != NULL);
    CHECK(strstr(heard, "\r\nStrict-Transport-Security: max-age=") != NULL);
    CHECK(strstr(heard, "\r\nContent-Security-Policy: default-src 'none'") != NULL);
    CHECK(strstr(heard, "\r\nServer:") == NULL);
}

int main(void)
{
    struct listener_config config;

    if (!front_prepare())
        return EXIT_FAILURE;
    config = front_config();
    if (!front_start(&config))
        return EXIT_FAILURE;
    RUN(test_attacks);
    RUN(test_malformed_lengths);
    RUN(test_sizes);
    RUN(test_standard_headers);
    listener_stop(door.listener, 1000);
    front_clean();
    return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
