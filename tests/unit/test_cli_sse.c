/* SPDX-License-Identifier: Apache-2.0 */
#include "clients/cli/sse.h"

#include "tests/unit/test.h"

#include <string.h>

static struct text heard;

static void on_event(void *context, const char *event, const char *data)
{
    text_printf(context, "%s=%s;", event, data);
}

/* The stream in pieces of every size says the same. */
static const char *hear(const char *stream, size_t piece, struct sse *s)
{
    size_t length = strlen(stream);

    text_free(&heard);
    heard = text_new(10000);
    sse_init(s, on_event, &heard);
    for (size_t at = 0; at < length; at += piece)
        if (!sse_feed(s, stream + at, length - at < piece ? length - at : piece))
            return "failed";
    sse_free(s);
    return heard.data == NULL ? "" : heard.data;
}

static void events_come_whole_however_they_are_cut(void)
{
    static const char stream[] = ": hello\n\nevent: state\nid: 1\ndata: {\"a\":\ndata: 1}\n\n"
                                 "data:two\r\nid: 7\r\n\r\nretry: 5\nevent: progress\rdata\r\r"
                                 "event: dropped\ndata: unfinished";
    struct sse s;

    for (size_t piece = 1; piece <= sizeof(stream); piece++) {
        CHECK(strcmp(hear(stream, piece, &s), "state={\"a\":\n1};message=two;progress=;") == 0);
        CHECK(strcmp(s.id, "7") == 0);
    }
}

static void an_event_without_data_is_none(void)
{
    struct sse s;

    CHECK(strcmp(hear("event: x\n\ndata: y\n\n", 100, &s), "message=y;") == 0);
    CHECK(strcmp(hear("\n\n\n", 1, &s), "") == 0);
}

static void endless_lines_are_refused(void)
{
    static char line[(1 << 20) + 16];
    struct sse s;

    memset(line, 'x', sizeof(line));
    sse_init(&s, on_event, &heard);
    CHECK(!sse_feed(&s, line, sizeof(line)));
    sse_free(&s);
}

int main(void)
{
    RUN(events_come_whole_however_they_are_cut);
    RUN(an_event_without_data_is_none);
    RUN(endless_lines_are_refused);
    text_free(&heard);
    return failures != 0;
}
