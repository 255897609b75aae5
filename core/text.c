/* SPDX-License-Identifier: Apache-2.0 */
#include "core/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

/* Bytes of the sequence at s (Unicode 15, table 3-7), 0 when it is ill-formed. */
static size_t utf8_sequence(const unsigned char *s, size_t left)
{
    unsigned char low = 0x80, high = 0xBF;
    size_t size = s[0] < 0x80 ? 1 : s[0] < 0xE0 ? 2 : s[0] < 0xF0 ? 3 : 4;

    if (size == 1)
        return 1;
    if (s[0] < 0xC2 || s[0] > 0xF4 || left < size)
        return 0;
    if (s[0] == 0xE0)
        low = 0xA0;
    else if (s[0] == 0xED)
        high = 0x9F;
    else if (s[0] == 0xF0)
        low = 0x90;
    else if (s[0] == 0xF4)
        high = 0x8F;
    if (s[1] < low || s[1] > high)
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
