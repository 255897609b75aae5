/* SPDX-License-Identifier: Apache-2.0 */
#include "compute/engine/trained_parts.h"

#include <string.h>

/* Names of the graph's own values all have a slash, and a reader may refuse control characters. */
static bool is_usable(struct span name)
{
    for (size_t i = 0; i < name.length; i++)
        if (name.data[i] == '/' || (unsigned char)name.data[i] < 0x20)
            return false;
    return name.length > 0;
}

/* A text feature's input has its column's name, unless that cannot be or is taken. */
struct span trained_input(const struct trained *t, size_t feature, char name[TRAINED_NAME])
{
    static const char *const taken[] = {"features", "label", "probabilities", "prediction"};
    const struct feature *f = &t->encoder->features[feature];
    struct span own = f->name;

    if (f->kind != KIND_TEXT)
        return (struct span){"features", strlen("features")};
    for (size_t i = 0; i < sizeof(taken) / sizeof(taken[0]); i++)
        if (span_is(own, taken[i]))
            own.length = 0;
    if (is_usable(own))
        return own;
    return (struct span){name, (size_t)snprintf(name, TRAINED_NAME, "text/%zu", feature)};
}

static json_t *spans_json(const struct span *spans, size_t count)
{
    json_t *list = json_array();

    for (size_t i = 0; i < count; i++)
        (void)json_array_append_new(list, json_stringn(spans[i].data, spans[i].length));
    return list;
}

json_t *trained_features(const struct trained *t)
{
    json_t *list = json_array();

    for (size_t i = 0; i < t->encoder->count; i++) {
        const struct feature *f = &t->encoder->features[i];
        char name[TRAINED_NAME];
        struct span input = trained_input(t, i, name);
        json_t *one =
            json_pack("{s:o, s:s, s:o}", "name", json_stringn(f->name.data, f->name.length), "type",
                      kind_name(f->kind), "input", json_stringn(input.data, input.length));

        if (f->kind == KIND_TEXT)
            (void)json_object_set_new(one, "categories", spans_json(f->categories, f->width));
        else
            (void)json_object_set_new(one, "index", json_integer((json_int_t)i));
        (void)json_array_append_new(list, one);
    }
    return list;
}

json_t *trained_classes(const struct trained *t)
{
    json_t *list;

    if (t->class_number == NULL)
        return spans_json(t->class_text, t->classes);
    list = json_array();
    for (size_t i = 0; i < t->classes; i++)
        (void)json_array_append_new(list, json_integer((json_int_t)t->class_number[i]));
    return list;
}

char *trained_metadata(const struct trained *t)
{
    json_t *body = json_pack(
        "{s:i, s:s, s:s, s:o, s:s, s:o, s:o}", "format", 1, "trainer", t->trainer, "task", t->task,
        "target", json_stringn(t->target.data, t->target.length), "target_type",
        kind_name(t->target_kind), "classes", trained_classes(t), "features", trained_features(t));
    char *words = body == NULL ? NULL : json_dumps(body, JSON_COMPACT);

    json_decref(body);
    return words;
}
