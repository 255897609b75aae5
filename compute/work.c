/* SPDX-License-Identifier: Apache-2.0 */
#include "compute/work.h"

#include "compute/frame.h"
#include "compute/launch.h"
#include "core/text.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

enum { TICK_MS = 1000, SAY_MS = 10000 };

/* Until there is something to read: ERR_TIMEOUT after ms. */
static enum err await(int fd, int ms)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    int ready = poll(&p, 1, ms);

    if (ready < 0)
        return errno == EINTR ? ERR_TIMEOUT : ERR_ENGINE;
    return ready == 0 ? ERR_TIMEOUT : OK;
}

static enum err send_spec(const struct engine *engine, const json_t *spec)
{
    char *text = spec == NULL ? NULL : json_dumps(spec, JSON_COMPACT);
    const char *json = text == NULL ? "{}" : text;
    const struct frame f = {.json = (char *)json, .json_length = strlen(json)};
    enum err e =
        f.json_length > FRAME_JSON_MAX ? ERR_TOO_LARGE : frame_write(engine->control, &f, SAY_MS);

    free(text);
    return e;
}

/* What one event means: OK with *done set at the end, OK without it to go on. */
static enum err hear(struct arena *a, const struct work *work, const struct frame *f, json_t **done,
                     const char **why)
{
    json_t *event = json_loadb(f->json, f->json_length, 0, NULL);
    const char *kind = json_string_value(json_object_get(event, "event"));
    const char *message = json_string_value(json_object_get(event, "message"));
    enum err e = OK;

    if (kind == NULL) {
        e = ERR_ENGINE;
    } else if (strcmp(kind, "done") == 0) {
        *done = json_incref(event);
    } else if (strcmp(kind, "error") == 0) {
        *why = arena_text(a, message == NULL ? "the engine refused its input" : message);
        e = ERR_CONTENT;
    } else if (work->tick != NULL && !work->tick(work->state, event)) {
        e = ERR_CONFLICT;
    }
    json_decref(event);
    return e;
}

/* A second has passed without a word. */
static enum err wait_on(const struct work *work, int64_t end)
{
    if (time_steady_ms() > end)
        return ERR_TIMEOUT;
    return work->tick == NULL || work->tick(work->state, NULL) ? OK : ERR_CONFLICT;
}

static enum err listen(struct arena *a, const struct work *work, const struct engine *engine,
                       json_t **done, const char **why)
{
    int64_t end = time_steady_ms() + work->limit_ms;
    struct frame f = {.json = NULL};
    enum err e = OK;

    while (e == OK && *done == NULL) {
        e = await(engine->control, TICK_MS);
        if (e == ERR_TIMEOUT) {
            e = wait_on(work, end);
            continue;
        }
        if (e == OK)
            e = frame_read(engine->control, &f, SAY_MS);
        /* Anything but a whole frame: it died, or stopped in the middle of a word. */
        e = e == OK ? hear(a, work, &f, done, why) : ERR_ENGINE;
    }
    frame_free(&f);
    return e;
}

enum err work_run(struct arena *a, const struct work *work, json_t **done, const char **why)
{
    struct engine engine;
    enum err e;

    *done = NULL;
    *why = NULL;
    e = launch(&engine, &(struct launch){.mode = work->mode,
                                         .input = work->input,
                                         .output = work->output,
                                         .model = work->model,
                                         .job = true});
    if (e != OK)
        return e;
    e = send_spec(&engine, work->spec);
    if (e == OK)
        e = listen(a, work, &engine, done, why);
    engine_kill(&engine);
    return e;
}
