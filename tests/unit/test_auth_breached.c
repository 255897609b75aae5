/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/sign_in/breached.h"

#include "core/text.h"
#include "tests/unit/test.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { COUNT = 5000, ROW = 100 };

static char path[] = "/tmp/breached-XXXXXX";
static char rows[COUNT][ROW];

static int by_text(const void *a, const void *b)
{
    return strcmp(a, b);
}

/* "password-0" to "password-4999", by the first digits of their digests, as the download has them.
 */
static void make_rows(const EVP_MD *kind, int digits)
{
    for (int i = 0; i < COUNT; i++) {
        unsigned char digest[EVP_MAX_MD_SIZE];
        char hex[2 * EVP_MAX_MD_SIZE + 1];
        char password[32];
        unsigned length;

        (void)snprintf(password, sizeof(password), "password-%d", i);
        (void)EVP_Digest(password, strlen(password), digest, &length, kind, NULL);
        hex_encode(digest, length, hex);
        for (char *c = hex; *c != '\0'; c++)
            *c = (char)(*c >= 'a' ? *c - 'a' + 'A' : *c);
        (void)snprintf(rows[i], ROW, "%.*s", digits, hex);
        (void)snprintf(rows[i] + digits, (size_t)(ROW - digits), ":%d", i * i * 37 + 1);
    }
    qsort(rows, COUNT, ROW, by_text);
}

static bool write_rows(int from, int to, const char *line_end)
{
    FILE *file = fopen(path, "we");

    for (int i = from; file != NULL && i < to; i++)
        (void)fprintf(file, "%s%s", rows[i], line_end);
    return file != NULL && fclose(file) == 0;
}

static enum err start(const char *file)
{
    const struct config config = {.breached_passwords = file};
    const struct service service = {.config = &config};

    breached_stop();
    return breached_start(&service);
}

static bool is_breached(const char *word, int number)
{
    char password[32];
    bool found = false;

    (void)snprintf(password, sizeof(password), "%s-%d", word, number);
    return breached_look(password, &found) == OK && found;
}

/* Each of them, and none beside. */
static bool finds_exactly(int known)
{
    for (int i = 0; i < known; i++)
        if (!is_breached("password", i) || is_breached("passw0rd", i))
            return false;
    return true;
}

static void every_line_is_found_and_nothing_else(void)
{
    make_rows(EVP_sha1(), 40);
    CHECK(write_rows(0, COUNT, "\r\n") && start(path) == OK);
    CHECK(finds_exactly(COUNT));
    CHECK(write_rows(0, COUNT, "\n") && start(path) == OK);
    CHECK(finds_exactly(COUNT));
}

static void prefixes_and_sha256_too(void)
{
    make_rows(EVP_sha1(), 20);
    CHECK(write_rows(0, COUNT, "\n") && start(path) == OK);
    CHECK(finds_exactly(COUNT));
    make_rows(EVP_sha256(), 64);
    CHECK(write_rows(0, COUNT, "\n") && start(path) == OK);
    CHECK(finds_exactly(COUNT));
}

static void a_list_of_few_lines(void)
{
    bool found;

    make_rows(EVP_sha1(), 40);
    for (int n = 1; n < 12; n++) {
        int known = 0;

        CHECK(write_rows(0, n, "\n") && start(path) == OK);
        for (int i = 0; i < COUNT; i++)
            known += is_breached("password", i);
        CHECK(known == n);
    }
    breached_stop();
    CHECK(breached_look("password-1", &found) == OK && !found);
}

static bool write_text(const char *text)
{
    FILE *file = fopen(path, "we");

    return file != NULL && fputs(text, file) >= 0 && fclose(file) == 0;
}

static void what_is_no_such_list_refuses_the_start(void)
{
    CHECK(start("/nonexistent/list") == ERR_INVALID);
    CHECK(start("/tmp") == ERR_INVALID);
    CHECK(write_text("") && start(path) == ERR_INVALID);
    CHECK(write_text("12345:9\n") && start(path) == ERR_INVALID);
    CHECK(write_text("password\n123456\n") && start(path) == ERR_INVALID);
    make_rows(EVP_sha1(), 40);
    memcpy(rows[0], rows[COUNT - 1], ROW); /* all but the first are in order */
    CHECK(write_rows(0, 3, "\n") && start(path) == ERR_INVALID);
    qsort(rows, COUNT, ROW, by_text);
    for (int i = 0; i < COUNT / 2; i++) {
        char row[ROW];

        memcpy(row, rows[i], ROW);
        memcpy(rows[i], rows[COUNT - 1 - i], ROW);
        memcpy(rows[COUNT - 1 - i], row, ROW);
    }
    CHECK(write_rows(0, COUNT, "\n") && start(path) == ERR_INVALID);
}

static void a_list_that_was_cut_short_lets_nobody_pass(void)
{
    int unreadable = 0;
    bool found;

    make_rows(EVP_sha1(), 40);
    CHECK(write_rows(0, COUNT, "\n") && start(path) == OK);
    CHECK(truncate(path, 100) == 0);
    for (int i = 0; i < 20; i++)
        unreadable += breached_look(rows[i * 200], &found) == ERR_UNAVAILABLE;
    CHECK(unreadable == 20);
}

int main(void)
{
    int fd = mkstemp(path);

    if (fd < 0)
        return EXIT_FAILURE;
    (void)close(fd);
    RUN(every_line_is_found_and_nothing_else);
    RUN(prefixes_and_sha256_too);
    RUN(a_list_of_few_lines);
    RUN(what_is_no_such_list_refuses_the_start);
    RUN(a_list_that_was_cut_short_lets_nobody_pass);
    breached_stop();
    (void)unlink(path);
    return failures != 0;
}
