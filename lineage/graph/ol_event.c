/* SPDX-License-Identifier: Apache-2.0 */
#include "lineage/graph/ol_event.h"

#include "core/text.h"
#include "lineage/canonical.h"

#include <ctype.h>
#include <string.h>

enum { CANONICAL_MAX = 64 << 20 };

static const char *text_of(const json_t *json, const char *member)
{
    return json_string_value(json_object_get(json, member));
}

static bool name_fits(const char *name)
{
    size_t length = name == NULL ? 0 : strlen(name);

    if (length == 0 || length > OL_NAME_MAX)
        return false;
    for (const char *c = name; *c != '\0'; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            return false;
    return true;
}

const char *ol_thing_read(struct arena *a, const json_t *json, const char *kind,
                          struct ol_thing *out)
{
    *out = (struct ol_thing){.namespace = text_of(json, "namespace"),
                             .name = text_of(json, "name"),
                             .facets = json_object_get(json, "facets")};
    if (!json_is_object(json))
        return arena_printf(a, "a %s must be an object", kind);
    if (!name_fits(out->namespace))
        return arena_printf(a, "%s.namespace must be 1 to %d bytes of text", kind, OL_NAME_MAX);
    if (!name_fits(out->name))
        return arena_printf(a, "%s.name must be 1 to %d bytes of text", kind, OL_NAME_MAX);
    if (json_is_null(out->facets))
        out->facets = NULL;
    if (out->facets != NULL && !json_is_object(out->facets))
        return arena_printf(a, "%s.facets must be an object", kind);
    out->node = arena_printf(a, "ol-%s:%s:%s", kind, out->namespace, out->name);
    return NULL;
}

const char *ol_run_node(struct arena *a, const char *run_id)
{
    char *node = arena_printf(a, "ol-run:%s", run_id);

    for (char *c = node; *c != '\0'; c++)
        *c = (char)tolower((unsigned char)*c);
    return node;
}

const char *ol_column_node(struct arena *a, const struct ol_thing *dataset, const char *field)
{
    return arena_printf(a, "ol-column:%s:%s:%s", dataset->namespace, dataset->name, field);
}

static const char *read_type(struct ol_event *e)
{
    static const char *const types[] = {"START", "RUNNING", "COMPLETE", "ABORT", "FAIL", "OTHER"};

    e->type = text_of(e->json, "eventType");
    for (size_t i = 0; e->type != NULL && i < sizeof(types) / sizeof(types[0]); i++)
        if (strcmp(e->type, types[i]) == 0)
            return NULL;
    return e->type == NULL ? NULL : "eventType is none that OpenLineage knows";
}

static const char *read_run(struct arena *a, const json_t *run, struct ol_event *e)
{
    const char *id = text_of(run, "runId");

    if (id == NULL || !id_valid(id))
        return "run.runId must be a UUID";
    e->run_node = ol_run_node(a, id);
    e->run_id = strchr(e->run_node, ':') + 1;
    e->run_facets = json_object_get(run, "facets");
    if (e->run_facets != NULL && !json_is_object(e->run_facets))
        return "run.facets must be an object";
    return read_type(e);
}

static const char *check_datasets(struct arena *a, const json_t *event, const char *member)
{
    const json_t *list = json_object_get(event, member);
    struct ol_thing one;
    const char *why;

    if (list == NULL || json_is_null(list))
        return NULL;
    if (!json_is_array(list) || json_array_size(list) > OL_DATASETS_MAX)
        return arena_printf(a, "%s must be a list of at most %d datasets", member, OL_DATASETS_MAX);
    for (size_t i = 0; i < json_array_size(list); i++)
        if ((why = ol_thing_read(a, json_array_get(list, i), "dataset", &one)) != NULL)
            return arena_printf(a, "%s[%zu]: %s", member, i, why);
    return NULL;
}

static const char *digest_of(const json_t *json, struct digest *out)
{
    struct text t = text_new(CANONICAL_MAX);
    enum err e = canonical_json(json, &t);

    if (e == OK)
        *out = sha256_of(t.data, t.length);
    text_free(&t);
    return e == OK ? NULL : "the event is nested too deep or too large";
}

static const char *read_subject(struct arena *a, const json_t *json, struct ol_event *out)
{
    const json_t *run = json_object_get(json, "run"), *job = json_object_get(json, "job");
    const json_t *dataset = json_object_get(json, "dataset");
    const char *why = NULL;

    if (job == NULL && dataset == NULL)
        return "an event has a job (with or without a run) or a dataset";
    out->kind = run != NULL ? "run" : job != NULL ? "job" : "dataset";
    if (job != NULL)
        why = ol_thing_read(a, job, "job", &out->job);
    else if (run == NULL)
        why = ol_thing_read(a, dataset, "dataset", &out->job);
    else
        return "job is missing";
    return why == NULL && run != NULL ? read_run(a, run, out) : why;
}

const char *ol_event_read(struct arena *a, const json_t *json, struct ol_event *out)
{
    const char *why;
    int64_t ms;

    *out = (struct ol_event){.json = json, .at = text_of(json, "eventTime")};
    if (!json_is_object(json))
        return "an event must be an object";
    if (out->at == NULL || !time_parse(out->at, &ms))
        return "eventTime must be an RFC 3339 time";
    why = read_subject(a, json, out);
    if (why == NULL)
        why = check_datasets(a, json, "inputs");
    if (why == NULL)
        why = check_datasets(a, json, "outputs");
    return why == NULL ? digest_of(json, &out->digest) : why;
}
