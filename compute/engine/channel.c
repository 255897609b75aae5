/* SPDX-License-Identifier: Apache-2.0 */
#include "compute/engine/channel.h"

#include "core/text.h"

#include <stdlib.h>
#include <string.h>

enum { SEND_TIMEOUT_MS = 30000, PROGRESS_EVERY_MS = 100 };

json_t *json_words(const char *text, size_t length)
{
    /* a character cut at the end costs at most three bytes; anything worse is not text */
    for (size_t cut = 0; cut <= 3 && cut <= length; cut++)
        if (utf8_valid(text, length - cut))
            return json_stringn(text, length - cut);
    return json_string("(not text)");
}

enum err channel_send_payload(struct channel *c, json_t *body, const unsigned char *payload,
                              size_t length)
{
    struct frame f = {.payload_length = length};
    enum err e = ERR_INTERNAL;

    memcpy(&f.payload, &payload, sizeof(payload)); /* const goes: frame_write only reads */
    f.json = body == NULL ? NULL : json_dumps(body, JSON_COMPACT);
    if (f.json != NULL) {
        f.json_length = strlen(f.json);
        e = c->fd < 0 ? OK : frame_write(c->fd, &f, SEND_TIMEOUT_MS);
    }
    free(f.json);
    json_decref(body);
    return e;
}

enum err channel_send(struct channel *c, const char *event, json_t *body)
{
    if (body != NULL && event != NULL)
        (void)json_object_set_new(body, "event", json_string(event));
    return channel_send_payload(c, body, NULL, 0);
}

void channel_progress(struct channel *c, double fraction, const char *message)
{
    int64_t now = time_steady_ms();

    if (c->fd < 0 || now - c->last_progress_ms < PROGRESS_EVERY_MS)
        return;
    c->last_progress_ms = now;
    /* a supervisor that has gone is noticed when the result is sent */
    (void)!channel_send(c, "progress",
                        json_pack("{s:f, s:s}", "fraction", fraction, "message", message));
}

enum err channel_refuse(struct channel *c, json_t *id, const struct refusal *why)
{
    json_t *body = json_object();

    if (id != NULL)
        (void)json_object_set_new(body, "id", id);
    (void)json_object_set_new(body, "code", json_string(refusal_slug(why)));
    (void)json_object_set_new(body, "message", json_words(why->text, strlen(why->text)));
    return channel_send(c, "error", body);
}

enum err channel_parse(const struct frame *f, json_t **out, struct refusal *why)
{
    json_error_t error;

    *out = json_loadb(f->json, f->json_length, JSON_REJECT_DUPLICATES, &error);
    if (*out == NULL)
        return refuse(why, ERR_INVALID, "the frame's JSON does not parse: %s", error.text);
    if (json_is_object(*out))
        return OK;
    json_decref(*out);
    *out = NULL;
    return refuse(why, ERR_INVALID, "the frame's JSON is not an object");
}

enum err json_only(json_t *object, const char *const *names, struct refusal *why)
{
    void *at = json_object_iter(object);

    for (; at != NULL; at = json_object_iter_next(object, at)) {
        const char *key = json_object_iter_key(at);
        size_t i = 0;

        while (names[i] != NULL && strcmp(names[i], key) != 0)
            i++;
        if (names[i] == NULL)
            return refuse(why, ERR_INVALID, "unknown member \"%.100s\"", key);
    }
    return OK;
}
