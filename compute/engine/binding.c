/* SPDX-License-Identifier: Apache-2.0 */
#include "compute/engine/binding.h"

#include "compute/engine/value.h"

#include <string.h>

static const size_t UNBOUND = (size_t)-1;

static enum err bind_feature(struct binding *b, const json_t *feature, const struct csv *c,
                             struct refusal *why)
{
    const char *name = json_string_value(json_object_get(feature, "name"));
    const char *input = json_string_value(json_object_get(feature, "input"));
    json_int_t index = json_integer_value(json_object_get(feature, "index"));
    long column;

    if (name == NULL || input == NULL)
        return refuse(why, ERR_CONTENT, "the model's metadata names a feature without its input");
    column = csv_column(c, (struct span){name, strlen(name)});
    if (column < 0)
        return refuse(why, ERR_CONTENT, "the table has no column \"%.100s\", which the model needs",
                      name);
    for (size_t i = 0; i < b->count; i++)
        if (span_is(b->inputs[i].value->name, input)) {
            if (index < 0 || (size_t)index >= b->inputs[i].width)
                break;
            b->inputs[i].columns[index] = (size_t)column;
            b->inputs[i].own = true;
            return OK;
        }
    return refuse(why, ERR_CONTENT, "the model's metadata puts the feature \"%.100s\" nowhere",
                  name);
}

/* By name when one column wide, else by place. */
static enum err bind_foreign(struct binding *b, struct bound_input *in, const struct csv *c,
                             struct refusal *why)
{
    struct span name = in->value->name;
    long column = csv_column(c, name);

    if (in->width == 1 && column >= 0) {
        in->columns[0] = (size_t)column;
        return OK;
    }
    if (b->count > 1)
        return refuse(why, ERR_CONTENT,
                      "the table has no column \"%.*s\" for the input of that name",
                      (int)name.length, name.data);
    if (in->width != c->columns)
        return refuse(why, ERR_CONTENT, "the input \"%.*s\" takes %zu columns; the table has %zu",
                      (int)name.length, name.data, in->width, c->columns);
    for (size_t i = 0; i < in->width; i++)
        in->columns[i] = i;
    return OK;
}

/* How many columns an input takes; one that does not say takes all there are. */
static enum err input_width(struct bound_input *in, const struct csv *c, struct refusal *why)
{
    const struct value_info *v = in->value;

    in->width = c->columns;
    if (v->shaped && v->shape.rank > 2)
        return refuse(why, ERR_CONTENT, "the input \"%.*s\" is not a table: it has %u dimensions",
                      (int)v->name.length, v->name.data, v->shape.rank);
    if (v->shaped && v->shape.rank < 2)
        in->width = 1;
    else if (v->shaped && v->shape.dims[1] > 0)
        in->width = (size_t)v->shape.dims[1];
    if (in->width > CSV_MAX_COLUMNS)
        return refuse(why, ERR_CONTENT, "the input \"%.*s\" takes %zu columns, more than %d",
                      (int)v->name.length, v->name.data, in->width, CSV_MAX_COLUMNS);
    return OK;
}

enum err binding_make(struct binding *b, const struct loaded *l, const struct csv *c,
                      struct pool *pool, struct refusal *why)
{
    *b = (struct binding){.count = l->model.input_count};
    TRY(pool_get(pool, b->count, sizeof(*b->inputs), &b->inputs, why));
    for (size_t i = 0; i < b->count; i++) {
        struct bound_input *in = &b->inputs[i];

        in->value = &l->model.values[l->model.inputs[i]];
        TRY(input_width(in, c, why));
        TRY(pool_get(pool, in->width, sizeof(*in->columns), &in->columns, why));
        for (size_t k = 0; k < in->width; k++)
            in->columns[k] = UNBOUND;
    }
    for (size_t i = 0; i < json_array_size(l->features); i++)
        TRY(bind_feature(b, json_array_get(l->features, i), c, why));
    for (size_t i = 0; i < b->count; i++) {
        struct bound_input *in = &b->inputs[i];

        if (l->features == NULL)
            TRY(bind_foreign(b, in, c, why));
        for (size_t k = 0; k < in->width; k++)
            if (in->columns[k] == UNBOUND)
                return refuse(why, ERR_CONTENT,
                              "nothing goes into column %zu of the input \"%.*s\"", k,
                              (int)in->value->name.length, in->value->name.data);
    }
    return OK;
}

enum err binding_tensors(const struct binding *b, size_t rows, struct tensor **out,
                         struct pool *pool, struct refusal *why)
{
    for (size_t i = 0; i < b->count; i++) {
        const struct value_info *v = b->inputs[i].value;
        struct shape shape = {2, {(int64_t)rows, (int64_t)b->inputs[i].width}};

        if (v->shaped && v->shape.rank == 1)
            shape.rank = 1;
        TRY(tensor_new(v->type, &shape, &out[i], pool, why));
    }
    return OK;
}

static enum err put_text(const struct bound_input *in, struct span cell, struct span *out,
                         struct pool *pool, struct refusal *why)
{
    if (in->own && value_kind(cell) == KIND_MISSING)
        cell.length = 0;
    *out = (struct span){pool_copy(pool, cell.data, cell.length), cell.length};
    return out->data != NULL ? OK
                             : refuse(why, ERR_TOO_LARGE, "no memory for the texts of a block");
}

static enum err put_number(const struct csv *c, size_t column, struct tensor *t, size_t at,
                           struct refusal *why)
{
    struct value v = value_read(c->fields[column]);
    bool whole = t->type != ELEMENT_DOUBLE && t->type != ELEMENT_FLOAT;

    if (v.kind == KIND_TEXT || (whole && v.kind == KIND_MISSING))
        return refuse(why, ERR_CONTENT,
                      "line %zu, column \"%.*s\": a number was expected, not \"%.*s\"", c->line,
                      (int)c->names[column].length, c->names[column].data,
                      c->fields[column].length > 40 ? 40 : (int)c->fields[column].length,
                      c->fields[column].data);
    tensor_put(t, at, v.number);
    return OK;
}

/* Where a cell goes. */
struct place {
    struct tensor *tensor;
    size_t row;
    struct pool *pool;
};

static enum err put_cell(const struct bound_input *in, const struct csv *c, size_t k,
                         const struct place *to, struct refusal *why)
{
    size_t at = to->row * in->width + k, column = in->columns[k];

    if (to->tensor->type == ELEMENT_STRING)
        return put_text(in, c->fields[column], &to->tensor->s[at], to->pool, why);
    return put_number(c, column, to->tensor, at, why);
}

enum err binding_put(const struct binding *b, const struct csv *c, size_t row,
                     struct tensor **tensors, struct pool *pool, struct refusal *why)
{
    for (size_t i = 0; i < b->count; i++)
        for (size_t k = 0; k < b->inputs[i].width; k++)
            TRY(put_cell(&b->inputs[i], c, k, &(struct place){tensors[i], row, pool}, why));
    return OK;
}
