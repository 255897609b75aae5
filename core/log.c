/* SPDX-License-Identifier: Apache-2.0 */
#include "core/log.h"

#include "core/text.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { MESSAGE_MAX = 4096, REQUEST_MAX = 64, LINE_MAX_LENGTH = 8 * MESSAGE_MAX };

static atomic_bool as_json;
static _Thread_local char request[REQUEST_MAX];

void log_json(bool on)
{
    atomic_store(&as_json, on);
}

void log_request(const char *id)
{
    (void)snprintf(request, sizeof(request), "%s", id == NULL ? "" : id);
}

/* What would move a terminal's cursor, end the line early, or break the JSON becomes \u00XX. */
static void add_escaped(struct text *line, const char *s)
{
    bool utf8 = utf8_valid(s, strlen(s));

    for (; *s != '\0'; s++) {
        unsigned char c = (unsigned char)*s;
        bool c1 = c == 0xC2 && (unsigned char)s[1] < 0xA0;

        if (c1 && utf8)
            text_printf(line, "\\u%04x", (unsigned)(unsigned char)*++s);
        else if (c < 0x20 || c == 0x7F || (c >= 0x80 && !utf8))
            text_printf(line, "\\u%04x", c);
        else if (c == '\\' || (c == '"' && atomic_load(&as_json)))
            text_printf(line, "\\%c", c);
        else
            text_add(line, s, 1);
    }
}

static void add_json(struct text *line, const char *at, const char *blame, const char *message)
{
    text_printf(line, "{\"at\":\"%s\",\"blame\":\"%s\",", at, blame);
    if (request[0] != '\0') {
        text_puts(line, "\"request\":\"");
        add_escaped(line, request);
        text_puts(line, "\",");
    }
    text_puts(line, "\"message\":\"");
    add_escaped(line, message);
    text_puts(line, "\"}\n");
}

static void add_plain(struct text *line, const char *at, const char *blame, const char *message)
{
    text_printf(line, "%s %s ", at, blame);
    if (request[0] != '\0') {
        text_puts(line, "[");
        add_escaped(line, request);
        text_puts(line, "] ");
    }
    add_escaped(line, message);
    text_puts(line, "\n");
}

static void write_line(const char *blame, const char *format, va_list args)
    __attribute__((format(printf, 2, 0)));

static void write_line(const char *blame, const char *format, va_list args)
{
    struct text line = text_new(LINE_MAX_LENGTH);
    char message[MESSAGE_MAX];
    char at[TIME_SIZE];
    size_t length;

    (void)vsnprintf(message, sizeof(message), format, args);
    length = strlen(message);
    /* A cut inside a character would make the rest look like foreign bytes. */
    while (length > sizeof(message) - 4 && !utf8_valid(message, length))
        message[--length] = '\0';
    time_format(time_now_ms(), at);
    if (atomic_load(&as_json))
        add_json(&line, at, blame, message);
    else
        add_plain(&line, at, blame, message);
    /* One write a line, so that lines of threads never mix. */
    if (line.data != NULL && write(STDERR_FILENO, line.data, line.length) < 0) {
        /* There is nowhere left to say so. */
    }
    text_free(&line);
}

#define LOG(name, blame)                                                                           \
    void name(const char *format, ...)                                                             \
    {                                                                                              \
        va_list args;                                                                              \
                                                                                                   \
        va_start(args, format);                                                                    \
        write_line(blame, format, args);                                                           \
        va_end(args);                                                                              \
    }

LOG(log_client, "client")
LOG(log_ours, "ours")
LOG(log_world, "world")
LOG(log_info, "info")
