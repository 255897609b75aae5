/* SPDX-License-Identifier: Apache-2.0 */
#include "clients/cli/import/import.h"

#include "clients/cli/http.h"
#include "clients/cli/import/ours.h"
#include "clients/cli/import/seen.h"
#include "clients/cli/print.h"
#include "clients/cli/run.h"

#include <stdlib.h>
#include <string.h>

enum { EXPERIMENTS_MAX = 100000, PAGE = 1000 };

struct arena *unit_begin(struct import *im)
{
    struct arena *kept = im->work.arena;

    im->work.arena = arena_new();
    return kept;
}

void unit_end(struct import *im, struct arena *kept)
{
    arena_free(im->work.arena);
    im->work.arena = kept;
}

struct tracking {
    struct import *im;
    struct experiment *items;
    size_t count;
    size_t room;
};

static void on_experiment(void *context, json_t *item)
{
    struct tracking *t = context;
    struct experiment e = {.id = NULL};

    if (!experiment_import(t->im, item, &e))
        return;
    if (t->count == t->room) {
        t->room = t->room == 0 ? 64 : t->room * 2;
        t->items = realloc(t->items, t->room * sizeof(*t->items));
        if (t->items == NULL || t->room > EXPERIMENTS_MAX)
            die(FAILED, "the source has too many experiments");
    }
    t->items[t->count++] = e;
}

struct experiment_runs {
    struct import *im;
    struct experiment *e;
    size_t count;
};

static void on_run(void *context, json_t *item)
{
    struct experiment_runs *r = context;

    run_import(r->im, r->e, text_at(item, "info.run_id"));
    if (++r->count % 100 == 0)
        note(&r->im->work, "  %s: %zu runs", r->e->name, r->count);
}

static void runs_import(struct import *im, struct experiment *e)
{
    struct arena *kept = unit_begin(im);
    struct experiment_runs r = {.im = im, .e = e};
    json_t *body = keep(&im->work, json_pack("{s:[s], s:s, s:i, s:[s]}", "experiment_ids",
                                             e->source_id, "run_view_type", "ALL", "max_results",
                                             200, "order_by", "attributes.start_time ASC"));
    struct list l = {.path = OURS "/runs/search",
                     .body = body,
                     .member = "runs",
                     .id = "info.run_id",
                     .on_item = on_run,
                     .context = &r};
    const char *why = source_list(im, &l);

    if (why != NULL)
        report_differs(im->report, arena_printf(im->work.arena, "experiment %s", e->name),
                       "its runs could not all be listed: %s", why);
    note(&im->work, "experiment %s: %zu runs", e->name, r.count);
    unit_end(im, kept);
}

/* Runs first, then the models they made, then what refers to both. */
static void tracking_import(struct import *im)
{
    struct tracking t = {.im = im};
    json_t *body =
        keep(&im->work, json_pack("{s:s, s:i}", "view_type", "ALL", "max_results", PAGE));
    struct list l = {.path = OURS "/experiments/search",
                     .body = body,
                     .member = "experiments",
                     .id = "experiment_id",
                     .on_item = on_experiment,
                     .context = &t};
    const char *why = source_list(im, &l);

    if (why != NULL)
        report_differs(im->report, "experiments", "they could not all be listed: %s", why);
    for (size_t i = 0; i < t.count; i++)
        runs_import(im, &t.items[i]);
    for (size_t i = 0; i < t.count; i++)
        models_import(im, &t.items[i]);
    links_import(im);
    for (size_t i = 0; i < t.count; i++)
        experiment_close(im, &t.items[i]);
    free(t.items);
}

int run_import_mlflow(struct cli *c)
{
    struct import im = {.work = *c,
                        .lasting = c->arena,
                        .source = source_open(c, c->args.values[0]),
                        .report = report_new(c, option(c, "--dry-run") != NULL),
                        .dry = option(c, "--dry-run") != NULL,
                        .new_ids = option(c, "--new-ids") != NULL,
                        .merge = option(c, "--merge") != NULL,
                        .shorten = option(c, "--shorten") != NULL,
                        .reread = option(c, "--reread") != NULL,
                        .whole = seen_new(),
                        .broken = seen_new()};

    if (!im.dry)
        (void)api(c, "GET", path_of(c, "/v1/projects/{}", project_name(c), NULL), NULL);
    tracking_import(&im);
    registry_import(&im, false);
    registry_import(&im, true);
    seen_free(im.whole);
    seen_free(im.broken);
    source_close(im.source);
    return report_end(c, im.report);
}
