/* SPDX-License-Identifier: Apache-2.0 */
#include "clients/cli/progress.h"

#include "core/text.h"

#include <stdio.h>

enum { WIDTH = 30, REDRAW_MS = 50 };

static int64_t drawn_ms;

void progress_bar(const char *what, double part, const char *text)
{
    static const char full[] = "##############################";
    static const char empty[] = "..............................";
    int64_t now = time_steady_ms();
    int done;

    if (part < 1 && drawn_ms != 0 && now - drawn_ms < REDRAW_MS)
        return;
    drawn_ms = now;
    part = part < 0 ? 0 : part > 1 ? 1 : part;
    done = (int)(part * WIDTH);
    (void)fprintf(stderr, "\r\033[K%s [%.*s%.*s] %3.0f%% %.40s", what, done, full, WIDTH - done,
                  empty, part * 100, text);
    (void)fflush(stderr);
}

void progress_end(void)
{
    if (drawn_ms != 0)
        (void)fputs("\r\033[K", stderr);
    drawn_ms = 0;
}
