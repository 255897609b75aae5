/* SPDX-License-Identifier: Apache-2.0 */
#include "lineage/audit_view.h"

#include <string.h>

const struct field audit_view_fields[] = {
    TEXT(struct audit_view, id, 36),
    JSON(struct audit_view, index),
    TIME(struct audit_view, at),
    TEXT(struct audit_view, actor, 36),
    TEXT(struct audit_view, actor_name, 255),
    TEXT(struct audit_view, action, 255),
    TEXT(struct audit_view, method, 16),
    TEXT(struct audit_view, project, 255),
    TEXT(struct audit_view, object, 4096),
    TEXT(struct audit_view, outcome, 64),
    INT(struct audit_view, status, 100, 599),
    TEXT(struct audit_view, request, 36),
    TEXT(struct audit_view, leaf_hash, 64),
    OPT_TEXT(struct audit_view, statement, 65535),
    OBJECT(struct audit_view, detail),
    OPT_JSON(struct audit_view, changes),
    BOOL(struct audit_view, erased),
    OPT_JSON(struct audit_view, tampered),
    OPT_TEXT(struct audit_view, fault, 16),
    FIELDS_END,
};

static void release_json(void *json)
{
    json_decref(json);
}

static json_t *keep(struct arena *a, json_t *json)
{
    if (json != NULL)
        arena_own(a, json, release_json);
    return json;
}

/* NULL for "", which is how a leaf says none. */
static const char *said(const json_t *leaf, const char *name)
{
    const char *text = json_string_value(json_object_get(leaf, name));

    return text == NULL || *text == '\0' ? NULL : text;
}

/* [{"path":"description","before":…,"after":…}] */
static void add_change(json_t *list, const char *path, json_t *before, json_t *after)
{
    json_array_append_new(
        list, json_pack("{s:s, s:O?, s:O?}", "path", path, "before", before, "after", after));
}

static void compare(struct arena *a, json_t *list, const char *path, const json_t *before,
                    const json_t *after);

/* Members of one side; those of both are compared once, from the first. */
static void compare_members(struct arena *a, json_t *list, const char *path, json_t *one,
                            const json_t *other, bool first)
{
    const char *name;
    json_t *value;

    json_object_foreach(one, name, value)
    {
        const char *at = arena_printf(a, "%s%s%s", path, *path == '\0' ? "" : ".", name);
        json_t *match = json_object_get(other, name);

        if (match == NULL && first)
            add_change(list, at, value, NULL);
        else if (match == NULL)
            add_change(list, at, NULL, value);
        else if (first && json_is_object(value) && json_is_object(match))
            compare(a, list, at, value, match);
        else if (first && !json_equal(value, match))
            add_change(list, at, value, match);
    }
}

/* The parser has bounded the depth. */
static void compare(struct arena *a, json_t *list, const char *path, const json_t *before,
                    const json_t *after)
{
    compare_members(a, list, path, (json_t *)(uintptr_t)before, after, true);
    compare_members(a, list, path, (json_t *)(uintptr_t)after, before, false);
}

json_t *json_changes(const json_t *before, const json_t *after)
{
    struct arena *a = arena_new();
    json_t *list = json_array();

    compare(a, list, "", before, after);
    arena_free(a);
    return list;
}

static json_t *changes_of(struct arena *a, const json_t *payload)
{
    const json_t *detail = json_object_get(payload, "detail");
    const json_t *before = json_object_get(detail, "before");
    const json_t *after = json_object_get(detail, "after");

    return before == NULL && after == NULL ? NULL : keep(a, json_changes(before, after));
}

void audit_view(struct arena *a, const struct audit_row *row, struct audit_view *out)
{
    json_t *leaf, *payload;
    const char *fault = audit_fault(a, row, &leaf);

    payload = row->payload == NULL ? NULL : keep(a, json_loads(row->payload, 0, NULL));
    *out = (struct audit_view){
        .id = said(leaf, "id"),
        .index = row->index < 0 ? NULL : keep(a, json_integer(row->index)),
        .at = said(leaf, "at"),
        .actor = said(leaf, "actor"),
        .actor_name = said(payload, "actor"),
        .action = said(leaf, "action"),
        .method = said(leaf, "method"),
        .project = said(leaf, "project"),
        .object = said(payload, "object") != NULL ? said(payload, "object") : said(leaf, "object"),
        .outcome = said(leaf, "outcome"),
        .status = json_integer_value(json_object_get(leaf, "status")),
        .request = said(leaf, "request"),
        .leaf_hash = row->leaf_hash,
        .statement = said(leaf, "statement"),
        .detail = payload,
        .changes = changes_of(a, payload),
        .erased = row->payload == NULL,
        .tampered = fault == NULL ? NULL : json_true(),
        .fault = fault,
    };
    if (out->id == NULL)
        out->id = row->id; /* a leaf that says nothing must still be found */
}
