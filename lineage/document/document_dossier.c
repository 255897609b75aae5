/* SPDX-License-Identifier: Apache-2.0 */
/* Technical documentation after Annex IV of Regulation (EU) 2024/1689. What the system cannot know
 * (purpose, risks, oversight, standards, the declaration, the plan after the sale) is taken from
 * tags of the model or its version, as text or as where to find it. */
#include "lineage/document/record.h"

#include <string.h>

struct dossier {
    struct document *d;
    json_t *sections;
    json_t *entries; /* of the section at hand */
    json_t *tables;
};

static void begin(struct dossier *s, const char *number, const char *title)
{
    s->entries = json_array();
    s->tables = json_array();
    json_array_append_new(s->sections,
                          json_pack("{s:s, s:s, s:o, s:o}", "number", number, "title", title,
                                    "entries", s->entries, "tables", s->tables));
}

static void entry(struct dossier *s, const char *name, const char *value)
{
    json_array_append_new(s->entries, json_pack("{s:s, s:s}", "name", name, "value", value));
}

/* An entry that must be on record. */
static void needed(struct dossier *s, const char *name, const char *value, const char *what)
{
    if (*value == '\0')
        document_lacks(s->d, "%s", what);
    entry(s, name, value);
}

static void needed_tag(struct dossier *s, const char *name, const char *tag)
{
    const json_t *version = json_object_get(s->d->record, "version");

    needed(s, name, record_text(json_object_get(version, "tags"), tag),
           arena_printf(s->d->arena, "tag %s of %s", tag, record_text(version, "node")));
}

static const char *scalar(struct arena *a, const json_t *value)
{
    if (json_is_string(value))
        return json_string_value(value);
    if (json_is_integer(value))
        return arena_printf(a, "%lld", (long long)json_integer_value(value));
    if (json_is_real(value))
        return arena_printf(a, "%.6g", json_real_value(value));
    return json_is_true(value) ? "yes" : json_is_false(value) ? "no" : "";
}

/* Rows of the columns named, from a list of objects. */
static void table(struct dossier *s, const char *caption, const char *const *columns,
                  const json_t *list)
{
    json_t *heads = json_array(), *rows = json_array(), *item;
    size_t i;

    for (size_t k = 0; columns[k] != NULL; k++)
        json_array_append_new(heads, json_string(columns[k]));
    json_array_foreach((json_t *)list, i, item)
    {
        json_t *row = json_array();

        for (size_t k = 0; columns[k] != NULL; k++)
            json_array_append_new(
                row, json_string(scalar(s->d->arena, json_object_get(item, columns[k]))));
        json_array_append_new(rows, row);
    }
    json_array_append_new(s->tables, json_pack("{s:s, s:o, s:o}", "caption", caption, "columns",
                                               heads, "rows", rows));
}

static void members(struct dossier *s, const char *caption, const json_t *object)
{
    static const char *const columns[] = {"name", "value", NULL};
    json_t *list = json_array(), *value;
    const char *name;

    json_object_foreach((json_t *)object, name, value)
    {
        json_array_append_new(
            list, json_pack("{s:s, s:s}", "name", name, "value", scalar(s->d->arena, value)));
    }
    table(s, caption, columns, list);
    json_decref(list);
}

static void general(struct dossier *s)
{
    const json_t *v = json_object_get(s->d->record, "version");
    static const char *const files[] = {"path", "size", "sha256", NULL};

    begin(s, "1", "General description of the AI system");
    entry(s, "Provider", record_text(s->d->record, "tenant"));
    entry(s, "System", record_text(s->d->record, "project"));
    needed(s, "Description of the system", record_text(s->d->record, "project_description"),
           arena_printf(s->d->arena, "description of projects/%s",
                        record_text(s->d->record, "project")));
    entry(s, "Model and version", record_text(v, "node"));
    needed(s, "Description of the model", record_text(v, "asset_description"),
           arena_printf(s->d->arena, "description of projects/%s/models/%s",
                        record_text(s->d->record, "project"), record_text(v, "name")));
    needed_tag(s, "Intended purpose", "intended-purpose");
    entry(s, "Registered by", record_text(v, "created_by"));
    entry(s, "Sealed at", record_text(v, "ready_at"));
    entry(s, "SHA-256 of the manifest", record_text(v, "digest"));
    table(s, "Files", files, json_object_get(v, "files"));
}

static void data(struct dossier *s, const json_t *input)
{
    static const char *const columns[] = {"name", "type", "missing", "distinct",
                                          "min",  "max",  "mean",    NULL};

    entry(s, "Made from", record_text(input, "node"));
    needed(s, "Its description", record_text(input, "asset_description"),
           arena_printf(s->d->arena, "description of %s", record_text(input, "node")));
    entry(s, "Its SHA-256", record_text(input, "digest"));
    if (json_is_array(json_object_get(json_object_get(input, "manifest"), "columns")))
        table(s, arena_printf(s->d->arena, "Columns of %s", record_text(input, "node")), columns,
              json_object_get(json_object_get(input, "manifest"), "columns"));
}

static void development(struct dossier *s)
{
    static const char *const features[] = {"name", "type", NULL};
    static const char *const sources[] = {"node", "kind", "sha256", NULL};
    const json_t *job = json_object_get(s->d->record, "job"), *input;
    const json_t *v = json_object_get(s->d->record, "version");
    const json_t *inputs = json_object_get(s->d->record, "inputs");

    begin(s, "2", "Elements of the system and the process of its development");
    if (!json_is_object(job)) {
        document_lacks(s->d, "the job that made %s", record_text(v, "node"));
        return;
    }
    entry(s, "Training job", record_text(job, "id"));
    entry(s, "Asked for by", record_text(job, "requested_by"));
    entry(s, "Began", record_text(job, "started_at"));
    entry(s, "Ended", record_text(job, "finished_at"));
    entry(s, "Task", record_text(json_object_get(v, "manifest"), "task"));
    entry(s, "Predicts", record_text(json_object_get(v, "manifest"), "target"));
    members(s, "Specification", json_object_get(job, "spec"));
    table(s, "Features", features, json_object_get(json_object_get(v, "manifest"), "features"));
    if (json_array_size(inputs) == 0)
        document_lacks(s->d, "the data that %s was made from", record_text(v, "node"));
    for (size_t i = 0; i < json_array_size(inputs); i++) {
        input = json_array_get(inputs, i);
        data(s, input);
    }
    if (json_array_size(json_object_get(s->d->record, "sources")) > 0)
        table(s, "Code, environments and other sources", sources,
              json_object_get(s->d->record, "sources"));
    needed_tag(s, "Human oversight", "human-oversight");
}

static void performance(struct dossier *s)
{
    const json_t *v = json_object_get(s->d->record, "version");
    const json_t *manifest = json_object_get(v, "manifest");
    const json_t *metrics = json_object_get(manifest, "metrics");

    begin(s, "3", "Monitoring, functioning and control");
    needed_tag(s, "Capabilities and limitations", "limitations");
    begin(s, "4", "Performance metrics");
    if (json_object_size(metrics) == 0)
        document_lacks(s->d, "metrics of %s", record_text(v, "node"));
    entry(s, "Measured on", record_text(manifest, "metrics_on"));
    entry(s, "Rows trained on", scalar(s->d->arena, json_object_get(manifest, "rows_train")));
    entry(s, "Rows tested on", scalar(s->d->arena, json_object_get(manifest, "rows_test")));
    members(s, "Metrics", metrics);
    begin(s, "5", "Risk management system (Article 9)");
    needed_tag(s, "Risk management", "risk-management");
}

static bool approved(const json_t *approvals, const char *action)
{
    for (size_t i = 0; i < json_array_size(approvals); i++) {
        const json_t *a = json_array_get(approvals, i);

        if (strcmp(record_text(a, "action"), action) == 0 &&
            strcmp(record_text(a, "state"), "approved") == 0)
            return true;
    }
    return false;
}

static void lifecycle(struct dossier *s)
{
    static const char *const decisions[] = {"by", "verdict",         "reason",
                                            "at", "evidence_digest", NULL};
    static const char *const served[] = {"endpoint", "from", "until", "by", "approval", NULL};
    const json_t *approvals = json_object_get(s->d->record, "approvals");
    const char *node = record_text(json_object_get(s->d->record, "version"), "node");

    begin(s, "6", "Changes through the life of the system");
    if (!approved(approvals, "promote"))
        document_lacks(s->d, "an approval of the promotion of %s", node);
    for (size_t i = 0; i < json_array_size(approvals); i++) {
        const json_t *a = json_array_get(approvals, i);

        table(s,
              arena_printf(s->d->arena, "Approval %s: %s of %s, %s, asked for by %s at %s",
                           record_text(a, "id"), record_text(a, "action"),
                           record_text(a, "subject"), record_text(a, "state"),
                           record_text(a, "requested_by"), record_text(a, "created_at")),
              decisions, json_object_get(a, "decisions"));
    }
    table(s, "Deployments", served, json_object_get(s->d->record, "deployments"));
    begin(s, "7", "Harmonised standards applied");
    needed_tag(s, "Standards", "standards");
    begin(s, "8", "EU declaration of conformity");
    needed_tag(s, "Declaration", "declaration-of-conformity");
    begin(s, "9", "Post-market monitoring plan");
    needed_tag(s, "Plan", "post-market-monitoring");
}

json_t *document_dossier(struct document *d)
{
    struct dossier s = {.d = d, .sections = json_array()};

    general(&s);
    development(&s);
    performance(&s);
    lifecycle(&s);
    return json_pack(
        "{s:s, s:s, s:s, s:s, s:o}", "title", "Technical documentation (EU AI Act, Annex IV)",
        "regulation", "Regulation (EU) 2024/1689", "version",
        record_text(json_object_get(d->record, "version"), "node"), "digest",
        record_text(json_object_get(d->record, "version"), "digest"), "sections", s.sections);
}
