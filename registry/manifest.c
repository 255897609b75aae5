/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/manifest.h"

#include "registry/source.h"

#include <string.h>

enum { NODES_MAX = 500, EDGES_MAX = 2000, MESSAGES_MAX = 1000, USES_MAX = 100 };

/* The members of every kind; each reads its own. */
struct manifest {
    const char *python, *image, *command, *environment, *kernel, *entry, *type, *target, *secret;
    const char *model;
    struct texts packages, uses;
    json_t *variables, *inputs, *outputs, *template, *model_config, *response_format;
    json_t *nodes, *edges, *options, *code;
};

/* What every kind may say it was made from; source.h reads it. */
#define SOURCES OPT_TEXTS(struct manifest, uses, USES_MAX), OPT_OBJECT(struct manifest, code)

static const struct field environment_fields[] = {
    TEXT(struct manifest, python, 64),
    TEXTS(struct manifest, packages, 2000),
    OPT_TEXT(struct manifest, image, 500),
    OPT_OBJECT(struct manifest, variables),
    SOURCES,
    FIELDS_END,
};
static const struct field component_fields[] = {
    TEXT(struct manifest, command, 4000),
    OBJECT(struct manifest, inputs),
    OBJECT(struct manifest, outputs),
    TEXT(struct manifest, environment, 200),
    SOURCES,
    FIELDS_END,
};
static const struct field prompt_fields[] = {
    JSON(struct manifest, template),
    OPT_OBJECT(struct manifest, model_config),
    OPT_JSON(struct manifest, response_format),
    OPT_TEXT(struct manifest, model, 200),
    SOURCES,
    FIELDS_END,
};
static const struct field notebook_fields[] = {
    TEXT(struct manifest, kernel, 64),
    TEXT(struct manifest, entry, 512),
    OPT_TEXT(struct manifest, environment, 200),
    SOURCES,
    FIELDS_END,
};
static const struct field flow_fields[] = {
    JSON(struct manifest, nodes),
    JSON(struct manifest, edges),
    SOURCES,
    FIELDS_END,
};
static const struct field connection_fields[] = {
    TEXT(struct manifest, type, 64),
    TEXT(struct manifest, target, 2000),
    OPT_NAME(struct manifest, secret),
    OPT_OBJECT(struct manifest, options),
    SOURCES,
    FIELDS_END,
};

struct node {
    const char *name;
    const char *uses;
};
static const struct field node_fields[] = {
    NAME(struct node, name),
    TEXT(struct node, uses, 200),
    FIELDS_END,
};
struct edge {
    const char *from;
    const char *to;
};
static const struct field edge_fields[] = {
    NAME(struct edge, from),
    NAME(struct edge, to),
    FIELDS_END,
};
struct message {
    const char *role;
    const char *content;
};
static const struct field message_fields[] = {
    TEXT(struct message, role, 64),
    TEXT(struct message, content, 100000),
    FIELDS_END,
};

static enum err refuse(struct request *rq, const char *member, const char *why)
{
    rq->target = arena_printf(rq->arena, "manifest.%s", member);
    return fail(rq, ERR_INVALID, "manifest.%s %s", member, why);
}

/* why begins with the member, or has the one that there is not in quotes. */
static enum err refuse_reading(struct request *rq, const char *why)
{
    const char *quote = strncmp(why, "there is no", 11) == 0 ? strchr(why, '"') : NULL;
    const char *name = quote == NULL ? why : quote + 1;

    rq->target = arena_printf(rq->arena, "manifest.%.*s", (int)strcspn(name, " :[\""), name);
    return fail(rq, ERR_INVALID, "%s: %s", rq->target, why);
}

/* A list of objects, as structs of that size in the arena. */
struct records {
    const char *member;
    const struct field *fields;
    size_t size;
    size_t most;
};

static enum err read_records(struct request *rq, const json_t *list, const struct records *of,
                             void **out)
{
    const char *why;
    char *items;

    if (!json_is_array(list) || json_array_size(list) > of->most)
        return refuse(rq, of->member,
                      arena_printf(rq->arena, "must be a list of at most %zu objects", of->most));
    items = arena_alloc(rq->arena, (json_array_size(list) + 1) * of->size);
    *out = items;
    for (size_t i = 0; i < json_array_size(list); i++)
        if (field_from_json(rq->arena, of->fields, json_array_get(list, i), items + i * of->size,
                            &why) != OK)
            return refuse(rq, of->member, arena_printf(rq->arena, "[%zu]: %s", i, why));
    return OK;
}

static enum err check_prompt(struct request *rq, const struct manifest *m)
{
    static const struct records messages = {"template", message_fields, sizeof(struct message),
                                            MESSAGES_MAX};
    void *items;

    if (json_is_string(m->template) && json_string_length(m->template) > 0)
        return OK;
    if (json_array_size(m->template) == 0)
        return refuse(rq, "template", "must be a text or a list of {role, content}");
    return read_records(rq, m->template, &messages, &items);
}

static enum err check_environment(struct request *rq, const struct manifest *m)
{
    struct version_key key;

    if (m->environment == NULL)
        return OK;
    if (version_key_parse(rq->arena, source_within(m->environment), &key) &&
        strcmp(key.kind, "environment") == 0)
        return OK;
    return refuse(rq, "environment", "must be a version such as environments/NAME/versions/1");
}

static size_t index_of(const struct node *nodes, size_t count, const char *name)
{
    size_t i = 0;

    while (i < count && strcmp(nodes[i].name, name) != 0)
        i++;
    return i;
}

/* Take away nodes that nothing leads to until none is left: what cannot be taken lies on a cycle.
 */
static bool has_cycle(struct arena *a, const struct node *nodes, size_t count,
                      const struct edge *edges, size_t links)
{
    bool *gone = arena_alloc(a, count + 1);
    size_t left = count;

    memset(gone, 0, count + 1);
    for (size_t before = count + 1; left > 0 && left < before;) {
        before = left;
        for (size_t i = 0; i < count; i++) {
            bool led_to = false;

            for (size_t e = 0; e < links && !gone[i]; e++)
                led_to = led_to || (strcmp(edges[e].to, nodes[i].name) == 0 &&
                                    !gone[index_of(nodes, count, edges[e].from)]);
            if (gone[i] || led_to)
                continue;
            gone[i] = true;
            left--;
        }
    }
    return left > 0;
}

static enum err check_flow(struct request *rq, const struct manifest *m)
{
    static const struct records of_nodes = {"nodes", node_fields, sizeof(struct node), NODES_MAX};
    static const struct records of_edges = {"edges", edge_fields, sizeof(struct edge), EDGES_MAX};
    size_t count = json_array_size(m->nodes), links = json_array_size(m->edges);
    const struct node *nodes;
    const struct edge *edges;
    void *items;

    TRY(read_records(rq, m->nodes, &of_nodes, &items));
    nodes = items;
    TRY(read_records(rq, m->edges, &of_edges, &items));
    edges = items;
    if (count == 0)
        return refuse(rq, "nodes", "must not be empty");
    for (size_t i = 0; i < count; i++)
        if (index_of(nodes, count, nodes[i].name) != i)
            return refuse(rq, "nodes", arena_printf(rq->arena, "has %s twice", nodes[i].name));
    for (size_t i = 0; i < links; i++)
        if (index_of(nodes, count, edges[i].from) == count ||
            index_of(nodes, count, edges[i].to) == count)
            return refuse(rq, "edges", arena_printf(rq->arena, "[%zu] leads to no node", i));
    return has_cycle(rq->arena, nodes, count, edges, links) ? refuse(rq, "edges", "make a cycle")
                                                            : OK;
}

static const struct {
    const char *kind;
    const struct field *fields;
    enum err (*check)(struct request *rq, const struct manifest *m);
} schemas[] = {
    {"environment", environment_fields, NULL}, {"component", component_fields, check_environment},
    {"prompt", prompt_fields, check_prompt},   {"notebook", notebook_fields, check_environment},
    {"flow", flow_fields, check_flow},         {"connection", connection_fields, NULL},
};

bool manifest_wanted(const char *kind)
{
    return strcmp(kind, "model") != 0 && strcmp(kind, "dataset") != 0;
}

enum err manifest_check(struct request *rq, const char *kind, const json_t *manifest)
{
    struct manifest m = {.python = NULL};
    const char *why;

    rq->target = "manifest";
    if (!manifest_wanted(kind))
        return manifest == NULL
                   ? OK
                   : fail(rq, ERR_INVALID, "manifest: that of a %s is made of its files", kind);
    if (manifest == NULL)
        return fail(rq, ERR_INVALID, "manifest: a version of a %s needs one", kind);
    for (size_t i = 0; i < sizeof(schemas) / sizeof(schemas[0]); i++) {
        if (strcmp(schemas[i].kind, kind) != 0)
            continue;
        if (field_from_json(rq->arena, schemas[i].fields, manifest, &m, &why) != OK)
            return refuse_reading(rq, why);
        if (schemas[i].check != NULL)
            TRY(schemas[i].check(rq, &m));
    }
    rq->target = NULL;
    return OK;
}

enum err manifest_fits(struct request *rq, const char *kind, const json_t *manifest,
                       const struct rows *files)
{
    const char *entry = json_string_value(json_object_get(manifest, "entry"));
    const struct version_file *file = files->items;

    if (strcmp(kind, "notebook") != 0)
        return OK;
    for (size_t i = 0; i < files->count; i++)
        if (entry != NULL && strcmp(file[i].path, entry) == 0)
            return OK;
    return refuse(rq, "entry", "is not one of the files");
}
