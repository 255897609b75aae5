/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/tag.h"

#include "registry/handlers.h"
#include "registry/reply.h"

#include <string.h>

const struct field tag_fields[] = {
    {.name = "value",
     .type = FIELD_TEXT,
     .offset = offsetof(struct tag, value),
     .max = TAG_VALUE_MAX},
    FIELDS_END,
};

const struct field nothing_fields[] = {FIELDS_END};

enum err tag_key_check(struct request *rq, const char *key)
{
    size_t length = strlen(key);
    bool good = length >= 1 && length <= TAG_KEY_MAX && utf8_valid(key, length);

    for (const char *c = key; *c != '\0'; c++)
        good = good && (unsigned char)*c >= ' ' && *c != 0x7f && *c != ':';
    if (good)
        return OK;
    rq->target = "tags";
    return fail(rq, ERR_INVALID,
                "the tag key \"%.100s\" must be 1 to %d bytes without ':' and control characters",
                key, TAG_KEY_MAX);
}

enum err tags_check(struct request *rq, const json_t *tags)
{
    const char *key;
    json_t *value;

    if (tags != NULL && json_object_size(tags) > TAGS_MAX)
        return fail(rq, ERR_INVALID, "tags has more than %d members", TAGS_MAX);
    json_object_foreach((json_t *)tags, key, value)
    {
        TRY(tag_key_check(rq, key));
        rq->target = "tags";
        if (!json_is_string(value) || json_string_length(value) > TAG_VALUE_MAX ||
            strlen(json_string_value(value)) != json_string_length(value))
            return fail(rq, ERR_INVALID, "the tag %s must be a text of at most %d bytes", key,
                        TAG_VALUE_MAX);
        rq->target = NULL;
    }
    return OK;
}

enum err tag_query(struct request *rq, json_t **out)
{
    return tag_parse(rq, request_query(rq, "tag"), out);
}

enum err tag_parse(struct request *rq, const char *tag, json_t **out)
{
    const char *colon = tag == NULL ? NULL : strchr(tag, ':');

    *out = NULL;
    if (tag == NULL)
        return OK;
    if (colon == NULL || !utf8_valid(tag, strlen(tag))) {
        rq->target = "tag";
        return fail(rq, ERR_INVALID, "tag must be key:value");
    }
    *out = json_object();
    arena_own(rq->arena, *out, json_release);
    json_object_set_new(*out, arena_copy(rq->arena, tag, (size_t)(colon - tag)),
                        json_string(colon + 1));
    return OK;
}

enum err tags_change(struct request *rq, const json_t *tags, const char *key, const char *value,
                     json_t **out)
{
    TRY(tag_key_check(rq, key));
    *out = json_deep_copy(tags);
    arena_own(rq->arena, *out, json_release);
    if (value != NULL)
        json_object_set_new(*out, key, json_string(value));
    else if (json_object_del(*out, key) != 0)
        return ERR_NOT_FOUND;
    return tags_check(rq, *out);
}
