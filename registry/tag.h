/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REGISTRY_TAG_H
#define REGISTRY_TAG_H

#include "core/request.h"

enum { TAGS_MAX = 100, TAG_KEY_MAX = 250, TAG_VALUE_MAX = 5000 };

/* The value of one tag, as a body. */
struct tag {
    const char *value;
};

/* Tags are an object of texts; keys are 1 to 250 bytes without ':' and control characters.
 * ERR_INVALID names the key at fault. NULL is fine. */
MUST_CHECK enum err tags_check(struct request *rq, const json_t *tags);
MUST_CHECK enum err tag_key_check(struct request *rq, const char *key);
/* "key:value" as an object to be contained; NULL for NULL. */
MUST_CHECK enum err tag_parse(struct request *rq, const char *tag, json_t **out);
/* The query parameter tag=key:value as an object to be contained; NULL when absent. */
MUST_CHECK enum err tag_query(struct request *rq, json_t **out);
/* A copy of tags with one set, or removed when value is NULL (ERR_NOT_FOUND if it is not there). */
MUST_CHECK enum err tags_change(struct request *rq, const json_t *tags, const char *key,
                                const char *value, json_t **out);

#endif
