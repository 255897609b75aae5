/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COMPUTE_WORK_H
#define COMPUTE_WORK_H

#include "core/arena.h"
#include "core/err.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* One task of an engine from its start to its end: profile, train or predict. */
struct work {
    const char *mode;
    int input; /* descriptors the engine gets, and nothing else; -1 for none */
    int output;
    int model;
    const json_t *spec;
    int64_t limit_ms; /* of the whole task */
    /* Called with each progress event, and with NULL about once a second; false ends the task. */
    bool (*tick)(void *state, const json_t *progress);
    void *state;
};

/* Run it. *done gets what the engine says at the end, owned by the caller. *why is a sentence for
 * the client, in the arena. ERR_CONTENT: the engine refused its input (why names the line, column
 * or member). ERR_ENGINE: it died. ERR_TIMEOUT. ERR_CONFLICT: tick ended it. */
MUST_CHECK enum err work_run(struct arena *a, const struct work *work, json_t **done,
                             const char **why);

#endif
