/* SPDX-License-Identifier: Apache-2.0 */
#include "core/text.h"

#include "core/crypto.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

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

/* Ids are no secrets, and every request makes a few: one system call serves many. */
static uint64_t random_word(void)
{
    static _Thread_local uint64_t words[32];
    static _Thread_local unsigned left;

    if (left == 0) {
        random_bytes(words, sizeof(words));
        left = sizeof(words) / sizeof(words[0]);
    }
    return words[--left];
}

void id_new(char out[ID_SIZE])
{
    uint64_t tick = next_tick();
    uint64_t high = (tick >> 12) << 16 | UINT64_C(0x7000) | (tick & 0xFFF);
    uint64_t low = random_word() >> 2 | UINT64_C(1) << 63;
    unsigned char bytes[16];
    char hex[2 * sizeof(bytes) + 1];
    const char *from = hex;

    for (unsigned i = 0; i < 8; i++) {
        bytes[i] = (unsigned char)(high >> (56 - 8 * i));
        bytes[8 + i] = (unsigned char)(low >> (56 - 8 * i));
    }
    hex_encode(bytes, sizeof(bytes), hex);
    for (unsigned i = 0; i < ID_SIZE - 1; i++)
        out[i] = (char)(i == 8 || i == 13 || i == 18 || i == 23 ? '-' : *from++);
    out[ID_SIZE - 1] = '\0';
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

static void put_digits(char *out, int count, int value)
{
    for (int i = count - 1; i >= 0; i--, value /= 10)
        out[i] = (char)('0' + value % 10);
}

/* Times outside four-digit years are written as the nearest that fits. */
void time_format(int64_t ms, char out[TIME_SIZE])
{
    int64_t bounded = ms < first_ms ? first_ms : ms > last_ms ? last_ms : ms;
    int64_t part = ((bounded % SECOND) + SECOND) % SECOND;
    time_t seconds = (time_t)((bounded - part) / SECOND);
    struct tm tm = {0};

    (void)gmtime_r(&seconds, &tm);
    memcpy(out, "YYYY-MM-DDThh:mm:ss.000Z", TIME_SIZE);
    put_digits(out, 4, tm.tm_year + 1900);
    put_digits(out + 5, 2, tm.tm_mon + 1);
    put_digits(out + 8, 2, tm.tm_mday);
    put_digits(out + 11, 2, tm.tm_hour);
    put_digits(out + 14, 2, tm.tm_min);
    put_digits(out + 17, 2, tm.tm_sec);
    put_digits(out + 20, 3, (int)part);
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
