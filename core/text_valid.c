/* SPDX-License-Identifier: Apache-2.0 */
#include "core/text.h"

#include <string.h>

enum { NAME_MAX_LENGTH = 63, PATH_MAX_LENGTH = 512 };

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
