/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ENGINE_CHANNEL_H
#define ENGINE_CHANNEL_H

#include "compute/engine/refuse.h"
#include "compute/frame.h"

#include <jansson.h>

/* The engine's side of the control socket. fd -1 says nothing and always succeeds, which is what
 * tests of a job want. */
struct channel {
    int fd;
    int64_t last_progress_ms;
};

/* {"event":"progress",…}, at most ten a second; the others are dropped. */
void channel_progress(struct channel *c, double fraction, const char *message);
/* Sends body and releases it, with "event" set when event is not NULL. ERR_ENGINE when nobody
 * hears. */
MUST_CHECK enum err channel_send(struct channel *c, const char *event, json_t *body);
/* The same with a payload; ERR_TOO_LARGE when it does not fit a frame, with nothing sent. */
MUST_CHECK enum err channel_send_payload(struct channel *c, json_t *body,
                                         const unsigned char *payload, size_t length);
/* {"event":"error","code","message"}, with "id" when id is not NULL (which it releases). */
MUST_CHECK enum err channel_refuse(struct channel *c, json_t *id, const struct refusal *why);

/* One JSON object without duplicate members; the caller releases it. ERR_INVALID otherwise. */
MUST_CHECK enum err channel_parse(const struct frame *f, json_t **out, struct refusal *why);
/* ERR_INVALID naming the first member of object that is none of names (NULL-terminated). */
MUST_CHECK enum err json_only(json_t *object, const char *const *names, struct refusal *why);
/* A JSON string of text that may have been cut inside a character. */
json_t *json_words(const char *text, size_t length);

#endif
