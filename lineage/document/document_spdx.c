/* SPDX-License-Identifier: Apache-2.0 */
/* SPDX 3.0.1 (ISO/IEC 5962 to be) as JSON-LD: profiles core, software, ai and dataset. */
#include "lineage/document/record.h"

#include <string.h>

struct spdx {
    struct document *d;
    json_t *graph;
    json_t *ids;
    const char *base; /* of the ids */
    unsigned relations;
};

static json_t *element(struct spdx *s, const char *type, const char *id)
{
    json_t *e =
        json_pack("{s:s, s:s, s:s}", "type", type, "spdxId", id, "creationInfo", "_:creation");

    json_array_append(s->graph, e);
    json_array_append_new(s->ids, json_string(id));
    json_decref(e); /* the graph's now */
    return e;
}

static const char *id_of(struct spdx *s, const char *name)
{
    return arena_printf(s->d->arena, "%s#%s", s->base, name);
}

static void set(json_t *e, const char *name, const char *value)
{
    if (*value != '\0')
        json_object_set_new(e, name, json_string(value));
}

static json_t *sha256(const char *hex)
{
    return json_pack("[{s:s, s:s, s:s}]", "type", "Hash", "algorithm", "sha256", "hashValue", hex);
}

static void relate(struct spdx *s, const char *from, const char *kind, const char *to)
{
    json_t *e = element(s, "Relationship",
                        id_of(s, arena_printf(s->d->arena, "relationship-%u", ++s->relations)));

    set(e, "from", from);
    set(e, "relationshipType", kind);
    json_object_set_new(e, "to", json_pack("[s]", to));
}

/* Nothing is known of licences, and so it is said. */
static void license(struct spdx *s, const char *id)
{
    relate(s, id, "hasDeclaredLicense", "expandedlicensing_NoAssertionLicense");
    relate(s, id, "hasConcludedLicense", "expandedlicensing_NoAssertionLicense");
}

static void package(struct spdx *s, json_t *e, const json_t *version, const char *purpose)
{
    struct arena *a = s->d->arena;

    set(e, "name", record_text(version, "name"));
    set(e, "description", record_text(version, "asset_description"));
    set(e, "software_packageVersion",
        arena_printf(a, "%lld", (long long)json_integer_value(json_object_get(version, "number"))));
    set(e, "software_primaryPurpose", purpose);
    set(e, "software_downloadLocation",
        arena_printf(a, "%s/v1/%s/files", s->d->url, record_text(version, "node")));
    set(e, "releaseTime", record_second(a, record_text(version, "ready_at")));
    set(e, "builtTime", record_second(a, record_text(version, "ready_at")));
    set(e, "suppliedBy", id_of(s, "supplier"));
    json_object_set_new(e, "verifiedUsing", sha256(record_text(version, "digest")));
    json_object_set_new(e, "originatedBy", json_pack("[s]", id_of(s, "supplier")));
}

static json_t *dictionary(struct document *d, const json_t *from)
{
    json_t *list = json_array(), *value;
    const char *name;

    json_object_foreach((json_t *)from, name, value)
    {
        const char *text = json_string_value(value);

        if (json_is_object(value) || json_is_array(value))
            continue;
        if (text == NULL)
            text = json_is_integer(value)
                       ? arena_printf(d->arena, "%lld", (long long)json_integer_value(value))
                   : json_is_real(value) ? arena_printf(d->arena, "%.6g", json_real_value(value))
                   : json_is_true(value) ? "true"
                                         : "false";
        json_array_append_new(list, json_pack("{s:s, s:s, s:s}", "type", "DictionaryEntry", "key",
                                              name, "value", text));
    }
    return list;
}

static const char *add_model(struct spdx *s)
{
    const json_t *version = json_object_get(s->d->record, "version");
    const json_t *manifest = json_object_get(version, "manifest");
    const json_t *spec = json_object_get(json_object_get(s->d->record, "job"), "spec");
    const char *id = id_of(s, "model");
    json_t *e = element(s, "ai_AIPackage", id);

    package(s, e, version, "model");
    if (*record_text(spec, "trainer") != '\0')
        json_object_set_new(e, "ai_typeOfModel", json_pack("[s]", record_text(spec, "trainer")));
    if (*record_text(manifest, "task") != '\0')
        json_object_set_new(e, "ai_domain", json_pack("[s]", record_text(manifest, "task")));
    json_object_set_new(e, "ai_hyperparameter", dictionary(s->d, spec));
    json_object_set_new(e, "ai_metric", dictionary(s->d, json_object_get(manifest, "metrics")));
    license(s, id);
    return id;
}

static void add_files(struct spdx *s, const char *model)
{
    const json_t *version = json_object_get(s->d->record, "version");
    json_t *file;
    size_t i;

    json_array_foreach(json_object_get(version, "files"), i, file)
    {
        const char *id = id_of(s, arena_printf(s->d->arena, "file-%zu", i + 1));
        json_t *e = element(s, "software_File", id);

        set(e, "name", record_text(file, "path"));
        json_object_set_new(e, "verifiedUsing", sha256(record_text(file, "sha256")));
        relate(s, model, "contains", id);
    }
}

static void add_inputs(struct spdx *s, const char *model)
{
    json_t *input;
    size_t i;

    json_array_foreach(json_object_get(s->d->record, "inputs"), i, input)
    {
        bool data = strcmp(record_text(input, "kind"), "dataset") == 0;
        const char *id = id_of(s, arena_printf(s->d->arena, "input-%zu", i + 1));
        json_t *e = element(s, data ? "dataset_DatasetPackage" : "ai_AIPackage", id);
        json_t *rows = json_object_get(json_object_get(input, "manifest"), "rows");

        package(s, e, input, data ? "data" : "model");
        license(s, id);
        if (data) {
            json_object_set_new(e, "dataset_datasetType", json_pack("[s]", "structured"));
            set(e, "dataset_hasSensitivePersonalInformation", "noAssertion");
            if (json_is_integer(rows))
                json_object_set(e, "dataset_datasetSize", rows);
        }
        relate(s, model, data ? "trainedOn" : "dependsOn", id);
    }
}

static void add_sources(struct spdx *s, const char *model)
{
    json_t *source;
    size_t i;

    json_array_foreach(json_object_get(s->d->record, "sources"), i, source)
    {
        const char *id = id_of(s, arena_printf(s->d->arena, "source-%zu", i + 1));
        const char *digest = record_text(source, "sha256");
        json_t *e = element(s, "software_Package", id);

        set(e, "name", record_text(source, "node"));
        if (*digest != '\0')
            json_object_set_new(e, "verifiedUsing", sha256(digest));
        relate(s, model, "dependsOn", id);
    }
}

static void add_creation(struct spdx *s)
{
    const json_t *version = json_object_get(s->d->record, "version");
    json_t *supplier;

    json_array_append_new(s->graph,
                          json_pack("{s:s, s:s, s:s, s:s, s:[s]}", "type", "CreationInfo", "@id",
                                    "_:creation", "specVersion", "3.0.1", "created",
                                    record_second(s->d->arena, record_text(version, "ready_at")),
                                    "createdBy", id_of(s, "supplier")));
    supplier = element(s, "Organization", id_of(s, "supplier"));
    set(supplier, "name", record_text(s->d->record, "tenant"));
}

json_t *document_spdx(struct document *d)
{
    const json_t *version = json_object_get(d->record, "version");
    struct spdx s = {.d = d,
                     .graph = json_array(),
                     .ids = json_array(),
                     .base =
                         arena_printf(d->arena, "%s/v1/%s", d->url, record_text(version, "node"))};
    const char *model;
    json_t *document;

    add_creation(&s);
    model = add_model(&s);
    add_files(&s, model);
    add_inputs(&s, model);
    add_sources(&s, model);
    document = json_pack("{s:s, s:s, s:s, s:s, s:[s], s:o, s:[ssss]}", "type", "SpdxDocument",
                         "spdxId", id_of(&s, "document"), "creationInfo", "_:creation", "name",
                         record_text(version, "node"), "rootElement", model, "element", s.ids,
                         "profileConformance", "core", "software", "ai", "dataset");
    json_array_append_new(s.graph, document);
    return json_pack("{s:s, s:o}", "@context", "https://spdx.org/rdf/3.0.1/spdx-context.jsonld",
                     "@graph", s.graph);
}
