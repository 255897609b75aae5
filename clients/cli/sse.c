/* SPDX-License-Identifier: Apache-2.0 */
#include "clients/cli/sse.h"

#include <stdio.h>
#include <string.h>

enum { SSE_MAX = 1 << 20 };

void sse_init(struct sse *s, void (*on_event)(void *, const char *, const char *), void *context)
{
    *s = (struct sse){.line = text_new(SSE_MAX),
                      .data = text_new(SSE_MAX),
                      .on_event = on_event,
                      .context = context};
}

void sse_free(struct sse *s)
{
    text_free(&s->line);
    text_free(&s->data);
    s->event[0] = '\0';
}

static void dispatch(struct sse *s)
{
    if (s->data.length > 0) {
        s->data.data[s->data.length - 1] = '\0'; /* the last line feed is not part of it */
        s->on_event(s->context, s->event[0] == '\0' ? "message" : s->event, s->data.data);
    }
    text_free(&s->data);
    s->event[0] = '\0';
}

static void field(struct sse *s, const char *name, const char *value)
{
    if (strcmp(name, "data") == 0) {
        text_puts(&s->data, value);
        text_puts(&s->data, "\n");
    } else if (strcmp(name, "event") == 0) {
        (void)snprintf(s->event, sizeof(s->event), "%s", value);
    } else if (strcmp(name, "id") == 0) {
        (void)snprintf(s->id, sizeof(s->id), "%s", value);
    }
}

static void end_line(struct sse *s)
{
    char *text = s->line.data;
    char *colon;

    if (s->line.length == 0) {
        dispatch(s);
        return;
    }
    colon = strchr(text, ':');
    if (colon == NULL) {
        field(s, text, "");
    } else if (colon != text) { /* a line that begins with a colon is a comment */
        *colon = '\0';
        field(s, text, colon[1] == ' ' ? colon + 2 : colon + 1);
    }
    text_free(&s->line);
}

bool sse_feed(struct sse *s, const char *data, size_t length)
{
    for (size_t i = 0; i < length && !s->line.failed && !s->data.failed; i++) {
        bool ends = data[i] == '\r' || (data[i] == '\n' && !s->after_cr);

        if (ends)
            end_line(s);
        else if (data[i] != '\n')
            text_add(&s->line, &data[i], 1);
        s->after_cr = data[i] == '\r';
    }
    return !s->line.failed && !s->data.failed;
}
