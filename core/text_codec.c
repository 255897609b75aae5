/* SPDX-License-Identifier: Apache-2.0 */
#include "core/text.h"

#include <limits.h>
#include <string.h>

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

int percent_byte(const char *text, size_t left)
{
    int high = left > 2 ? hex_digit(text[1]) : -1;
    int low = high < 0 ? -1 : hex_digit(text[2]);

    return low < 0 ? -1 : high << 4 | low;
}

long percent_decode(const char *text, size_t length, bool form, char *out)
{
    long n = 0;

    for (size_t i = 0; i < length; i++) {
        int byte = form && text[i] == '+' ? ' ' : (unsigned char)text[i];

        if (text[i] == '%') {
            byte = percent_byte(text + i, length - i);
            i += 2;
        }
        if (byte < 0)
            return -1;
        out[n++] = (char)byte;
    }
    return n;
}

static bool unreserved(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.' || c == '_' || c == '~';
}

char *percent_encode(struct arena *a, const char *text)
{
    static const char digits[] = "0123456789ABCDEF";
    char *out = arena_alloc(a, 3 * strlen(text) + 1);
    size_t n = 0;

    for (const unsigned char *c = (const unsigned char *)text; *c != '\0'; c++) {
        if (unreserved((char)*c)) {
            out[n++] = (char)*c;
            continue;
        }
        out[n++] = '%';
        out[n++] = digits[*c >> 4];
        out[n++] = digits[*c & 15];
    }
    return out;
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
