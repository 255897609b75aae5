/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_SSE_H
#define CLI_SSE_H

#include "core/text.h"

/* Server-sent events (WHATWG HTML §9.2.6), fed in pieces of any size. */
struct sse {
    struct text line;
    struct text data;
    char event[64]; /* "" means "message" */
    char id[64];    /* of the last event; what Last-Event-ID says on reconnecting */
    bool after_cr;
    void (*on_event)(void *context, const char *event, const char *data);
    void *context;
};

void sse_init(struct sse *s, void (*on_event)(void *, const char *, const char *), void *context);
/* false when a line or an event is larger than 1 MiB. */
bool sse_feed(struct sse *s, const char *data, size_t length);
/* An unfinished event is dropped; the id stays. */
void sse_free(struct sse *s);

#endif
