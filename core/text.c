/* SPDX-License-Identifier: Apache-2.0 */
#include "core/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_ROOM = 256 };

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
