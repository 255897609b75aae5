/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/pickle_facts.h"

#include "auth/auth.h"
#include "registry/blob.h"
#include "registry/pickle.h"

#include <unistd.h>

static void release(void *json)
{
    json_decref(json);
}

static enum err look_into(struct request *rq, const struct version_file *file, json_t *found)
{
    struct pickle_bytes bytes = {.size = (uint64_t)file->size};

    TRY(blob_open(rq->caller.tenant_id, file->sha256, &bytes.fd));
    pickle_scan(&bytes, file->path, found);
    (void)close(bytes.fd);
    return OK;
}

static enum err refuse(struct request *rq, const json_t *first)
{
    return fail(rq, ERR_CONTENT, "%s is a pickle, which the project's policy refuses",
                json_string_value(json_object_get(first, "path")));
}

enum err pickle_facts(struct request *rq, const struct rows *files, json_t **facts)
{
    const struct version_file *file = files->items;
    json_t *found = json_array();
    struct rules rules;

    arena_own(rq->arena, found, release);
    for (size_t i = 0; i < files->count; i++)
        TRY(look_into(rq, &file[i], found));
    if (json_array_size(found) == 0)
        return OK;
    TRY(rules_load(rq->db, auth_project_id(rq), &rules));
    if (rules.refuse_pickle)
        return refuse(rq, json_array_get(found, 0));
    if (*facts == NULL) {
        *facts = json_object();
        arena_own(rq->arena, *facts, release);
    }
    json_object_set(*facts, "pickles", found);
    return OK;
}

enum err pickle_promotable(struct request *rq, const struct version *v, const struct rules *rules)
{
    const json_t *found = json_object_get(v->manifest, "pickles");

    return rules->refuse_pickle && json_array_size(found) > 0 ? refuse(rq, json_array_get(found, 0))
                                                              : OK;
}
