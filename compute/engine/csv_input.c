/* SPDX-License-Identifier: Apache-2.0 */
#include "compute/engine/csv_input.h"

#include "compute/engine/csv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FIRST_ROOM = 1 << 18 };

void csv_input_free(struct csv_input *in)
{
    free(in->buffer);
    in->buffer = NULL;
}

static ssize_t take(struct csv_input *in, char *out, size_t length)
{
    ssize_t got;

    if (in->fd < 0) {
        size_t left = in->memory.length - in->taken;

        if (length > left)
            length = left;
        if (length > 0)
            memcpy(out, in->memory.data + in->taken, length);
        return (ssize_t)length;
    }
    do
        got = pread(in->fd, out, length, (off_t)in->taken);
    while (got < 0 && errno == EINTR);
    return got;
}

/* Room behind what is there: what was used up goes first, then the buffer doubles. */
static bool make_room(struct csv_input *in)
{
    size_t room = in->room == 0 ? FIRST_ROOM : 2 * in->room;
    char *bigger;

    if (in->start > 0) {
        memmove(in->buffer, in->buffer + in->start, in->end - in->start);
        in->end -= in->start;
        in->start = 0;
    }
    if (in->end <= in->room / 2 && in->room > 0)
        return true;
    bigger = realloc(in->buffer, room);
    if (bigger == NULL)
        return false;
    in->buffer = bigger;
    in->room = room;
    return true;
}

static enum err fill(struct csv_input *in, size_t line, struct refusal *why)
{
    ssize_t got;

    if (in->end - in->start > CSV_MAX_ROW)
        return refuse(why, ERR_CONTENT, "line %zu: the row is longer than %d bytes%s", line,
                      CSV_MAX_ROW, "; is a closing quote missing?");
    if (!make_room(in))
        return refuse(why, ERR_TOO_LARGE, "line %zu: no memory for so long a row", line);
    got = take(in, in->buffer + in->end, in->room - in->end);
    if (got < 0)
        return refuse(why, ERR_INTERNAL, "the table cannot be read: %s", strerrordesc_np(errno));
    in->ended = got == 0;
    in->end += (size_t)got;
    in->taken += (size_t)got;
    return OK;
}

/* How far a row has been looked through. A line end inside an odd number of quotes is text: two
 * quotes in a row are an escaped one, and leave the parity as it was. */
struct scan {
    size_t at; /* from the row's start */
    size_t breaks;
    bool inside;
    bool quotes;
};

static bool scan_row(struct csv_input *in, struct scan *s)
{
    size_t length = in->end - in->start;
    const char *row = length == 0 ? "" : in->buffer + in->start;

    for (; s->at < length; s->at++) {
        char c = row[s->at];

        if (c == '"')
            s->quotes = true, s->inside = !s->inside;
        if (c != '\n')
            continue;
        s->breaks++;
        if (!s->inside)
            return true;
    }
    return false;
}

enum err csv_input_line(struct csv_input *in, size_t line, struct csv_line *out, bool *more,
                        struct refusal *why)
{
    struct scan s = {0};
    bool found;

    while (!(found = scan_row(in, &s)) && !in->ended)
        TRY(fill(in, line, why));
    *more = s.at > 0 || found;
    if (s.inside)
        return refuse(why, ERR_CONTENT, "line %zu: a quoted field is never closed", line);
    *out = (struct csv_line){.data = in->buffer == NULL ? NULL : in->buffer + in->start,
                             .length = s.at,
                             .breaks = s.breaks + (found ? 0 : 1),
                             .quotes = s.quotes};
    if (found && out->length > 0 && out->data[out->length - 1] == '\r')
        out->length--;
    in->start += s.at + (found ? 1 : 0);
    return OK;
}
