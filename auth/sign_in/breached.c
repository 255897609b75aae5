/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/sign_in/breached.h"

#include "core/log.h"
#include "core/text.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    DIGITS_LEAST = 16, /* fewer would refuse good passwords */
    SHA1_DIGITS = 40,
    SHA256_DIGITS = 64,
    LINE = 96,   /* more than the longest line, its end included */
    PROBES = 256 /* places at which the order is checked at the start */
};

static struct {
    int fd;
    int64_t size;
    size_t digits;
} list = {.fd = -1};

/* Fill window from offset; false unless all that is there was read. */
static bool read_at(int64_t offset, char *window, size_t room, size_t *got)
{
    *got = 0;
    while (*got < room && offset + (int64_t)*got < list.size) {
        ssize_t n = pread(list.fd, window + *got, room - *got, offset + (int64_t)*got);

        if (n == 0 || (n < 0 && errno != EINTR))
            return false;
        *got += n > 0 ? (size_t)n : 0;
    }
    return true;
}

static size_t digits_of(const char *line, size_t length)
{
    size_t n = 0;

    while (n < length && strchr("0123456789ABCDEFabcdef", line[n]) != NULL && line[n] != '\0')
        n++;
    return n;
}

/* Does a whole entry of the list begin here? */
static bool entry_at(const char *line, size_t length)
{
    return length >= list.digits && digits_of(line, length) == list.digits &&
           (length == list.digits || strchr(":\r\n", line[list.digits]) != NULL);
}

/* The first entry that begins after offset; ERR_NOT_FOUND at the end. */
static enum err entry_after(int64_t offset, int64_t *start, char hex[SHA256_DIGITS])
{
    char window[2 * LINE];
    const char *end;
    size_t got;
    size_t at;

    if (!read_at(offset, window, sizeof(window), &got))
        return ERR_UNAVAILABLE;
    end = memchr(window, '\n', got < LINE ? got : LINE);
    if (end == NULL)
        return got < LINE ? ERR_NOT_FOUND : ERR_UNAVAILABLE;
    at = (size_t)(end - window) + 1;
    if (at == got)
        return ERR_NOT_FOUND;
    if (!entry_at(window + at, got - at))
        return ERR_UNAVAILABLE;
    memcpy(hex, window + at, list.digits);
    *start = offset + (int64_t)at;
    return OK;
}

/* The few entries from start on, up to end. */
static enum err scan(int64_t start, int64_t end, const char *wanted, bool *found)
{
    char window[4 * LINE];
    size_t got;

    if (!read_at(start, window, sizeof(window), &got))
        return ERR_UNAVAILABLE;
    for (size_t at = 0; at < got && start + (int64_t)at < end;) {
        const char *newline = memchr(window + at, '\n', got - at);

        if (!entry_at(window + at, got - at))
            return ERR_UNAVAILABLE;
        *found = *found || strncasecmp(window + at, wanted, list.digits) == 0;
        at = newline == NULL ? got : (size_t)(newline - window) + 1;
    }
    return OK;
}

static enum err search(const char *wanted, bool *found)
{
    int64_t first = 0; /* begins an entry, which is not after the wanted one */
    int64_t end = list.size;

    while (end - first > 3L * LINE) {
        char hex[SHA256_DIGITS];
        int64_t start;
        enum err e = entry_after(first + (end - first) / 2, &start, hex);

        if (e != OK)
            return ERR_UNAVAILABLE;
        if (strncasecmp(hex, wanted, list.digits) > 0)
            end = start;
        else
            first = start;
    }
    return scan(first, end, wanted, found);
}

enum err breached_look(const char *password, bool *found)
{
    const EVP_MD *kind = list.digits == SHA256_DIGITS ? EVP_sha256() : EVP_sha1();
    unsigned char digest[EVP_MAX_MD_SIZE];
    char hex[2 * EVP_MAX_MD_SIZE + 1];
    unsigned length = 0;
    enum err e;

    *found = false;
    if (list.fd < 0)
        return OK;
    if (EVP_Digest(password, strlen(password), digest, &length, kind, NULL) != 1)
        return ERR_UNAVAILABLE;
    hex_encode(digest, length, hex);
    e = search(hex, found);
    if (e != OK)
        log_world("the list of breached passwords cannot be read any more");
    OPENSSL_cleanse(digest, sizeof(digest));
    OPENSSL_cleanse(hex, sizeof(hex));
    return e;
}

static const char *measure_first(char first[SHA256_DIGITS])
{
    char window[LINE];
    size_t got;

    if (!read_at(0, window, sizeof(window), &got))
        return "cannot be read";
    list.digits = digits_of(window, got);
    if (list.digits < DIGITS_LEAST || (list.digits > SHA1_DIGITS && list.digits != SHA256_DIGITS) ||
        !entry_at(window, got))
        return "does not begin with a line of 16 to 40 or 64 hexadecimal digits";
    memcpy(first, window, list.digits);
    return NULL;
}

/* A list that is sorted by count, as there is one too, would find nothing. */
static const char *check_order(char before[SHA256_DIGITS])
{
    char hex[SHA256_DIGITS];
    int64_t start;

    for (int64_t i = 0; i < PROBES; i++) {
        enum err e = entry_after(list.size / PROBES * i, &start, hex);

        if (e == ERR_NOT_FOUND)
            break;
        if (e != OK)
            return "has a line that is not HEX:COUNT";
        if (strncasecmp(before, hex, list.digits) > 0)
            return "is not sorted by its hashes";
        memcpy(before, hex, list.digits);
    }
    return NULL;
}

static const char *open_list(const char *path)
{
    char first[SHA256_DIGITS];
    const char *wrong;
    struct stat st;

    list.fd = open(path, O_RDONLY | O_CLOEXEC);
    if (list.fd < 0 || fstat(list.fd, &st) != 0)
        return strerrordesc_np(errno);
    if (!S_ISREG(st.st_mode) || st.st_size == 0)
        return "is no file, or empty";
    list.size = st.st_size;
    wrong = measure_first(first);
    return wrong != NULL ? wrong : check_order(first);
}

enum err breached_start(const struct service *service)
{
    const char *path = service->config->breached_passwords;
    const char *wrong = *path == '\0' ? NULL : open_list(path);

    if (wrong == NULL)
        return OK;
    log_world("breached_passwords: %s: %s", path, wrong);
    breached_stop();
    return ERR_INVALID;
}

void breached_stop(void)
{
    if (list.fd >= 0)
        (void)close(list.fd);
    list.fd = -1;
}
