/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/source.h"

#include "auth/auth.h"
#include "lineage/graph/code.h"
#include "lineage/graph/provenance.h"
#include "registry/asset.h"
#include "registry/share.h"

#include <string.h>

struct code {
    const char *repository;
    const char *commit;
    const char *path;
};

const struct field source_code_fields[] = {
    TEXT(struct code, repository, CODE_REPOSITORY_MAX),
    TEXT(struct code, commit, CODE_COMMIT_MAX),
    OPT_TEXT(struct code, path, 512),
    FIELDS_END,
};

static enum err refuse(struct request *rq, const char *member, const char *why)
{
    rq->target = member;
    return fail(rq, ERR_INVALID, "%s %s", member, why);
}

const char *source_within(const char *path)
{
    const char *rest = strncmp(path, "projects/", 9) == 0 ? strchr(path + 9, '/') : NULL;

    return rest == NULL ? path : rest + 1;
}

static enum err find_own(struct request *rq, const char *path, struct version *out)
{
    struct version_key key;

    if (!version_key_parse(rq->arena, path, &key) ||
        !auth_may_asset(rq, ASSET_READ, asset_path(rq->arena, key.kind, key.asset)))
        return ERR_NOT_FOUND;
    return version_get(rq->db, auth_project_id(rq), &key, out);
}

enum err source_find(struct request *rq, const char *path, struct version *out)
{
    const char *rest = source_within(path);
    const char *own = arena_printf(rq->arena, "projects/%s/", rq->project);

    if (rest == path || strncmp(path, own, strlen(own)) == 0)
        TRY(find_own(rq, rest, out));
    else
        TRY(share_find_version(rq, path, out));
    return strcmp(out->state, "ready") == 0 ? OK : ERR_NOT_FOUND;
}

enum err source_code(struct request *rq, const char *member, const json_t *code, const char **node)
{
    struct code c = {.path = NULL};
    const char *why;

    if (field_from_json(rq->arena, source_code_fields, code, &c, &why) != OK)
        return refuse(rq, member, arena_printf(rq->arena, "cannot be read: %s", why));
    if (code_has_credentials(c.repository))
        return refuse(rq, arena_printf(rq->arena, "%s.repository", member),
                      "must not have a user or a password in it");
    *node = code_node(rq->arena, rq->project, c.repository, c.commit);
    if (*node == NULL)
        return refuse(rq, arena_printf(rq->arena, "%s.commit", member),
                      "or the repository is none: letters, digits, '.', '_', '-' without blanks");
    return OK;
}

/* What a manifest names is being gathered. */
struct gathering {
    struct request *rq;
    struct sources *out;
};

static void add(struct gathering *g, const char *kind, const char *node)
{
    for (size_t i = 0; i < g->out->count; i++)
        if (strcmp(g->out->items[i].node, node) == 0)
            return;
    g->out->items[g->out->count++] = (struct source){.kind = kind, .node = node};
}

/* Whether a text is meant as a version of ours: it begins with a kind and a slash. */
static bool reads_as_version(struct arena *a, const char *text)
{
    struct version_key key;
    size_t length;

    text = source_within(text);
    length = strcspn(text, "/");
    return text[length] == '/' &&
           version_key_parse(a, arena_printf(a, "%.*s/x/versions/1", (int)length, text), &key);
}

static enum err add_version(struct gathering *g, const char *member, const char *path)
{
    struct version v;
    enum err e = source_find(g->rq, path, &v);

    if (e == ERR_NOT_FOUND)
        return refuse(g->rq, member,
                      arena_printf(g->rq->arena, "names no version that is ready here: %s", path));
    TRY(e);
    add(g, NULL, version_node(g->rq->arena, &v));
    return OK;
}

static enum err add_text(struct gathering *g, const char *member, const char *text)
{
    if (reads_as_version(g->rq->arena, text))
        return add_version(g, member, text);
    add(g, "external", arena_printf(g->rq->arena, "projects/%s/external/%s", g->rq->project, text));
    return OK;
}

static enum err add_uses(struct gathering *g, const json_t *uses)
{
    const json_t *item;
    size_t i;

    json_array_foreach(uses, i, item)
    {
        TRY(add_version(g, arena_printf(g->rq->arena, "manifest.uses[%zu]", i),
                        json_string_value(item)));
    }
    return OK;
}

static enum err add_nodes(struct gathering *g, const json_t *nodes)
{
    const json_t *item;
    size_t i;

    json_array_foreach(nodes, i, item)
    {
        TRY(add_text(g, arena_printf(g->rq->arena, "manifest.nodes[%zu].uses", i),
                     json_string_value(json_object_get(item, "uses"))));
    }
    return OK;
}

enum err source_list(struct request *rq, const char *kind, const json_t *manifest,
                     struct sources *out)
{
    const char *environment = json_string_value(json_object_get(manifest, "environment"));
    const char *model = json_string_value(json_object_get(manifest, "model"));
    const json_t *uses = json_object_get(manifest, "uses"), *code;
    const json_t *nodes = json_object_get(manifest, "nodes");
    struct gathering g = {.rq = rq, .out = out};
    const char *commit;

    *out = (struct sources){
        .items = arena_alloc(rq->arena, (json_array_size(uses) + 3 + json_array_size(nodes)) *
                                            sizeof(struct source))};
    if (environment != NULL)
        TRY(add_version(&g, "manifest.environment", environment));
    if (model != NULL && strcmp(kind, "prompt") == 0)
        TRY(add_text(&g, "manifest.model", model));
    TRY(add_uses(&g, uses));
    if (strcmp(kind, "flow") == 0)
        TRY(add_nodes(&g, nodes));
    code = json_object_get(manifest, "code");
    if (!json_is_object(code))
        return OK;
    TRY(source_code(rq, "manifest.code", code, &commit));
    add(&g, "code", commit);
    return OK;
}

enum err source_trace(struct request *rq, const struct sources *s, const char *node)
{
    for (size_t i = 0; i < s->count; i++) {
        if (s->items[i].kind != NULL)
            TRY(provenance_node(rq->db, s->items[i].kind, s->items[i].node, rq->project, NULL));
        TRY(provenance_edge(rq->db, s->items[i].node, node, "use", rq->id));
    }
    return OK;
}
