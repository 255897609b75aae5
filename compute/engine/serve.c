/* SPDX-License-Identifier: Apache-2.0 */
#include "compute/engine/job.h"
#include "compute/engine/loaded.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

enum { SPIN_NS = 20000, MAX_ROWS = 1 << 20, REQUEST_MAX = 1 << 30 };

/* A model that answers. Memory of one request is given back before the next. */
struct serving {
    struct job *job;
    struct loaded loaded;
    struct pool request;
    struct tensor **inputs;
    struct tensor **outputs;
    struct frame frame;
};

/* One request while it is read: how much of the payload its inputs have taken so far. */
struct request {
    json_t *body;
    int64_t rows;
    size_t taken;
    struct refusal why;
};

/* A short look before sleeping: waking a sleeper costs more than these microseconds. It is bounded,
 * so that an idle engine costs nothing. */
static void spin(int fd)
{
    struct timespec start, now;
    char byte;

    (void)clock_gettime(CLOCK_MONOTONIC, &start);
    do {
        ssize_t n = recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);

        if (n >= 0 || (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR))
            return;
        (void)clock_gettime(CLOCK_MONOTONIC, &now);
    } while ((now.tv_sec - start.tv_sec) * 1000000000L + now.tv_nsec - start.tv_nsec < SPIN_NS);
}

static enum err send_ready(struct serving *s)
{
    const struct model *m = &s->loaded.model;
    json_t *inputs = json_array(), *outputs = json_array(), *body;

    for (size_t i = 0; i < m->input_count; i++)
        (void)json_array_append_new(inputs, loaded_input_json(&m->values[m->inputs[i]]));
    for (size_t i = 0; i < m->output_count; i++)
        (void)json_array_append_new(outputs, loaded_output_json(&m->values[m->outputs[i]]));
    body = json_pack("{s:o, s:o, s:O}", "inputs", inputs, "outputs", outputs, "features",
                     s->loaded.features == NULL ? json_array() : s->loaded.features);
    if (s->loaded.classes != NULL)
        (void)json_object_set(body, "classes", s->loaded.classes);
    return channel_send(&s->job->channel, "ready", body);
}

static enum err read_shape(struct request *q, const json_t *input, const struct value_info *v,
                           struct shape *shape)
{
    const json_t *list = json_object_get(input, "shape");
    size_t count;

    *shape = (struct shape){0};
    if (!json_is_array(list) || json_array_size(list) == 0 || json_array_size(list) > TENSOR_RANK)
        return refuse(&q->why, ERR_INVALID,
                      "input \"%.*s\": \"shape\" must be a list of 1 to %d sizes",
                      (int)v->name.length, v->name.data, TENSOR_RANK);
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *dim = json_array_get(list, i);

        if (!json_is_integer(dim) || json_integer_value(dim) < 0)
            return refuse(&q->why, ERR_INVALID,
                          "input \"%.*s\": \"shape\" has something that is no size",
                          (int)v->name.length, v->name.data);
        shape->dims[shape->rank++] = json_integer_value(dim);
    }
    /* what was said to be one column is none to the model */
    if (v->shaped && v->shape.rank == 1 && shape->rank == 2 && shape->dims[1] == 1)
        shape->rank = 1;
    if (shape->dims[0] != q->rows || !shape_count(shape, &count) ||
        count > FRAME_PAYLOAD_MAX / sizeof(double))
        return refuse(&q->why, ERR_INVALID,
                      "input \"%.*s\": \"shape\" must begin with \"rows\" and fit a frame",
                      (int)v->name.length, v->name.data);
    return OK;
}

static enum err take_texts(struct request *q, const json_t *input, const struct value_info *v,
                           struct tensor *t)
{
    const json_t *values = json_object_get(input, "values");

    if (!json_is_array(values) || json_array_size(values) != t->count)
        return refuse(&q->why, ERR_INVALID,
                      "input \"%.*s\": \"values\" must be a list of %zu strings",
                      (int)v->name.length, v->name.data, t->count);
    for (size_t i = 0; i < t->count; i++) {
        const json_t *one = json_array_get(values, i);

        if (!json_is_string(one))
            return refuse(&q->why, ERR_INVALID, "input \"%.*s\": value %zu is not a string",
                          (int)v->name.length, v->name.data, i);
        t->s[i] = (struct span){json_string_value(one), json_string_length(one)};
    }
    return OK;
}

static enum err take_numbers(struct request *q, const struct frame *f, const struct value_info *v,
                             struct tensor *t)
{
    size_t bytes = t->count * sizeof(double);

    if (bytes > f->payload_length - q->taken)
        return refuse(&q->why, ERR_INVALID, "input \"%.*s\": the payload ends %zu bytes too early",
                      (int)v->name.length, v->name.data, bytes - (f->payload_length - q->taken));
    for (size_t i = 0; i < t->count; i++) {
        double x; /* little-endian, as every machine this runs on */

        memcpy(&x, f->payload + q->taken + i * sizeof(x), sizeof(x));
        tensor_put(t, i, x);
    }
    q->taken += bytes;
    return OK;
}

/* The place of the input of that name, or input_count. */
static size_t find_input(const struct model *m, const char *name)
{
    size_t at = 0;

    while (at < m->input_count && !span_is(m->values[m->inputs[at]].name, name))
        at++;
    return at;
}

static enum err take_input(struct serving *s, struct request *q, json_t *input)
{
    static const char *const members[] = {"name", "datatype", "shape", "values", NULL};
    const struct model *m = &s->loaded.model;
    const char *name = json_string_value(json_object_get(input, "name"));
    const char *type = json_string_value(json_object_get(input, "datatype"));
    const struct value_info *v;
    struct shape shape;
    size_t at;

    if (!json_is_object(input) || name == NULL)
        return refuse(&q->why, ERR_INVALID, "an input has no name");
    TRY(json_only(input, members, &q->why));
    at = find_input(m, name);
    v = at < m->input_count ? &m->values[m->inputs[at]] : NULL;
    if (v == NULL || s->inputs[at] != NULL)
        return refuse(&q->why, ERR_INVALID, "the input \"%.100s\" is %s", name,
                      v == NULL ? "none of the model's" : "given twice");
    if (type == NULL || strcmp(type, v->type == ELEMENT_STRING ? "BYTES" : "FP64") != 0)
        return refuse(&q->why, ERR_INVALID, "the input \"%.100s\" must have the datatype %s", name,
                      v->type == ELEMENT_STRING ? "BYTES" : "FP64");
    TRY(read_shape(q, input, v, &shape));
    TRY(tensor_new(v->type, &shape, &s->inputs[at], &s->request, &q->why));
    if (v->type == ELEMENT_STRING)
        return take_texts(q, input, v, s->inputs[at]);
    return take_numbers(q, &s->frame, v, s->inputs[at]);
}

static enum err take_inputs(struct serving *s, struct request *q)
{
    static const char *const members[] = {"id", "rows", "inputs", NULL};
    const struct model *m = &s->loaded.model;
    const json_t *rows = json_object_get(q->body, "rows");
    const json_t *inputs = json_object_get(q->body, "inputs");

    TRY(json_only(q->body, members, &q->why));
    if (!json_is_integer(rows) || json_integer_value(rows) < 1 ||
        json_integer_value(rows) > MAX_ROWS)
        return refuse(&q->why, ERR_INVALID, "\"rows\" must be 1 to %d", MAX_ROWS);
    if (!json_is_array(inputs))
        return refuse(&q->why, ERR_INVALID, "\"inputs\" must be a list");
    q->rows = json_integer_value(rows);
    memset(s->inputs, 0, m->input_count * sizeof(struct tensor *));
    for (size_t i = 0; i < json_array_size(inputs); i++)
        TRY(take_input(s, q, json_array_get(inputs, i)));
    for (size_t i = 0; i < m->input_count; i++)
        if (s->inputs[i] == NULL)
            return refuse(&q->why, ERR_INVALID, "the input \"%.*s\" is missing",
                          (int)m->values[m->inputs[i]].name.length,
                          m->values[m->inputs[i]].name.data);
    if (q->taken != s->frame.payload_length)
        return refuse(&q->why, ERR_INVALID, "the payload has %zu bytes more than the inputs take",
                      s->frame.payload_length - q->taken);
    return OK;
}

static json_t *output_json(const struct value_info *v, const struct tensor *t)
{
    json_t *shape = json_array(), *out, *values;

    for (unsigned i = 0; i < t->rank; i++)
        (void)json_array_append_new(shape, json_integer(t->dims[i]));
    out = json_pack("{s:o, s:s, s:o}", "name", json_words(v->name.data, v->name.length), "datatype",
                    loaded_datatype(t->type), "shape", shape);
    if (t->type != ELEMENT_STRING)
        return out;
    values = json_array();
    for (size_t i = 0; i < t->count; i++)
        (void)json_array_append_new(values, json_words(t->s[i].data, t->s[i].length));
    (void)json_object_set_new(out, "values", values);
    return out;
}

/* Eight bytes an element: a double, or a signed integer. */
static void put_payload(unsigned char *to, const struct tensor *t)
{
    bool real = t->type == ELEMENT_DOUBLE || t->type == ELEMENT_FLOAT;

    for (size_t i = 0; i < t->count; i++) {
        double x = tensor_get(t, i);
        int64_t n = t->type == ELEMENT_INT64 ? t->l[i] : real ? 0 : (int64_t)x;

        memcpy(to + 8 * i, real ? (const void *)&x : (const void *)&n, 8);
    }
}

static enum err reply(struct serving *s, struct request *q)
{
    const struct model *m = &s->loaded.model;
    json_t *outputs;
    unsigned char *payload;
    size_t bytes = 0, at = 0;
    enum err e;

    for (size_t i = 0; i < m->output_count; i++)
        bytes += s->outputs[i]->type == ELEMENT_STRING ? 0 : 8 * s->outputs[i]->count;
    TRY(pool_get(&s->request, bytes, 1, &payload, &q->why));
    outputs = json_array();
    for (size_t i = 0; i < m->output_count; i++) {
        const struct tensor *t = s->outputs[i];

        (void)json_array_append_new(outputs, output_json(&m->values[m->outputs[i]], t));
        if (t->type == ELEMENT_STRING)
            continue;
        put_payload(payload + at, t);
        at += 8 * t->count;
    }
    e = channel_send_payload(
        &s->job->channel,
        json_pack("{s:O?, s:o}", "id", json_object_get(q->body, "id"), "outputs", outputs), payload,
        bytes);
    if (e == ERR_TOO_LARGE)
        return refuse(&q->why, e, "the answer does not fit a frame; ask for fewer rows");
    return e;
}

/* OK also when the request was refused; an error is a supervisor that does not hear. */
static enum err answer(struct serving *s)
{
    struct request q = {0};
    enum err e = channel_parse(&s->frame, &q.body, &q.why);

    /* a spec that says nothing, as the other modes get one */
    if (e == OK && json_object_size(q.body) == 0) {
        json_decref(q.body);
        return OK;
    }
    pool_reset(&s->request);
    if (e == OK)
        e = take_inputs(s, &q);
    if (e == OK)
        e = onnx_run(&s->loaded.model, s->inputs, s->outputs, &s->request, &q.why);
    if (e == OK)
        e = reply(s, &q);
    if (e != OK && e != ERR_ENGINE && e != ERR_TIMEOUT)
        e = channel_refuse(&s->job->channel, json_incref(json_object_get(q.body, "id")), &q.why);
    json_decref(q.body);
    return e;
}

static enum err serve(struct serving *s)
{
    const struct model *m = &s->loaded.model;
    struct job *job = s->job;
    enum err e;

    TRY(pool_get(&job->pool, m->input_count, sizeof(struct tensor *), &s->inputs, &job->why));
    TRY(pool_get(&job->pool, m->output_count, sizeof(struct tensor *), &s->outputs, &job->why));
    TRY(send_ready(s));
    for (;;) {
        spin(job->channel.fd);
        e = frame_read(job->channel.fd, &s->frame, -1);
        if (e == ERR_UNAVAILABLE)
            return OK;
        if (e != OK)
            return refuse(&job->why, ERR_ENGINE, "the control stream broke");
        TRY(answer(s));
    }
}

enum err mode_serve(struct job *job)
{
    struct serving s = {.job = job, .request = pool_new(REQUEST_MAX)};
    enum err e = loaded_open(&s.loaded, job);

    if (e == OK)
        e = serve(&s);
    frame_free(&s.frame);
    pool_free(&s.request);
    loaded_close(&s.loaded);
    return e;
}
