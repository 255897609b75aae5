/* SPDX-License-Identifier: Apache-2.0 */
#include "compute/inspection.h"

#include "compute/frame.h"
#include "compute/launch.h"
#include "compute/work.h"
#include "registry/inspect.h"

#include <string.h>

enum { INSPECTION_MS = 10 * 60 * 1000, READY_MS = 30000 };

static enum err profile(struct request *rq, int fd, json_t **facts)
{
    const struct work work = {
        .mode = "profile", .input = fd, .output = -1, .model = -1, .limit_ms = INSPECTION_MS};
    const char *why;
    enum err e = work_run(rq->arena, &work, facts, &why);

    if (e == OK)
        json_object_del(*facts, "event");
    return why == NULL ? e : fail(rq, e, "%s", why);
}

/* A model is what the engine can load; its signature is what the engine says of it. */
static enum err load(struct request *rq, int fd, json_t **facts)
{
    struct engine engine;
    struct frame f = {.json = NULL};
    json_t *event = NULL;
    const char *kind;
    enum err e =
        launch(&engine, &(struct launch){.mode = "serve", .input = -1, .output = -1, .model = fd});

    if (e != OK)
        return e;
    e = frame_read(engine.control, &f, READY_MS);
    engine_kill(&engine);
    if (e == OK)
        event = json_loadb(f.json, f.json_length, 0, NULL);
    frame_free(&f);
    kind = json_string_value(json_object_get(event, "event"));
    if (kind != NULL && strcmp(kind, "ready") == 0) {
        json_object_del(event, "event");
        *facts = json_pack("{s:o}", "signature", event);
        return OK;
    }
    e = fail(rq, event == NULL ? ERR_ENGINE : ERR_CONTENT, "the model does not load: %s",
             event == NULL ? "the engine gave it up"
                           : json_string_value(json_object_get(event, "message")));
    json_decref(event);
    return e;
}

static enum err look_into(struct request *rq, const char *kind, int fd, json_t **facts)
{
    return strcmp(kind, "model") == 0 ? load(rq, fd, facts) : profile(rq, fd, facts);
}

void inspection_start(void)
{
    inspect_register(look_into);
}
