/* SPDX-License-Identifier: Apache-2.0 */
#include "clients/cli/import/import.h"

#include "clients/cli/import/ours.h"

#include <string.h>

/* A request of at most so many items, all within the service's limits for one. */
enum { BATCH_METRICS = 1000, BATCH_OTHERS = 100 };

static struct said send_part(struct import *im, const struct mine *m, const char *list,
                             const json_t *items, const size_t range[2])
{
    json_t *part = json_array();
    json_t *body = keep(&im->work, json_pack("{s:s, s:o}", "run_id", m->id, list, part));

    for (size_t i = range[0]; i < range[1]; i++)
        (void)json_array_append(part, json_array_get(items, i));
    return ours_ask(im, "POST", OURS "/runs/log-batch", body);
}

static void refused(struct import *im, const struct mine *m, const json_t *item,
                    const struct said *s)
{
    const char *key = text_at(item, "key");

    report_differs(im->report, arena_printf(im->work.arena, "run %s", m->source_id),
                   "%.300s is refused: %s", key == NULL ? "an item without a key" : key, s->why);
}

/* A range that is refused is halved until the item is found that is at fault. */
static void send_range(struct import *im, const struct mine *m, const char *list,
                       const json_t *items, const size_t range[2])
{
    size_t middle = range[0] + (range[1] - range[0]) / 2;
    struct said s = send_part(im, m, list, items, range);

    if (s.code == NULL)
        return;
    if (range[1] - range[0] == 1) {
        refused(im, m, json_array_get(items, range[0]), &s);
        return;
    }
    /* Ten levels deep at most. NOLINTBEGIN(misc-no-recursion) */
    send_range(im, m, list, items, (size_t[2]){range[0], middle});
    send_range(im, m, list, items, (size_t[2]){middle, range[1]});
    /* NOLINTEND(misc-no-recursion) */
}

void batch_send(struct import *im, struct mine *m, const char *list, const json_t *items)
{
    size_t step = strcmp(list, "metrics") == 0 ? BATCH_METRICS : BATCH_OTHERS;
    size_t count = json_array_size(items);

    if (count == 0 || !mine_open(im, m))
        return;
    m->wrote = true;
    for (size_t at = 0; at < count; at += step) {
        struct arena *kept = unit_begin(im);

        send_range(im, m, list, items, (size_t[2]){at, at + step < count ? at + step : count});
        unit_end(im, kept);
    }
}
