/* SPDX-License-Identifier: Apache-2.0 */
#include "core/text.h"

#include "core/crypto.h"

#include <limits.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { FIRST_ROOM = 256, NAME_MAX_LENGTH = 63, PATH_MAX_LENGTH = 512 };

struct text text_new(size_t max)
{
    return (struct text){.max = max < SIZE_MAX / 4 ? max : SIZE_MAX / 4};
}

void text_free(struct text *t)
{
    free(t->data);
    *t = text_new(t->max);
}

/* Room for extra more bytes and the NUL, or failed. */
static bool reserve(struct text *t, size_t extra)
{
    size_t need, room;
    char *data;

    if (t->failed || extra > t->max - t->length) {
        t->failed = true;
        return false;
    }
    need = t->length + extra + 1;
    if (need <= t->room)
        return true;
    room = t->room * 2 > FIRST_ROOM ? t->room * 2 : FIRST_ROOM;
    if (room < need)
        room = need;
    if (room > t->max + 1)
        room = t->max + 1;
    data = realloc(t->data, room);
    if (data == NULL) {
        t->failed = true;
        return false;
    }
    t->data = data;
    t->room = room;
    return true;
}

void text_add(struct text *t, const char *data, size_t length)
{
    if (!reserve(t, length))
        return;
    if (length > 0)
        memcpy(t->data + t->length, data, length);
    t->length += length;
    t->data[t->length] = '\0';
}

void text_puts(struct text *t, const char *s)
{
    text_add(t, s, strlen(s));
}

void text_printf(struct text *t, const char *format, ...)
{
    va_list args, again;
    int length;

    va_start(args, format);
    va_copy(again, args);
    length = vsnprintf(NULL, 0, format, args);
    if (length < 0) {
        t->failed = true;
    } else if (reserve(t, (size_t)length)) {
        (void)vsnprintf(t->data + t->length, (size_t)length + 1, format, again);
        t->length += (size_t)length;
    }
    va_end(again);
    va_end(args);
}

static bool name_first(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

bool name_valid(const char *text)
{
    size_t length = strnlen(text, NAME_MAX_LENGTH + 1);

    if (length == 0 || length > NAME_MAX_LENGTH || !name_first(text[0]))
        return false;
    for (size_t i = 1; i < length; i++) {
        if (!name_first(text[i]) && text[i] != '.' && text[i] != '_' && text[i] != '-')
            return false;
    }
    return true;
}

static bool part_valid(const char *part, size_t length)
{
    if (length == 0 || (length == 1 && part[0] == '.') ||
        (length == 2 && part[0] == '.' && part[1] == '.'))
        return false;
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)part[i];
        bool c1 = c == 0xC2 && i + 1 < length && (unsigned char)part[i + 1] < 0xA0;

        if (c < 0x20 || c == 0x7F || c == '\\' || c1)
            return false;
    }
    return true;
}

bool path_valid(const char *text)
{
    size_t length = strnlen(text, PATH_MAX_LENGTH + 1);
    const char *part = text;

    if (length > PATH_MAX_LENGTH || !utf8_valid(text, length))
        return false;
    for (;;) {
        const char *slash = strchr(part, '/');

        if (!part_valid(part, slash == NULL ? strlen(part) : (size_t)(slash - part)))
            return false;
        if (slash == NULL)
            return true;
        part = slash + 1;
    }
}

/* What may follow a lead byte (Unicode 15, table 3-7): no overlong form, no surrogate, nothing
 * beyond U+10FFFF. */
static bool utf8_second(unsigned char lead, unsigned char second)
{
    unsigned char low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
    unsigned char high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;

    return second >= low && second <= high;
}

/* Bytes of the sequence at s, 0 when it is ill-formed. */
static size_t utf8_sequence(const unsigned char *s, size_t left)
{
    size_t size = s[0] < 0x80 ? 1 : s[0] < 0xE0 ? 2 : s[0] < 0xF0 ? 3 : 4;

    if (size == 1)
        return 1;
    if (s[0] < 0xC2 || s[0] > 0xF4 || left < size || !utf8_second(s[0], s[1]))
        return 0;
    for (size_t i = 2; i < size; i++) {
        if ((s[i] & 0xC0) != 0x80)
            return 0;
    }
    return size;
}

bool utf8_valid(const char *text, size_t length)
{
    const unsigned char *s = (const unsigned char *)text;
    size_t at = 0;

    while (at < length) {
        uint64_t eight = UINT64_C(1) << 63;
        size_t size;

        if (length - at >= sizeof(eight))
            memcpy(&eight, s + at, sizeof(eight));
        if ((eight & UINT64_C(0x8080808080808080)) == 0) {
            at += sizeof(eight);
            continue;
        }
        size = utf8_sequence(s + at, length - at);
        if (size == 0)
            return false;
        at += size;
    }
    return true;
}

bool uint_parse(const char *text, uint64_t max, uint64_t *out)
{
    uint64_t value = 0;

    if (*text == '\0')
        return false;
    for (; *text != '\0'; text++) {
        uint64_t digit;

        if (*text < '0' || *text > '9')
            return false;
        digit = (uint64_t)(*text - '0');
        if (value > max / 10 || value * 10 > max - digit || digit > max)
            return false;
        value = value * 10 + digit;
    }
    *out = value;
    return true;
}

void hex_encode(const void *data, size_t length, char *out)
{
    static const char digits[] = "0123456789abcdef";
    const unsigned char *bytes = data;

    for (size_t i = 0; i < length; i++) {
        out[2 * i] = digits[bytes[i] >> 4];
        out[2 * i + 1] = digits[bytes[i] & 15];
    }
    out[2 * length] = '\0';
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

bool hex_decode(const char *text, void *out, size_t length)
{
    unsigned char *bytes = out;

    for (size_t i = 0; i < length; i++) {
        int high = hex_digit(text[2 * i]);
        int low = high < 0 ? -1 : hex_digit(text[2 * i + 1]);

        if (low < 0)
            return false;
        bytes[i] = (unsigned char)(high << 4 | low);
    }
    return text[2 * length] == '\0';
}

static const char standard[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char url_safe[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/* pad is '=' or 0 for none. */
static char *encode(struct arena *a, const unsigned char *in, size_t length, const char *alphabet,
                    char pad)
{
    char *out = arena_alloc(a, (length + 2) / 3 * 4 + 1);
    char *to = out;
    size_t i = 0;

    for (; i + 3 <= length; i += 3) {
        uint32_t word = (uint32_t)in[i] << 16 | (uint32_t)in[i + 1] << 8 | in[i + 2];

        *to++ = alphabet[word >> 18 & 63];
        *to++ = alphabet[word >> 12 & 63];
        *to++ = alphabet[word >> 6 & 63];
        *to++ = alphabet[word & 63];
    }
    if (i < length) {
        uint32_t word = (uint32_t)in[i] << 16 | (i + 1 < length ? (uint32_t)in[i + 1] << 8 : 0);

        *to++ = alphabet[word >> 18 & 63];
        *to++ = alphabet[word >> 12 & 63];
        if (i + 1 < length)
            *to++ = alphabet[word >> 6 & 63];
        else if (pad != 0)
            *to++ = pad;
        if (pad != 0)
            *to++ = pad;
    }
    *to = '\0';
    return out;
}

/* plus and slash are the alphabet's last two letters. -1 for a stranger. */
static int sextet(char c, char plus, char slash)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    if (c == plus)
        return 62;
    return c == slash ? 63 : -1;
}

/* text holds no padding any more. */
static long decode(const char *text, size_t length, unsigned char *out, size_t max,
                   const char *last_two)
{
    size_t size = length / 4 * 3 + (length % 4 == 0 ? 0 : length % 4 - 1);
    uint32_t bits = 0;
    unsigned count = 0;

    if (length % 4 == 1 || size > max || size > LONG_MAX)
        return -1;
    for (size_t i = 0; i < length; i++) {
        int value = sextet(text[i], last_two[0], last_two[1]);

        if (value < 0)
            return -1;
        bits = bits << 6 | (uint32_t)value;
        count += 6;
        if (count >= 8) {
            count -= 8;
            *out++ = (unsigned char)(bits >> count);
        }
    }
    /* RFC 4648 §3.5: pad bits must be zero, or two texts would mean the same bytes. */
    if ((bits & ((UINT32_C(1) << count) - 1)) != 0)
        return -1;
    return (long)size;
}

char *base64_encode(struct arena *a, const void *data, size_t length)
{
    return encode(a, data, length, standard, '=');
}

long base64_decode(const char *text, size_t text_length, void *out, size_t max)
{
    if (text_length % 4 != 0)
        return -1;
    for (int i = 0; i < 2 && text_length > 0 && text[text_length - 1] == '='; i++)
        text_length--;
    return decode(text, text_length, out, max, "+/");
}

char *base64url_encode(struct arena *a, const void *data, size_t length)
{
    return encode(a, data, length, url_safe, 0);
}

long base64url_decode(const char *text, size_t text_length, void *out, size_t max)
{
    return decode(text, text_length, out, max, "-_");
}

enum { SECOND = 1000, NANOS_PER_MS = 1000000 };

/* 0000-01-01T00:00:00.000Z and 9999-12-31T23:59:59.999Z: what four digits of year can say. */
static const int64_t first_ms = INT64_C(-62167219200000);
static const int64_t last_ms = INT64_C(253402300799999);

static struct timespec clock_read(clockid_t clock)
{
    struct timespec t = {0};

    (void)clock_gettime(clock, &t);
    return t;
}

int64_t time_now_ms(void)
{
    struct timespec t = clock_read(CLOCK_REALTIME);

    return (int64_t)t.tv_sec * SECOND + t.tv_nsec / NANOS_PER_MS;
}

int64_t time_steady_ms(void)
{
    struct timespec t = clock_read(CLOCK_MONOTONIC);

    return (int64_t)t.tv_sec * SECOND + t.tv_nsec / NANOS_PER_MS;
}

/* RFC 9562 §6.2 method 3: the 12 bits after the milliseconds count 1/4096 ms, and a tick that is
 * taken already becomes the next one, whichever thread asks. */
static uint64_t next_tick(void)
{
    static atomic_uint_fast64_t last;
    struct timespec t = clock_read(CLOCK_REALTIME);
    uint64_t ms = (uint64_t)t.tv_sec * SECOND + (uint64_t)t.tv_nsec / NANOS_PER_MS;
    uint64_t now = ms << 12 | ((uint64_t)t.tv_nsec % NANOS_PER_MS * 4096 / NANOS_PER_MS);
    uint_fast64_t before = atomic_load(&last);
    uint64_t tick;

    do {
        tick = now > before ? now : before + 1;
    } while (!atomic_compare_exchange_weak(&last, &before, tick));
    return tick;
}

void id_new(char out[ID_SIZE])
{
    uint64_t tick = next_tick();
    uint64_t high = (tick >> 12) << 16 | UINT64_C(0x7000) | (tick & 0xFFF);
    uint64_t low;

    random_bytes(&low, sizeof(low));
    low = (low >> 2) | UINT64_C(1) << 63;
    (void)snprintf(out, ID_SIZE, "%08x-%04x-%04x-%04x-%012llx", (unsigned)(high >> 32),
                   (unsigned)(high >> 16 & 0xFFFF), (unsigned)(high & 0xFFFF),
                   (unsigned)(low >> 48), (unsigned long long)(low & UINT64_C(0xFFFFFFFFFFFF)));
}

bool id_valid(const char *text)
{
    for (size_t i = 0; i < ID_SIZE - 1; i++) {
        char c = text[i];
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        bool digit = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');

        if (dash ? c != '-' : !digit)
            return false;
    }
    return text[ID_SIZE - 1] == '\0';
}

/* Times outside four-digit years are written as the nearest that fits. */
void time_format(int64_t ms, char out[TIME_SIZE])
{
    int64_t bounded = ms < first_ms ? first_ms : ms > last_ms ? last_ms : ms;
    int64_t part = ((bounded % SECOND) + SECOND) % SECOND;
    time_t seconds = (time_t)((bounded - part) / SECOND);
    struct tm tm = {0};
    char text[sizeof("-2147483648-00-00T00:00:00.")];

    (void)gmtime_r(&seconds, &tm);
    (void)snprintf(text, sizeof(text), "%04d", tm.tm_year + 1900);
    (void)strftime(text + 4, sizeof(text) - 4, "-%m-%dT%H:%M:%S", &tm);
    (void)snprintf(out, TIME_SIZE, "%.19s.%03uZ", text, (unsigned)part % SECOND);
}

/* count digits as a number, moving past them; -1 when there are fewer. */
static int digits(const char **at, int count)
{
    int value = 0;

    for (int i = 0; i < count; i++, (*at)++) {
        if (**at < '0' || **at > '9')
            return -1;
        value = value * 10 + (**at - '0');
    }
    return value;
}

static bool skip(const char **at, char wanted)
{
    if (**at != wanted)
        return false;
    (*at)++;
    return true;
}

static bool date_parse(const char **at, struct tm *tm)
{
    static const int lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int year = digits(at, 4), month, day;
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

    if (year < 0 || !skip(at, '-'))
        return false;
    month = digits(at, 2);
    if (month < 1 || month > 12 || !skip(at, '-'))
        return false;
    day = digits(at, 2);
    if (day < 1 || day > lengths[month - 1] + (month == 2 && leap ? 1 : 0))
        return false;
    tm->tm_year = year - 1900;
    tm->tm_mon = month - 1;
    tm->tm_mday = day;
    return true;
}

static bool clock_parse(const char **at, struct tm *tm)
{
    tm->tm_hour = digits(at, 2);
    if (tm->tm_hour < 0 || tm->tm_hour > 23 || !skip(at, ':'))
        return false;
    tm->tm_min = digits(at, 2);
    if (tm->tm_min < 0 || tm->tm_min > 59 || !skip(at, ':'))
        return false;
    tm->tm_sec = digits(at, 2);
    return tm->tm_sec >= 0 && tm->tm_sec <= 59;
}

/* ".123456" to 123; finer than a millisecond is cut off. */
static bool fraction_parse(const char **at, int64_t *ms)
{
    int weight = 100;

    *ms = 0;
    if (!skip(at, '.'))
        return true;
    if (**at < '0' || **at > '9')
        return false;
    for (; **at >= '0' && **at <= '9'; (*at)++, weight /= 10)
        *ms += (int64_t)weight * (**at - '0');
    return true;
}

/* "Z" or "+01:00", in milliseconds east of Greenwich. */
static bool zone_parse(const char **at, int64_t *ms)
{
    bool west = **at == '-';
    int hours, minutes;

    *ms = 0;
    if (skip(at, 'Z') || skip(at, 'z'))
        return true;
    if (!skip(at, '+') && !skip(at, '-'))
        return false;
    hours = digits(at, 2);
    if (hours < 0 || hours > 23 || !skip(at, ':'))
        return false;
    minutes = digits(at, 2);
    if (minutes < 0 || minutes > 59)
        return false;
    *ms = (int64_t)(hours * 60 + minutes) * 60 * SECOND * (west ? -1 : 1);
    return true;
}

bool time_parse(const char *text, int64_t *ms)
{
    struct tm tm = {0};
    int64_t fraction, zone;

    if (!date_parse(&text, &tm) || (!skip(&text, 'T') && !skip(&text, 't')) ||
        !clock_parse(&text, &tm) || !fraction_parse(&text, &fraction) ||
        !zone_parse(&text, &zone) || *text != '\0')
        return false;
    *ms = (int64_t)timegm(&tm) * SECOND + fraction - zone;
    return true;
}
