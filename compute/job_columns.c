/* SPDX-License-Identifier: Apache-2.0 */
#include "compute/job_columns.h"

#include "lineage/graph/columns.h"

#include <string.h>

static const char *name_of(const json_t *column)
{
    return json_string_value(json_object_get(column, "name"));
}

static bool named(const json_t *columns, const char *name)
{
    for (size_t i = 0; name != NULL && i < json_array_size(columns); i++) {
        const char *have = name_of(json_array_get(columns, i));

        if (have != NULL && strcmp(have, name) == 0)
            return true;
    }
    return false;
}

static void trained(const struct run *r, const char *input, const char *made,
                    struct column_facts *out)
{
    const json_t *features = json_object_get(r->done, "features");
    const char *target = json_string_value(json_object_get(r->work.spec, "target"));

    column_facts_begin(out, r->arena, 2 * json_array_size(features) + 1);
    column_facts_add(out, input, target, made, target);
    for (size_t i = 0; i < json_array_size(features); i++) {
        const char *feature = name_of(json_array_get(features, i));

        column_facts_add(out, input, feature, made, feature);
        column_facts_add(out, made, feature, made, target);
    }
}

/* What a prediction reads and writes. */
struct scoring {
    const char *input;
    const char *model;
    const char *made;
    const json_t *before; /* columns of the input */
    const json_t *after;  /* columns of the output */
    const json_t *features;
    const char *target; /* of the model, or NULL */
};

static void predicted(const struct run *r, const struct scoring *s, struct column_facts *out)
{
    size_t columns = json_array_size(s->after), features = json_array_size(s->features);
    size_t new = 0;

    for (size_t i = 0; i < columns; i++)
        new += !named(s->before, name_of(json_array_get(s->after, i)));
    column_facts_begin(out, r->arena, columns + new *(features + 1));
    for (size_t i = 0; i < columns; i++) {
        const char *column = name_of(json_array_get(s->after, i));

        if (named(s->before, column)) {
            column_facts_add(out, s->input, column, s->made, column);
            continue;
        }
        column_facts_add(out, s->model, s->target, s->made, column);
        for (size_t k = 0; k < features; k++)
            column_facts_add(out, s->input, name_of(json_array_get(s->features, k)), s->made,
                             column);
    }
}

/* What was deleted meanwhile has no columns any more. */
static enum err scored(struct run *r, const char *input, const char *made, struct column_facts *out)
{
    struct scoring s = {.input = input, .made = made};
    struct version data, model;
    enum err e;

    column_facts_begin(out, r->arena, 0);
    e = version_by_id(r->db, r->work.input_id, &data);
    if (e == OK)
        e = version_by_id(r->db, r->work.model_id, &model);
    if (e == ERR_NOT_FOUND)
        return OK;
    TRY(e);
    s.model = version_node(r->arena, &model);
    s.before = json_object_get(data.manifest, "columns");
    s.after = json_object_get(r->profile, "columns");
    s.features = json_object_get(model.manifest, "features");
    s.target = json_string_value(json_object_get(model.manifest, "target"));
    predicted(r, &s, out);
    return OK;
}

enum err job_trace_columns(struct run *r, const struct version *made)
{
    const char *input = r->work.input;
    const char *output = version_node(r->arena, made);
    struct column_facts facts;

    if (r->work.model == NULL)
        trained(r, input, output, &facts);
    else
        TRY(scored(r, input, output, &facts));
    return column_facts_put(r->db, &facts, r->work.id);
}
