/* SPDX-License-Identifier: Apache-2.0 */
/* CycloneDX 1.6 (ECMA-424), a machine-learning bill of materials. */
#include "lineage/document/record.h"

#include <string.h>

static json_t *sha256_hashes(const char *hex)
{
    return json_pack("[{s:s, s:s}]", "alg", "SHA-256", "content", hex);
}

static json_t *property(const char *name, const char *value)
{
    return json_pack("{s:s, s:s}", "name", name, "value", value);
}

static json_t *files_of(struct document *d, const json_t *version)
{
    json_t *list = json_array(), *file;
    size_t i;

    json_array_foreach(json_object_get(version, "files"), i, file)
    {
        json_array_append_new(
            list, json_pack("{s:s, s:s, s:s, s:o}", "type", "file", "bom-ref",
                            arena_printf(d->arena, "file:%s", record_text(file, "path")), "name",
                            record_text(file, "path"), "hashes",
                            sha256_hashes(record_text(file, "sha256"))));
    }
    return list;
}

/* What the model was made from: data as data, models as models. */
static json_t *input_component(struct document *d, const json_t *input)
{
    bool model = strcmp(record_text(input, "kind"), "model") == 0;
    const char *node = record_text(input, "node"), *description;
    json_t *c =
        json_pack("{s:s, s:s, s:s, s:s, s:o}", "type", model ? "machine-learning-model" : "data",
                  "bom-ref", node, "name", record_text(input, "name"), "version",
                  arena_printf(d->arena, "%lld",
                               (long long)json_integer_value(json_object_get(input, "number"))),
                  "hashes", sha256_hashes(record_text(input, "digest")));

    description = record_text(input, "asset_description");
    if (*description != '\0')
        json_object_set_new(c, "description", json_string(description));
    if (!model)
        json_object_set_new(
            c, "data",
            json_pack("[{s:s, s:s, s:{s:s}}]", "type", "dataset", "name",
                      record_text(input, "name"), "contents", "url",
                      arena_printf(d->arena, "%s/v1/lineage?node=%s", d->url, node)));
    return c;
}

/* Code, environments, prompts… by their nodes. */
static json_t *source_component(const json_t *source)
{
    static const struct {
        const char *kind;
        const char *type;
    } types[] = {{"environment", "platform"},
                 {"dataset", "data"},
                 {"prompt", "data"},
                 {"logged-model", "machine-learning-model"}};
    const char *kind = record_text(source, "kind"), *type = "application";
    const char *sha256 = record_text(source, "sha256");
    json_t *c;

    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
        if (strcmp(types[i].kind, kind) == 0)
            type = types[i].type;
    c = json_pack("{s:s, s:s, s:s, s:[o]}", "type", type, "bom-ref", record_text(source, "node"),
                  "name", record_text(source, "node"), "properties",
                  property("chancery:kind", kind));
    if (*sha256 != '\0')
        json_object_set_new(c, "hashes", sha256_hashes(sha256));
    return c;
}

static json_t *metrics(struct document *d, const json_t *manifest)
{
    json_t *list = json_array(), *value;
    const char *name, *slice = record_text(manifest, "metrics_on");

    json_object_foreach(json_object_get(manifest, "metrics"), name, value)
    {
        json_array_append_new(list,
                              json_pack("{s:s, s:s, s:s}", "type", name, "value",
                                        arena_printf(d->arena, "%.6g", json_number_value(value)),
                                        "slice", *slice == '\0' ? "all" : slice));
    }
    return list;
}

static json_t *card_of(struct document *d, const json_t *version)
{
    const json_t *manifest = json_object_get(version, "manifest");
    const json_t *spec = json_object_get(json_object_get(d->record, "job"), "spec");
    json_t *datasets = json_array(), *input, *parameters;
    const char *task = record_text(manifest, "task"), *trainer = record_text(spec, "trainer");
    size_t i;

    json_array_foreach(json_object_get(d->record, "inputs"), i, input)
    {
        if (strcmp(record_text(input, "kind"), "dataset") == 0)
            json_array_append_new(datasets, json_pack("{s:s}", "ref", record_text(input, "node")));
    }
    parameters = json_pack("{s:o}", "datasets", datasets);
    if (*task != '\0')
        json_object_set_new(parameters, "task", json_string(task));
    if (*trainer != '\0') {
        json_object_set_new(parameters, "approach", json_pack("{s:s}", "type", "supervised"));
        json_object_set_new(parameters, "architectureFamily", json_string(trainer));
    }
    return json_pack("{s:o, s:{s:o}}", "modelParameters", parameters, "quantitativeAnalysis",
                     "performanceMetrics", metrics(d, manifest));
}

static json_t *model_component(struct document *d, const json_t *version)
{
    const char *description = record_text(version, "asset_description");
    json_t *c = json_pack(
        "{s:s, s:s, s:s, s:s, s:s, s:o, s:o}", "type", "machine-learning-model", "bom-ref",
        record_text(version, "node"), "group", record_text(d->record, "project"), "name",
        record_text(version, "name"), "version",
        arena_printf(d->arena, "%lld",
                     (long long)json_integer_value(json_object_get(version, "number"))),
        "hashes", sha256_hashes(record_text(version, "digest")), "modelCard", card_of(d, version));

    if (*description != '\0')
        json_object_set_new(c, "description", json_string(description));
    return c;
}

/* Who let it into production: approvals as properties, which every reader keeps. */
static json_t *properties(struct document *d)
{
    json_t *list = json_array(), *approval;
    size_t i;

    json_array_foreach(json_object_get(d->record, "approvals"), i, approval)
    {
        json_array_append_new(list,
                              property(arena_printf(d->arena, "chancery:approval:%s",
                                                    record_text(approval, "action")),
                                       arena_printf(d->arena, "%s %s", record_text(approval, "id"),
                                                    record_text(approval, "state"))));
    }
    return list;
}

static json_t *dependencies(const json_t *components, const char *model)
{
    json_t *list = json_array(), *on = json_array(), *c;
    size_t i;

    json_array_foreach(components, i, c)
    {
        const char *ref = record_text(c, "bom-ref");

        json_array_append_new(on, json_string(ref));
        json_array_append_new(list, json_pack("{s:s}", "ref", ref));
    }
    json_array_insert_new(list, 0, json_pack("{s:s, s:o}", "ref", model, "dependsOn", on));
    return list;
}

json_t *document_cyclonedx(struct document *d)
{
    const json_t *version = json_object_get(d->record, "version");
    json_t *components = files_of(d, version), *input, *source;
    size_t i;

    json_array_foreach(json_object_get(d->record, "inputs"), i, input)
    {
        json_array_append_new(components, input_component(d, input));
    }
    json_array_foreach(json_object_get(d->record, "sources"), i, source)
    {
        json_array_append_new(components, source_component(source));
    }
    return json_pack(
        "{s:s, s:s, s:s, s:s, s:i, s:{s:s, s:{s:[{s:s, s:s}]}, s:o, s:o}, s:o, s:o}", "$schema",
        "http://cyclonedx.org/schema/bom-1.6.schema.json", "bomFormat", "CycloneDX", "specVersion",
        "1.6", "serialNumber", arena_printf(d->arena, "urn:uuid:%s", record_text(version, "id")),
        "version", 1, "metadata", "timestamp", record_text(version, "ready_at"), "tools",
        "components", "type", "application", "name", "chancery", "component",
        model_component(d, version), "properties", properties(d), "dependencies",
        dependencies(components, record_text(version, "node")), "components", components);
}
