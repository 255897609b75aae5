/* SPDX-License-Identifier: Apache-2.0 */
#include "compute/engine/binding.h"
#include "compute/engine/output.h"
#include "compute/engine/value.h"
#include "core/text.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

enum { BLOCK = 1024, BLOCK_TEXT_MAX = 1 << 30 };

/* A table being scored, block by block. */
struct scoring {
    struct job *job;
    struct loaded loaded;
    struct csv table;
    struct binding binding;
    struct output *out;
    struct pool block; /* what one block needs */
    struct tensor **inputs;
    struct tensor **outputs;
    bool append;
    bool headed; /* the header is written */
    size_t rows;
};

static void put_field(struct text *t, struct span field)
{
    bool quote = false;

    for (size_t i = 0; i < field.length; i++)
        quote = quote || strchr(",\"\r\n", field.data[i]) != NULL;
    if (!quote) {
        text_add(t, field.data, field.length);
        return;
    }
    text_add(t, "\"", 1);
    for (size_t i = 0; i < field.length; i++)
        text_add(t, field.data[i] == '"' ? "\"\"" : &field.data[i], field.data[i] == '"' ? 2 : 1);
    text_add(t, "\"", 1);
}

static void put_element(struct text *t, const struct tensor *x, size_t i)
{
    char words[VALUE_TEXT];

    if (x->type == ELEMENT_STRING)
        put_field(t, x->s[i]);
    else if (x->type == ELEMENT_INT64)
        text_printf(t, "%lld", (long long)x->l[i]);
    else
        text_add(t, words, value_write(tensor_get(x, i), words));
}

/* Columns of an output in the table: its elements a row. */
static enum err output_columns(const struct scoring *s, size_t output, size_t rows, size_t *columns)
{
    const struct tensor *t = s->outputs[output];
    struct span name = s->loaded.model.values[s->loaded.model.outputs[output]].name;

    *columns = rows == 0 ? 0 : t->count / rows;
    if (t->rank == 0 || (size_t)t->dims[0] != rows || *columns > CSV_MAX_COLUMNS)
        return refuse(&s->job->why, ERR_CONTENT, "the output \"%.*s\" does not have one row a row",
                      (int)name.length, name.data);
    return OK;
}

static void put_class(struct text *t, const json_t *class)
{
    text_puts(t, "probability_");
    if (json_is_string(class))
        text_add(t, json_string_value(class), json_string_length(class));
    else
        text_printf(t, "%lld", (long long)json_integer_value(class));
}

/* The name of one column of an output; it gets a number when the table has that name already. */
static void column_name(const struct scoring *s, size_t output, size_t column, size_t columns,
                        struct text *name)
{
    const struct value_info *v = &s->loaded.model.values[s->loaded.model.outputs[output]];
    size_t stem;

    if (columns > 1 && columns == json_array_size(s->loaded.classes))
        put_class(name, json_array_get(s->loaded.classes, column));
    else
        text_add(name, v->name.data, v->name.length);
    if (columns > 1 && columns != json_array_size(s->loaded.classes))
        text_printf(name, "_%zu", column);
    stem = name->length;
    for (unsigned n = 2; s->append && n < 100; n++) {
        if (csv_column(&s->table, (struct span){name->data, name->length}) < 0)
            return;
        name->length = stem;
        text_printf(name, "_%u", n);
    }
}

static enum err write_header(struct scoring *s, size_t rows)
{
    struct text line = text_new(BLOCK_TEXT_MAX);
    enum err e = OK;

    for (size_t i = 0; s->append && i < s->table.columns; i++) {
        put_field(&line, s->table.names[i]);
        text_add(&line, ",", 1);
    }
    for (size_t o = 0; e == OK && o < s->loaded.model.output_count; o++) {
        size_t columns = 0;

        e = output_columns(s, o, rows, &columns);
        for (size_t c = 0; c < columns; c++) {
            struct text name = text_new(4096);

            column_name(s, o, c, columns, &name);
            put_field(&line, (struct span){name.data, name.length});
            text_add(&line, ",", 1);
            text_free(&name);
        }
    }
    if (e == OK && line.length > 0)
        line.data[line.length - 1] = '\n';
    if (e == OK)
        e = output_add(s->out, line.data, line.length, &s->job->why);
    text_free(&line);
    return e;
}

/* The rows' own fields, as they will stand before the predictions, and where each row begins. */
struct kept {
    struct text fields;
    size_t start[BLOCK + 1];
};

/* One row's share of every output, and the line's end. */
static void put_predictions(const struct scoring *s, size_t row, size_t rows, struct text *lines)
{
    for (size_t o = 0; o < s->loaded.model.output_count; o++) {
        size_t columns = s->outputs[o]->count / rows;

        for (size_t c = 0; c < columns; c++) {
            put_element(lines, s->outputs[o], row * columns + c);
            text_add(lines, ",", 1);
        }
    }
    if (lines->length > 0)
        lines->data[lines->length - 1] = '\n';
}

static enum err write_block(struct scoring *s, const struct kept *k, size_t rows)
{
    struct text lines = text_new(BLOCK_TEXT_MAX);
    enum err e = OK;
    size_t columns;

    for (size_t o = 0; e == OK && o < s->loaded.model.output_count; o++)
        e = output_columns(s, o, rows, &columns);
    for (size_t r = 0; e == OK && r < rows; r++) {
        if (s->append)
            text_add(&lines, k->fields.data + k->start[r], k->start[r + 1] - k->start[r]);
        put_predictions(s, r, rows, &lines);
    }
    if (e == OK && lines.failed)
        e = refuse(&s->job->why, ERR_TOO_LARGE, "a block of rows is too large");
    if (e == OK)
        e = output_add(s->out, lines.data, lines.length, &s->job->why);
    text_free(&lines);
    return e;
}

/* Reads up to BLOCK rows into the inputs; *rows is how many there were. */
static enum err read_block(struct scoring *s, struct kept *k, size_t *rows)
{
    struct refusal *why = &s->job->why;
    bool more = true;

    TRY(binding_tensors(&s->binding, BLOCK, s->inputs, &s->block, why));
    k->fields.length = 0;
    for (*rows = 0; *rows < BLOCK; (*rows)++) {
        TRY(csv_next(&s->table, &more, why));
        if (!more)
            break;
        TRY(binding_put(&s->binding, &s->table, *rows, s->inputs, &s->block, why));
        k->start[*rows] = k->fields.length;
        for (size_t i = 0; s->append && i < s->table.columns; i++) {
            put_field(&k->fields, s->table.fields[i]);
            text_add(&k->fields, ",", 1);
        }
    }
    k->start[*rows] = k->fields.length;
    if (k->fields.failed)
        return refuse(why, ERR_TOO_LARGE, "a block of rows is too large");
    return OK;
}

/* The tensors hold BLOCK rows; the last block has fewer. */
static void trim_inputs(struct scoring *s, size_t rows)
{
    for (size_t i = 0; i < s->binding.count; i++) {
        s->inputs[i]->dims[0] = (int64_t)rows;
        s->inputs[i]->count = rows * s->binding.inputs[i].width;
    }
}

static enum err score_rows(struct scoring *s, struct kept *k)
{
    struct job *job = s->job;
    size_t rows;

    do {
        pool_reset(&s->block);
        TRY(read_block(s, k, &rows));
        if (rows == 0 && s->headed)
            return OK;
        trim_inputs(s, rows == 0 ? 1 : rows); /* an empty table still has a header */
        TRY(onnx_run(&s->loaded.model, s->inputs, s->outputs, &s->block, &job->why));
        if (!s->headed)
            TRY(write_header(s, rows == 0 ? 1 : rows));
        s->headed = true;
        if (rows > 0)
            TRY(write_block(s, k, rows));
        s->rows += rows;
        if (job->input_size > 0)
            channel_progress(&job->channel, (double)csv_offset(&s->table) / (double)job->input_size,
                             "scoring");
    } while (rows == BLOCK);
    return OK;
}

static enum err begin(struct scoring *s)
{
    struct job *job = s->job;
    struct pool *pool = &job->pool;

    TRY(binding_make(&s->binding, &s->loaded, &s->table, pool, &job->why));
    TRY(pool_get(pool, s->binding.count, sizeof(struct tensor *), &s->inputs, &job->why));
    TRY(pool_get(pool, s->loaded.model.output_count, sizeof(struct tensor *), &s->outputs,
                 &job->why));
    return pool_get(pool, 1, sizeof(*s->out), &s->out, &job->why);
}

static enum err score_table(struct scoring *s, json_t **about)
{
    struct kept *kept;
    enum err e;

    TRY(begin(s));
    TRY(pool_get(&s->job->pool, 1, sizeof(*kept), &kept, &s->job->why));
    kept->fields = text_new(BLOCK_TEXT_MAX);
    output_begin(s->out, s->job->output);
    e = score_rows(s, kept);
    if (e == OK)
        e = output_end(s->out, about, &s->job->why);
    output_drop(s->out);
    text_free(&kept->fields);
    return e;
}

static double now(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static enum err read_spec(struct scoring *s, json_t *spec)
{
    static const char *const members[] = {"columns_out", NULL};
    const json_t *columns = json_object_get(spec, "columns_out");
    const char *word = columns == NULL ? "append" : json_string_value(columns);

    TRY(json_only(spec, members, &s->job->why));
    if (word == NULL || (strcmp(word, "append") != 0 && strcmp(word, "only") != 0))
        return refuse(&s->job->why, ERR_INVALID, "\"columns_out\" must be \"append\" or \"only\"");
    s->append = strcmp(word, "append") == 0;
    return OK;
}

enum err mode_predict(struct job *job, json_t *spec, json_t **done)
{
    struct scoring s = {.job = job, .block = pool_new(job->pool.max)};
    double start = now();
    json_t *about = NULL;
    enum err e;

    TRY(read_spec(&s, spec));
    TRY(loaded_open(&s.loaded, job));
    e = csv_open(&s.table, job->input, &job->pool, &job->why);
    if (e == OK) {
        e = score_table(&s, &about);
        csv_close(&s.table);
    }
    if (e == OK)
        *done = json_pack("{s:I, s:o, s:f}", "rows", (json_int_t)s.rows, "output", about, "seconds",
                          now() - start);
    pool_free(&s.block);
    loaded_close(&s.loaded);
    return e;
}
