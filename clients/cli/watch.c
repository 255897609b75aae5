/* SPDX-License-Identifier: Apache-2.0 */
#include "clients/cli/watch.h"

#include "clients/cli/http.h"
#include "clients/cli/print.h"
#include "clients/cli/progress.h"
#include "clients/cli/sse.h"
#include "clients/cli/table.h"

#include <stdio.h>
#include <string.h>

enum { LOST_MAX = 10, PAUSE_SECONDS = 1 };

struct watch {
    struct cli *cli;
    struct sse sse;
    const char *kind;
    char state[32];
    unsigned lost; /* connections in a row that brought nothing */
};

static bool is_final(const char *state)
{
    return strcmp(state, "succeeded") == 0 || strcmp(state, "failed") == 0 ||
           strcmp(state, "cancelled") == 0;
}

static void show(struct watch *w, const json_t *event)
{
    const json_t *progress = json_object_get(event, "fraction");
    const char *state = json_string_value(json_object_get(event, "state"));
    const char *message = cell_text(w->cli->arena, json_object_get(event, "message"));

    if (state != NULL && strcmp(state, w->state) != 0) {
        (void)snprintf(w->state, sizeof(w->state), "%s", state);
        if (!w->cli->json)
            note(w->cli, "job is %s", clean_text(w->cli->arena, state));
    }
    if (json_is_number(progress) && progress_wanted(w->cli) && !is_final(w->state))
        progress_bar("job", json_number_value(progress), message);
}

static void on_event(void *context, const char *name, const char *data)
{
    struct watch *w = context;
    json_t *event = json_loads(data, 0, NULL);

    w->lost = 0;
    if (w->cli->json && event != NULL) {
        (void)printf("{\"event\": \"%s\", \"data\": ",
                     strcmp(name, "state") == 0 ? "state" : "progress");
        (void)json_dumpf(event, stdout, 0);
        (void)puts("}");
        (void)fflush(stdout);
    }
    show(w, event);
    json_decref(event);
}

static bool on_bytes(void *context, const char *data, size_t length)
{
    struct watch *w = context;

    return sse_feed(&w->sse, data, length) && !is_final(w->state);
}

static void follow(struct watch *w, const char *path)
{
    struct call call = {.method = "GET",
                        .path = path,
                        .headers = {"Accept: text/event-stream"},
                        .sink = on_bytes,
                        .context = w,
                        .patient = true};
    const struct reply *r;

    if (w->sse.id[0] != '\0')
        call.headers[1] = arena_printf(w->cli->arena, "Last-Event-ID: %s", w->sse.id);
    r = http_call(w->cli, &call);
    if (r->problem == NULL || w->lost >= LOST_MAX)
        reply_expect(w->cli, r);
    sse_free(&w->sse);
}

/* What it came to; the whole of it is in job show. */
static void print_end(const struct cli *c, const json_t *job)
{
    const json_t *metrics = member_at(job, "result.metrics");

    say(c, "job %s: %s%s%s", cell_text(c->arena, json_object_get(job, "id")),
        cell_text(c->arena, json_object_get(job, "state")),
        json_object_get(job, "output") == NULL ? "" : ", ",
        json_object_get(job, "output") == NULL
            ? ""
            : cell_text(c->arena, json_object_get(job, "output")));
    if (json_object_size(metrics) > 0)
        print_object(c, metrics);
}

static int conclude(struct cli *c, const json_t *job)
{
    const char *state = json_string_value(json_object_get(job, "state"));
    bool well = state != NULL && strcmp(state, "succeeded") == 0;

    if (!c->json && !c->quiet)
        print_end(c, job);
    else if (c->quiet)
        (void)printed(c, job);
    if (!well)
        die(REFUSED, "job: it is %s: %s", state == NULL ? "in no known state" : state,
            cell_text(c->arena, json_object_get(job, "message")));
    return DONE;
}

int watch_job(struct cli *c, const char *id)
{
    struct watch w = {.cli = c};
    const char *job = path_of(c, "/v1/projects/{project}/jobs/{}", id, NULL);

    sse_init(&w.sse, on_event, &w);
    for (;;) {
        follow(&w, arena_printf(c->arena, "%s/events", job));
        if (is_final(w.state))
            break;
        if (++w.lost > LOST_MAX)
            die(FAILED, "unreachable: the job's events broke off again and again");
        pause_seconds(PAUSE_SECONDS);
    }
    if (progress_wanted(c))
        progress_end();
    return conclude(c, api(c, "GET", job, NULL));
}
