/* SPDX-License-Identifier: Apache-2.0 */
#include "lineage/jsontext.h"

#include <string.h>

static void add_escape(struct text *out, unsigned char c)
{
    static const char letters[] = "btnvfr"; /* of U+0008 to U+000D; \v is not JSON's */

    if (c >= 0x20)
        text_printf(out, "\\%c", c);
    else if (c >= '\b' && c <= '\r' && c != '\v')
        text_printf(out, "\\%c", letters[c - '\b']);
    else
        text_printf(out, "\\u%04x", c);
}

void json_add_text(struct text *out, const char *s)
{
    const char *plain = s;

    if (s == NULL) {
        text_puts(out, "null");
        return;
    }
    text_puts(out, "\"");
    for (; *s != '\0'; s++) {
        unsigned char c = (unsigned char)*s;

        if (c >= 0x20 && c != '"' && c != '\\')
            continue;
        text_add(out, plain, (size_t)(s - plain));
        plain = s + 1;
        add_escape(out, c);
    }
    text_add(out, plain, (size_t)(s - plain));
    text_puts(out, "\"");
}

void json_add_member(struct text *out, bool first, const char *name, const char *value)
{
    text_puts(out, first ? "\"" : ",\"");
    text_puts(out, name);
    text_puts(out, "\":");
    json_add_text(out, value);
}

const char *text_clean(struct arena *a, const char *s, size_t max)
{
    size_t length = s == NULL ? 0 : strlen(s);
    char *out;

    if (length <= max && (length == 0 || utf8_valid(s, length)))
        return length == 0 ? "" : s;
    if (length > max)
        for (length = max; length > 0 && ((unsigned char)s[length] & 0xC0) == 0x80; length--)
            ;
    out = arena_copy(a, s, length);
    if (!utf8_valid(out, length))
        for (size_t i = 0; i < length; i++)
            if ((unsigned char)out[i] >= 0x80)
                out[i] = '?';
    return out;
}
