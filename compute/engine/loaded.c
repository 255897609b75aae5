/* SPDX-License-Identifier: Apache-2.0 */
#include "compute/engine/loaded.h"

#include "compute/engine/operator.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

/* Metadata is a hint from the file: what does not have the right form is as good as none. */
static void read_metadata(struct loaded *l)
{
    struct span text = l->model.metadata;
    json_t *root =
        text.length == 0 ? NULL : json_loadb(text.data, text.length, JSON_REJECT_DUPLICATES, NULL);
    json_t *features = json_object_get(root, "features");
    json_t *classes = json_object_get(root, "classes");

    if (json_is_array(features))
        l->features = json_incref(features);
    if (json_is_array(classes) && json_array_size(classes) > 0)
        l->classes = json_incref(classes);
    json_decref(root);
}

/* A foreign classifier's labels stand in its last node that has any. */
static void find_classes(struct loaded *l)
{
    static const char *const names[] = {"classlabels_int64s", "classlabels_ints",
                                        "classlabels_strings"};

    for (size_t n = 0; n < l->model.node_count && l->classes == NULL; n++)
        for (size_t i = 0; i < 3; i++) {
            const struct attribute *a = node_attribute(&l->model.nodes[n], names[i]);
            json_t *list;

            if (a == NULL || a->number_count + a->text_count == 0)
                continue;
            list = json_array();
            for (size_t k = 0; k < a->number_count; k++)
                (void)json_array_append_new(list, json_integer(a->numbers[k]));
            for (size_t k = 0; k < a->text_count; k++)
                (void)json_array_append_new(list, json_words(a->texts[k].data, a->texts[k].length));
            json_decref(l->classes);
            l->classes = list;
        }
}

enum err loaded_read(struct loaded *l, struct span file, struct pool *pool, struct refusal *why)
{
    *l = (struct loaded){0};
    TRY(onnx_read(&l->model, file, pool, why));
    read_metadata(l);
    if (l->classes == NULL)
        find_classes(l);
    return OK;
}

enum err loaded_open(struct loaded *l, struct job *job)
{
    void *bytes;

    if (job->model < 0)
        return refuse(&job->why, ERR_INVALID, "no model was given");
    if (job->model_size == 0 || job->model_size > LOADED_MAX)
        return refuse(&job->why, ERR_CONTENT, "a model of %zu bytes; 1 to %d fit", job->model_size,
                      LOADED_MAX);
    bytes = mmap(NULL, job->model_size, PROT_READ, MAP_PRIVATE, job->model, 0);
    if (bytes == MAP_FAILED)
        return refuse(&job->why, ERR_TOO_LARGE, "the model cannot be mapped: %s",
                      strerrordesc_np(errno));
    return loaded_read(l, (struct span){bytes, job->model_size}, &job->pool, &job->why);
}

void loaded_close(struct loaded *l)
{
    json_decref(l->features);
    json_decref(l->classes);
}

const char *loaded_datatype(enum element type)
{
    if (type == ELEMENT_STRING)
        return "BYTES";
    return type == ELEMENT_DOUBLE || type == ELEMENT_FLOAT ? "FP64" : "INT64";
}

static json_t *shape_json(const struct value_info *v)
{
    json_t *shape = json_array();

    for (unsigned i = 0; v->shaped && i < v->shape.rank; i++)
        (void)json_array_append_new(shape, json_integer(v->shape.dims[i]));
    return shape;
}

/* The names of the Open Inference Protocol. */
static const char *model_datatype(enum element type)
{
    switch (type) {
    case ELEMENT_FLOAT:
        return "FP32";
    case ELEMENT_DOUBLE:
        return "FP64";
    case ELEMENT_INT32:
        return "INT32";
    case ELEMENT_INT64:
        return "INT64";
    case ELEMENT_BOOL:
        return "BOOL";
    default:
        return "BYTES";
    }
}

json_t *loaded_input_json(const struct value_info *v)
{
    json_t *shape = shape_json(v);

    if (json_array_size(shape) == 1)
        (void)json_array_append_new(shape, json_integer(1));
    return json_pack("{s:o, s:s, s:o, s:s}", "name", json_words(v->name.data, v->name.length),
                     "datatype", v->type == ELEMENT_STRING ? "BYTES" : "FP64", "shape", shape,
                     "model_datatype", model_datatype(v->type));
}

json_t *loaded_output_json(const struct value_info *v)
{
    return json_pack("{s:o, s:s, s:o}", "name", json_words(v->name.data, v->name.length),
                     "datatype", loaded_datatype(v->type), "shape", shape_json(v));
}
