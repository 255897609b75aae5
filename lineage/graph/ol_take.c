/* SPDX-License-Identifier: Apache-2.0 */
#include "lineage/graph/ol_take.h"

#include "lineage/graph/ol_store.h"
#include "lineage/graph/provenance.h"

#include <string.h>

bool (*lineage_writer)(struct request *rq, const char *project);

/* The namespace whose datasets are named by nodes of ours. */
static const char ours[] = "chancery";

struct taking {
    struct request *rq;
    const char *project;
    struct ol_event *events;
    size_t count;
    json_t *there; /* of ol_look */
    struct ol_taken *out;
    const char *own; /* the project of the event at hand */
};

static bool writes(struct taking *k, const char *project)
{
    return lineage_writer != NULL && lineage_writer(k->rq, *project == '\0' ? NULL : project);
}

/* The project that a node has, or NULL when there is none. */
static const char *node_project(const struct taking *k, const char *node)
{
    return json_string_value(json_object_get(json_object_get(k->there, "nodes"), node));
}

static bool is_project(const struct taking *k, const char *namespace)
{
    return json_object_get(json_object_get(k->there, "projects"), namespace) != NULL;
}

static void refuse(struct taking *k, size_t index, enum err e, const char *why)
{
    json_array_append_new(k->out->failed, json_pack("{s:I, s:s, s:b}", "index", (json_int_t)index,
                                                    "reason", why, "retriable", 0));
    k->out->why = e;
}

/* Names as the event has them, of which the database is asked at once. */
struct naming {
    struct arena *arena;
    json_t *nodes;
    json_t *namespaces;
};

static void name_thing(struct naming *n, const struct ol_thing *t)
{
    json_object_set_new(n->nodes, t->node, json_true());
    json_object_set_new(n->namespaces, t->namespace, json_true());
    if (strcmp(t->namespace, ours) == 0)
        json_object_set_new(n->nodes, t->name, json_true());
}

static void name_origins(struct naming *n, const json_t *dataset)
{
    const json_t *lineage = json_object_get(json_object_get(dataset, "facets"), "columnLineage");
    struct ol_thing t;
    const char *field;
    json_t *value;
    size_t i;
    json_t *input;

    json_object_foreach(json_object_get(lineage, "fields"), field, value)
    {
        json_array_foreach(json_object_get(value, "inputFields"), i, input)
        {
            if (ol_thing_read(n->arena, input, "dataset", &t) == NULL)
                name_thing(n, &t);
        }
    }
}

static void name_datasets(struct naming *n, const json_t *list)
{
    struct ol_thing t;

    for (size_t i = 0; i < json_array_size(list); i++)
        if (ol_thing_read(n->arena, json_array_get(list, i), "dataset", &t) == NULL) {
            name_thing(n, &t);
            name_origins(n, json_array_get(list, i));
        }
}

static void name_event(struct naming *n, const struct ol_event *e)
{
    name_thing(n, &e->job);
    if (e->run_node != NULL)
        json_object_set_new(n->nodes, e->run_node, json_true());
    name_datasets(n, json_object_get(e->json, "inputs"));
    name_datasets(n, json_object_get(e->json, "outputs"));
    name_origins(n, json_object_get(e->json, "dataset"));
}

static const char **keys(struct arena *a, json_t *object, size_t *count)
{
    const char **out = arena_alloc(a, (json_object_size(object) + 1) * sizeof(*out));
    const char *key;
    json_t *value;

    *count = 0;
    json_object_foreach(object, key, value)
    {
        out[(*count)++] = arena_text(a, key);
    }
    return out;
}

static const char *hex_of(struct arena *a, const struct digest *d)
{
    char *hex = arena_alloc(a, 2 * SHA256_SIZE + 1);

    hex_encode(d->bytes, SHA256_SIZE, hex);
    return hex;
}

static enum err look(struct taking *k)
{
    struct arena *a = k->rq->arena;
    struct naming n = {.arena = a, .nodes = json_object(), .namespaces = json_object()};
    struct ol_names names = {.digests = arena_alloc(a, (k->count + 1) * sizeof(const char *))};

    for (size_t i = 0; i < k->count; i++) {
        if (k->events[i].json == NULL)
            continue;
        names.digests[names.digest_count++] = hex_of(a, &k->events[i].digest);
        name_event(&n, &k->events[i]);
    }
    names.nodes = keys(a, n.nodes, &names.node_count);
    names.projects = keys(a, n.namespaces, &names.project_count);
    json_decref(n.nodes);
    json_decref(n.namespaces);
    return ol_look(k->rq->db, &names, &k->there);
}

static const char *known(void *context, const struct ol_thing *dataset)
{
    const struct taking *k = context;

    return strcmp(dataset->namespace, ours) == 0 && node_project(k, dataset->name) != NULL
               ? dataset->name
               : NULL;
}

static const char *owner(void *context, const struct ol_thing *dataset)
{
    struct taking *k = context;
    const char *project = node_project(k, dataset->node);

    if (project != NULL)
        return project;
    return is_project(k, dataset->namespace) && writes(k, dataset->namespace) ? dataset->namespace
                                                                              : k->own;
}

/* What is there already keeps its project, and is added to by who may write there. */
static bool may_touch(struct taking *k, const char *node)
{
    const char *project = node == NULL ? NULL : node_project(k, node);

    return project == NULL || writes(k, project);
}

/* The first thing that the caller may not add to; NULL for none. */
static const char *forbidden(struct taking *k, const struct ol_event *e)
{
    const json_t *outputs = json_object_get(e->json, "outputs");
    struct ol_thing t;

    if (!writes(k, k->own) || !may_touch(k, e->job.node))
        return e->job.namespace;
    if (!may_touch(k, e->run_node))
        return e->run_node;
    for (size_t i = 0; i < json_array_size(outputs); i++)
        if (ol_thing_read(k->rq->arena, json_array_get(outputs, i), "dataset", &t) == NULL &&
            !may_touch(k, strcmp(t.namespace, ours) == 0 && node_project(k, t.name) != NULL
                              ? t.name
                              : t.node))
            return t.name;
    return NULL;
}

/* The event's facts are what later events of the request meet. */
static void remember(struct taking *k, const struct ol_facts *f)
{
    json_t *nodes = json_object_get(k->there, "nodes"), *node;
    size_t i;

    json_array_foreach(f->nodes, i, node)
    {
        const char *name = json_string_value(json_object_get(node, "name"));

        if (json_object_get(nodes, name) == NULL)
            json_object_set(nodes, name, json_object_get(node, "project"));
    }
}

static enum err take_one(struct taking *k, size_t i)
{
    const struct ol_event *e = &k->events[i];
    const char *hex = hex_of(k->rq->arena, &e->digest), *why;
    json_t *digests = json_object_get(k->there, "digests");
    struct ol_facts f = {
        .arena = k->rq->arena, .event = e, .known = known, .owner = owner, .context = k};

    k->own = is_project(k, e->job.namespace) ? e->job.namespace : k->project;
    f.project = k->own;
    why = forbidden(k, e);
    if (why != NULL) {
        refuse(k, i, ERR_DENIED,
               arena_printf(k->rq->arena, "this needs lineage/write where %s belongs", why));
        return OK;
    }
    k->out->taken++;
    if (json_object_get(digests, hex) != NULL) {
        k->out->known++;
        return OK;
    }
    why = ol_facts_make(&f);
    if (why != NULL) {
        k->out->taken--;
        refuse(k, i, ERR_INVALID, why);
        return OK;
    }
    json_object_set_new(digests, hex, json_true());
    remember(k, &f);
    return ol_put(k->rq->db, &f, k->rq->id);
}

static void release_json(void *json)
{
    json_decref(json);
}

enum err ol_take(struct request *rq, const json_t *events, const char *project,
                 struct ol_taken *out)
{
    struct taking k = {.rq = rq, .project = project, .count = json_array_size(events), .out = out};

    *out = (struct ol_taken){.received = k.count, .failed = json_array()};
    arena_own(rq->arena, out->failed, release_json);
    k.events = arena_alloc(rq->arena, (k.count + 1) * sizeof(*k.events));
    for (size_t i = 0; i < k.count; i++) {
        const char *why = ol_event_read(rq->arena, json_array_get(events, i), &k.events[i]);

        if (why == NULL)
            continue;
        k.events[i].json = NULL;
        refuse(&k, i, ERR_INVALID, why);
    }
    TRY(look(&k));
    for (size_t i = 0; i < k.count; i++)
        if (k.events[i].json != NULL)
            TRY(take_one(&k, i));
    return OK;
}
