/* SPDX-License-Identifier: Apache-2.0 */
#include "lineage/graph/ol_facts.h"

#include "core/text.h"
#include "lineage/graph/code.h"

#include <string.h>

static void release_json(void *json)
{
    json_decref(json);
}

static json_t *kept(struct arena *a, json_t *items)
{
    arena_own(a, items, release_json);
    return items;
}

static void add_node(struct ol_facts *f, const char *kind, const char *name, const char *project)
{
    json_array_append_new(
        f->nodes, json_pack("{s:s, s:s, s:s}", "kind", kind, "name", name, "project", project));
}

static void add_edge(struct ol_facts *f, const char *src, const char *dst, const char *kind)
{
    if (strcmp(src, dst) != 0)
        json_array_append_new(f->edges,
                              json_pack("{s:s, s:s, s:s}", "src", src, "dst", dst, "kind", kind));
}

static json_t *facets_copy(const json_t *facets)
{
    return facets == NULL ? json_object() : json_copy((json_t *)(uintptr_t)facets);
}

/* Takes facets. What is named more than once in an event is one row. */
static void add_thing(json_t *to, const struct ol_thing *t, const char *project, json_t *facets)
{
    json_t *there = json_object_get(to, t->node);

    if (there == NULL) {
        json_object_set_new(to, t->node,
                            json_pack("{s:s, s:s, s:s, s:o}", "project", project, "namespace",
                                      t->namespace, "name", t->name, "facets", facets));
        return;
    }
    (void)json_object_update(json_object_get(there, "facets"), facets);
    json_decref(facets);
}

/* The dataset's node, made unless it is one of ours. extra are the facets that a run saw on it. */
static const char *add_dataset(struct ol_facts *f, const struct ol_thing *t, const json_t *extra)
{
    const char *node = f->known(f->context, t);
    const char *project;
    json_t *facets;

    if (node != NULL)
        return node;
    project = f->owner(f->context, t);
    facets = facets_copy(t->facets);
    if (json_is_object(extra))
        (void)json_object_update_missing(facets, (json_t *)(uintptr_t)extra);
    add_node(f, "ol-dataset", t->node, project);
    add_thing(f->datasets, t, project, facets);
    return t->node;
}

static const char *add_column(struct ol_facts *f, const struct ol_thing *dataset, const char *field)
{
    const char *node = ol_column_node(f->arena, dataset, field);

    add_node(f, "ol-column", node, f->owner(f->context, dataset));
    json_array_append_new(f->columns, json_pack("{s:s, s:s, s:s}", "node", node, "dataset",
                                                dataset->node, "field", field));
    return node;
}

/* One column of an output and what it came from (facet columnLineage). */
static const char *add_origins(struct ol_facts *f, const struct ol_thing *output, const char *field,
                               const json_t *inputs)
{
    const char *to = add_column(f, output, field), *why;
    struct ol_thing input;

    for (size_t i = 0; i < json_array_size(inputs); i++) {
        const json_t *one = json_array_get(inputs, i);
        const char *from = json_string_value(json_object_get(one, "field"));

        if (f->columns_left-- == 0)
            return "columnLineage names too many columns";
        why = ol_thing_read(f->arena, one, "dataset", &input);
        if (why != NULL || from == NULL || *from == '\0' || strlen(from) > OL_NAME_MAX / 4)
            return "columnLineage names an input field that is none";
        (void)add_dataset(f, &input, NULL);
        add_edge(f, add_column(f, &input, from), to, "derive");
        /* Without a run or job between them the datasets themselves are tied. */
        if (strcmp(f->event->kind, "dataset") == 0)
            add_edge(f, input.node, output->node, "derive");
    }
    return NULL;
}

static const char *add_columns(struct ol_facts *f, const struct ol_thing *output)
{
    const json_t *fields =
        json_object_get(json_object_get(output->facets, "columnLineage"), "fields");
    const char *field, *why;
    json_t *value;

    json_object_foreach((json_t *)(uintptr_t)fields, field, value)
    {
        if (*field == '\0' || strlen(field) > OL_NAME_MAX / 4 || f->columns_left-- == 0)
            return "columnLineage names a column too many, or one that is none";
        why = add_origins(f, output, field, json_object_get(value, "inputFields"));
        if (why != NULL)
            return why;
    }
    return NULL;
}

static const char *add_item(struct ol_facts *f, const json_t *item, bool output)
{
    const char *by = f->event->run_node == NULL ? f->event->job.node : f->event->run_node;
    const json_t *facets = json_object_get(item, output ? "outputFacets" : "inputFacets");
    struct ol_thing dataset;
    const char *why = ol_thing_read(f->arena, item, "dataset", &dataset);
    const char *node;

    if (why != NULL)
        return why;
    node = add_dataset(f, &dataset, facets);
    if (output)
        add_edge(f, by, node, "produce");
    else
        add_edge(f, node, by, "consume");
    json_array_append_new(f->io, json_pack("{s:s, s:s, s:b}", "job", f->event->job.node, "dataset",
                                           node, "output", output));
    return output ? add_columns(f, &dataset) : NULL;
}

static const char *add_side(struct ol_facts *f, bool output)
{
    const json_t *items = json_object_get(f->event->json, output ? "outputs" : "inputs");
    const char *why = NULL;

    for (size_t i = 0; i < json_array_size(items) && why == NULL; i++)
        why = add_item(f, json_array_get(items, i), output);
    return why;
}

/* The commit a job was run from (facet sourceCodeLocation) is a thing of its own. */
static void add_code(struct ol_facts *f)
{
    const json_t *at = json_object_get(f->event->job.facets, "sourceCodeLocation");
    const char *url = json_string_value(json_object_get(at, "repoUrl"));
    const char *commit = json_string_value(json_object_get(at, "version"));
    const char *name;

    if (url == NULL)
        url = json_string_value(json_object_get(at, "url"));
    name = url == NULL ? NULL : code_node(f->arena, f->project, url, commit);
    if (name == NULL)
        return;
    add_node(f, "code", name, f->project);
    add_edge(f, name, f->event->run_node == NULL ? f->event->job.node : f->event->run_node, "use");
}

/* The run that started this one (facet parent). */
static const char *add_parent(struct ol_facts *f)
{
    const json_t *parent = json_object_get(f->event->run_facets, "parent");
    const char *id = json_string_value(json_object_get(json_object_get(parent, "run"), "runId"));
    struct ol_thing job;
    const char *why, *run;

    if (parent == NULL)
        return NULL;
    if (id == NULL || !id_valid(id))
        return "the parent facet's runId must be a UUID";
    why = ol_thing_read(f->arena, json_object_get(parent, "job"), "job", &job);
    if (why != NULL)
        return why;
    run = ol_run_node(f->arena, id);
    add_node(f, "ol-job", job.node, f->project);
    add_node(f, "ol-run", run, f->project);
    add_thing(f->jobs, &job, f->project, json_object());
    add_edge(f, job.node, run, "run");
    add_edge(f, run, f->event->run_node, "parent");
    return NULL;
}

static const char *add_run(struct ol_facts *f)
{
    const struct ol_event *e = f->event;

    add_node(f, "ol-run", e->run_node, f->project);
    add_edge(f, e->job.node, e->run_node, "run");
    json_array_append_new(f->runs, json_pack("{s:s, s:s, s:s, s:s, s:o}", "node", e->run_node,
                                             "run_id", e->run_id, "job", e->job.node, "type",
                                             e->type == NULL ? "OTHER" : e->type, "facets",
                                             facets_copy(e->run_facets)));
    return add_parent(f);
}

const char *ol_facts_make(struct ol_facts *f)
{
    const struct ol_event *e = f->event;
    const char *why = NULL;
    json_t **lists[] = {&f->nodes, &f->edges, &f->runs, &f->io, &f->columns};

    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
        *lists[i] = kept(f->arena, json_array());
    f->jobs = kept(f->arena, json_object());
    f->datasets = kept(f->arena, json_object());
    f->columns_left = OL_COLUMNS_MAX;
    if (strcmp(e->kind, "dataset") == 0) {
        (void)add_dataset(f, &e->job, NULL);
        return add_columns(f, &e->job);
    }
    add_node(f, "ol-job", e->job.node, f->project);
    add_thing(f->jobs, &e->job, f->project, facets_copy(e->job.facets));
    if (e->run_node != NULL)
        why = add_run(f);
    add_code(f);
    if (why == NULL)
        why = add_side(f, false);
    return why == NULL ? add_side(f, true) : why;
}
