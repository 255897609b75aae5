/* SPDX-License-Identifier: Apache-2.0 */
#include "core/text.h"

#include "core/log.h"
#include "tests/unit/test.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void text_grows_up_to_its_maximum(void)
{
    struct text t = text_new(1000);

    CHECK(t.data == NULL);
    for (int i = 0; i < 100; i++)
        text_printf(&t, "%s%05d", "abcd", i);
    text_add(&t, NULL, 0);
    CHECK(!t.failed && t.length == 900 && strlen(t.data) == 900);
    CHECK(memcmp(t.data + 891, "abcd00099", 9) == 0);
    text_add(&t, t.data, 0);
    text_printf(&t, "%0100d", 0);
    CHECK(!t.failed && t.length == 1000);
    text_puts(&t, "x");
    CHECK(t.failed && t.length == 1000 && t.data[1000] == '\0');
    text_puts(&t, "");
    text_printf(&t, "%d", 1);
    CHECK(t.failed && t.length == 1000);
    text_free(&t);
    CHECK(t.data == NULL && !t.failed && t.max == 1000);
    text_puts(&t, "again");
    CHECK(strcmp(t.data, "again") == 0);
    text_free(&t);
}

static void hex_round_trips(void)
{
    unsigned char bytes[256], back[256];
    char text[513];

    for (int i = 0; i < 256; i++)
        bytes[i] = (unsigned char)i;
    hex_encode(bytes, 256, text);
    CHECK(strncmp(text, "000102", 6) == 0 && strcmp(text + 506, "fdfeff") == 0);
    CHECK(hex_decode(text, back, 256) && memcmp(bytes, back, 256) == 0);
    CHECK(hex_decode("AbCd", back, 2) && back[0] == 0xAB && back[1] == 0xCD);
    CHECK(!hex_decode("abc", back, 2) && !hex_decode("abcde", back, 2));
    CHECK(!hex_decode("ag", back, 1) && !hex_decode("", back, 1) && hex_decode("", back, 0));
}

/* RFC 4648 §10. */
static void base64_has_the_published_vectors(void)
{
    static const char *const pairs[][2] = {{"", ""},
                                           {"f", "Zg=="},
                                           {"fo", "Zm8="},
                                           {"foo", "Zm9v"},
                                           {"foob", "Zm9vYg=="},
                                           {"fooba", "Zm9vYmE="},
                                           {"foobar", "Zm9vYmFy"}};
    struct arena *a = arena_new();
    char back[16];
    int bad = 0;

    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        size_t length = strlen(pairs[i][0]);
        long got = base64_decode(pairs[i][1], strlen(pairs[i][1]), back, sizeof(back));

        bad += strcmp(base64_encode(a, pairs[i][0], length), pairs[i][1]) != 0;
        bad += got != (long)length || memcmp(back, pairs[i][0], length) != 0;
    }
    bad += strcmp(base64_encode(a, "\xfb\xff\xfe", 3), "+//+") != 0;
    bad += strcmp(base64url_encode(a, "\xfb\xff\xfe\xff", 4), "-__-_w") != 0;
    arena_free(a);
    CHECK(bad == 0);
    CHECK(base64url_decode("-__-_w", 6, back, 4) == 4 && memcmp(back, "\xfb\xff\xfe\xff", 4) == 0);
}

static void base64_refuses_what_is_not_its_own(void)
{
    static const char *const padded[] = {"Zg=",      "Zg",   "Zh==",  "Zm9=", "====", "Z===",
                                         "Zg==Zg==", "Z g=", "Zg=\n", "-__-", "=Zg=", "Zm9vYg"};
    static const char *const bare[] = {"Z", "Zg==", "Zh", "Zm9", "+//+", "Zm9vY", "Zg "};
    char back[16];

    for (size_t i = 0; i < sizeof(padded) / sizeof(padded[0]); i++)
        CHECK(base64_decode(padded[i], strlen(padded[i]), back, sizeof(back)) == -1);
    for (size_t i = 0; i < sizeof(bare) / sizeof(bare[0]); i++)
        CHECK(base64url_decode(bare[i], strlen(bare[i]), back, sizeof(back)) == -1);
    CHECK(base64_decode("Zm9v", 4, back, 2) == -1);
}

static void names_and_paths(void)
{
    static const char *const good[] = {"a", "0", "fraud-model_v1.2", "x--", "a.."};
    static const char *const bad[] = {"", "A", "-a", ".a", "_a", "a/b", "a b", "é", "a\n"};
    static const char *const paths[] = {"a", "a/b.txt", ".hidden", "...", "a/..b", "é/ü"};
    static const char *const not_paths[] = {
        "",      "/a",   "a/",    "a//b", ".",    "..",    "a/..",     "../a",        "a\\b",
        "a\x01", "\x7f", "a/./b", "\xff", "a/b/", "a\x0a", "\xc2\x85", "\xed\xa0\x80"};
    char longest[600];

    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        CHECK(name_valid(good[i]));
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        CHECK(!name_valid(bad[i]));
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
        CHECK(path_valid(paths[i]));
    for (size_t i = 0; i < sizeof(not_paths) / sizeof(not_paths[0]); i++)
        CHECK(!path_valid(not_paths[i]));
    memset(longest, 'a', sizeof(longest));
    longest[513] = '\0';
    CHECK(!path_valid(longest));
    longest[512] = '\0';
    CHECK(path_valid(longest));
    longest[64] = '\0';
    CHECK(!name_valid(longest));
    longest[63] = '\0';
    CHECK(name_valid(longest));
}

static void utf8_is_the_shortest_form_of_scalar_values(void)
{
    static const char *const good[] = {"",
                                       "plain ascii of some length",
                                       "\xc2\x80",
                                       "\xdf\xbf",
                                       "\xe0\xa0\x80",
                                       "\xed\x9f\xbf",
                                       "\xee\x80\x80",
                                       "\xf0\x90\x80\x80",
                                       "\xf4\x8f\xbf\xbf",
                                       "12345678\xc3\xa9"};
    static const char *const bad[] = {"\x80",
                                      "\xc0\x80",
                                      "\xc1\xbf",
                                      "\xc2",
                                      "\xe0\x80\x80",
                                      "\xed\xa0\x80",
                                      "\xf0\x80\x80\x80",
                                      "\xf4\x90\x80\x80",
                                      "\xf5\x80\x80\x80",
                                      "\xe2\x82",
                                      "abcdefgh\xff",
                                      "\xc3(",
                                      "\xf8\x88\x80\x80\x80",
                                      ("\xf0\x90\x80"
                                       "A")};

    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        CHECK(utf8_valid(good[i], strlen(good[i])));
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        CHECK(!utf8_valid(bad[i], strlen(bad[i])));
    CHECK(utf8_valid("a\0b", 3));
}

static void uints_are_bounded_digits(void)
{
    uint64_t n = 7;

    CHECK(uint_parse("0", 0, &n) && n == 0);
    CHECK(uint_parse("255", 255, &n) && n == 255);
    CHECK(uint_parse("18446744073709551615", UINT64_MAX, &n) && n == UINT64_MAX);
    CHECK(!uint_parse("18446744073709551616", UINT64_MAX, &n));
    CHECK(!uint_parse("99999999999999999999999", UINT64_MAX, &n));
    CHECK(!uint_parse("256", 255, &n) && !uint_parse("1", 0, &n) && !uint_parse("7", 5, &n));
    CHECK(!uint_parse("", 9, &n) && !uint_parse("+1", 9, &n) && !uint_parse("-1", 9, &n));
    CHECK(!uint_parse(" 1", 9, &n) && !uint_parse("1 ", 9, &n) && !uint_parse("0x1", 99, &n));
    CHECK(n == UINT64_MAX);
}

enum { IDS = 5000 };

static void *make_ids(void *out)
{
    char(*ids)[ID_SIZE] = out;

    for (int i = 0; i < IDS; i++)
        id_new(ids[i]);
    return NULL;
}

static int compare_ids(const void *a, const void *b)
{
    return strcmp(a, b);
}

static void ids_are_valid_and_increase(void)
{
    static char ids[2 * IDS][ID_SIZE];
    pthread_t other;
    int bad = 0;

    CHECK(pthread_create(&other, NULL, make_ids, ids[IDS]) == 0);
    make_ids(ids);
    CHECK(pthread_join(other, NULL) == 0);
    for (int i = 0; i < 2 * IDS; i++) {
        bad += !id_valid(ids[i]) || ids[i][14] != '7' || strchr("89ab", ids[i][19]) == NULL;
        bad += i % IDS > 0 && strcmp(ids[i - 1], ids[i]) >= 0;
    }
    CHECK(bad == 0);
    qsort(ids, (size_t)2 * IDS, ID_SIZE, compare_ids);
    for (int i = 1; i < 2 * IDS; i++)
        bad += strcmp(ids[i - 1], ids[i]) == 0;
    CHECK(bad == 0);
    CHECK(!id_valid("") && !id_valid("0190a6f0-0000-7000-8000-00000000000"));
    CHECK(!id_valid("0190a6f0-0000-7000-8000-0000000000000"));
    CHECK(!id_valid("0190a6f0x0000-7000-8000-000000000000"));
    CHECK(!id_valid("0190a6fg-0000-7000-8000-000000000000"));
}

static void times_round_trip(void)
{
    static const struct {
        int64_t ms;
        const char *text;
    } pairs[] = {{0, "1970-01-01T00:00:00.000Z"},
                 {-1, "1969-12-31T23:59:59.999Z"},
                 {INT64_C(1769846400123), "2026-01-31T08:00:00.123Z"},
                 {INT64_C(951782400000), "2000-02-29T00:00:00.000Z"},
                 {INT64_C(253402300799999), "9999-12-31T23:59:59.999Z"},
                 {INT64_C(-62167219200000), "0000-01-01T00:00:00.000Z"}};
    char text[TIME_SIZE];
    int64_t ms = 0;

    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        time_format(pairs[i].ms, text);
        CHECK(strcmp(text, pairs[i].text) == 0);
        CHECK(time_parse(text, &ms) && ms == pairs[i].ms);
    }
    time_format(INT64_MAX, text);
    CHECK(strcmp(text, "9999-12-31T23:59:59.999Z") == 0);
    time_format(INT64_MIN, text);
    CHECK(strcmp(text, "0000-01-01T00:00:00.000Z") == 0);
    CHECK(time_now_ms() > INT64_C(1700000000000) && time_steady_ms() >= 0);
}

/* RFC 3339 §5.8. */
static void times_are_read_with_offsets(void)
{
    static const char *const bad[] = {
        "",
        "2026-01-31",
        "2026-01-31T08:00:00",
        "2026-02-29T00:00:00Z",
        "2026-13-01T00:00:00Z",
        "2026-00-01T00:00:00Z",
        "2026-01-00T00:00:00Z",
        "2026-01-31T24:00:00Z",
        "2026-01-31T08:60:00Z",
        "2026-01-31T08:00:61Z",
        "2026-01-31 08:00:00Z",
        "2026-01-31T08:00:00.Z",
        "2026-01-31T08:00:00Zx",
        "2026-01-31T08:00:00+1:00",
        "2026-01-31T08:00:00+0100",
        "+026-01-31T08:00:00Z",
    };
    int64_t ms = 0, same = 0;

    CHECK(time_parse("1985-04-12T23:20:50.52Z", &ms) && ms == INT64_C(482196050520));
    CHECK(time_parse("1996-12-19T16:39:57-08:00", &ms) && ms == INT64_C(851042397000));
    CHECK(time_parse("1996-12-20t00:39:57.0009999z", &same) && same == ms);
    CHECK(time_parse("1937-01-01T12:00:27.87+00:20", &ms) && ms == INT64_C(-1041337172130));
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        CHECK(!time_parse(bad[i], &ms));
}

/* What log_client writes for message, read back from a pipe put in the place of stderr. */
static size_t logged(const char *message, char *out, size_t room)
{
    int kept = dup(STDERR_FILENO), ends[2];
    ssize_t got;

    if (kept < 0 || pipe(ends) != 0)
        return 0;
    (void)fflush(stderr);
    (void)dup2(ends[1], STDERR_FILENO);
    log_client("%s", message);
    (void)dup2(kept, STDERR_FILENO);
    got = read(ends[0], out, room - 1);
    (void)close(ends[0]);
    (void)close(ends[1]);
    (void)close(kept);
    out[got < 0 ? 0 : got] = '\0';
    return got < 0 ? 0 : (size_t)got;
}

static void log_lines_cannot_be_forged(void)
{
    static char longest[10000], line[40000];

    log_request("req-1");
    CHECK(logged("a\nb\x1b[2J\\ \xff \"q\"", line, sizeof(line)) > 0);
    CHECK(strcmp(line + TIME_SIZE - 1, " client [req-1] a\\u000ab\\u001b[2J\\\\ \\u00ff \"q\"\n") ==
          0);
    log_json(true);
    CHECK(logged("a\nb \"q\" \xc2\x9b \xc3\xa9", line, sizeof(line)) > 0);
    CHECK(strcmp(line + 6 + TIME_SIZE,
                 "\",\"blame\":\"client\",\"request\":\"req-1\","
                 "\"message\":\"a\\u000ab \\\"q\\\" \\u009b \xc3\xa9\"}\n") == 0);
    log_request(NULL);
    for (size_t i = 0; i + 2 < sizeof(longest); i += 2)
        memcpy(longest + i, "\xc3\xa9", 2);
    CHECK(logged(longest, line, sizeof(line)) > 4000);
    log_json(false);
    CHECK(strstr(line, "request") == NULL && strstr(line, "\\u00") == NULL);
    CHECK(line[strlen(line) - 1] == '\n');
}

int main(void)
{
    RUN(text_grows_up_to_its_maximum);
    RUN(hex_round_trips);
    RUN(base64_has_the_published_vectors);
    RUN(base64_refuses_what_is_not_its_own);
    RUN(names_and_paths);
    RUN(utf8_is_the_shortest_form_of_scalar_values);
    RUN(uints_are_bounded_digits);
    RUN(ids_are_valid_and_increase);
    RUN(times_round_trip);
    RUN(times_are_read_with_offsets);
    RUN(log_lines_cannot_be_forged);
    return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
