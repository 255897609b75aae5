/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test_engine.h"

#include <sys/socket.h>

/* One served model. */
struct served {
    struct engine engine;
    struct frame frame;
    json_t *ready;
};

static bool serve(struct served *s, int model)
{
    struct engine_command c = command("serve", -1, -1, model);

    *s = (struct served){0};
    if (engine_spawn(&s->engine, &c) != OK)
        return false;
    s->ready = hear(&s->engine, &s->frame);
    return strcmp(text_of(s->ready, "event"), "ready") == 0;
}

static bool serve_iris(struct served *s)
{
    int model;
    bool fine;

    json_decref(train("iris", "{\"trainer\":\"logistic\",\"target\":\"species\"}", &model));
    fine = serve(s, model);
    (void)close(model);
    return fine;
}

/* Ends it by closing our side of the stream; whether it went by itself. */
static bool leave(struct served *s)
{
    struct engine_exit how = {0};
    bool fine = shutdown(s->engine.control, SHUT_WR) == 0 &&
                engine_wait(&s->engine, 5000, &how) == OK && !how.by_signal && how.code == 0;

    engine_kill(&s->engine);
    frame_free(&s->frame);
    json_decref(s->ready);
    return fine;
}

/* Sends a request with some numbers of a known iris behind it, and takes the answer. */
static json_t *ask(struct served *s, const char *json, size_t numbers)
{
    static double row[16] = {5.1, 3.5, 1.4, 0.2};
    struct frame f = {.json = (char *)(uintptr_t)json,
                      .json_length = strlen(json),
                      .payload = (unsigned char *)row,
                      .payload_length = 8 * numbers};

    return frame_write(s->engine.control, &f, 5000) == OK ? hear(&s->engine, &s->frame) : NULL;
}

#define FEATURES(shape)                                                                            \
    "{\"id\":8,\"rows\":1,\"inputs\":[{\"name\":\"features\",\"datatype\":\"FP64\","               \
    "\"shape\":" shape "}]}"

static void says_what_it_takes_and_gives(void)
{
    struct served s;
    json_t *input, *output;

    CHECK(serve_iris(&s));
    input = json_array_get(json_object_get(s.ready, "inputs"), 0);
    output = json_array_get(json_object_get(s.ready, "outputs"), 1);
    CHECK(strcmp(text_of(input, "name"), "features") == 0);
    CHECK(strcmp(text_of(input, "datatype"), "FP64") == 0);
    CHECK(json_integer_value(json_array_get(json_object_get(input, "shape"), 0)) == -1);
    CHECK(json_integer_value(json_array_get(json_object_get(input, "shape"), 1)) == 4);
    CHECK(strcmp(text_of(output, "name"), "probabilities") == 0);
    CHECK(json_array_size(json_object_get(s.ready, "features")) == 4);
    CHECK(leave(&s));
}

static void answers_a_row(void)
{
    struct served s;
    json_t *a, *label;
    double p[3];

    CHECK(serve_iris(&s));
    a = ask(&s, FEATURES("[1,4]"), 4);
    label = json_array_get(json_object_get(a, "outputs"), 0);
    CHECK(number_of(a, "id") == 8 && strcmp(text_of(label, "datatype"), "BYTES") == 0);
    CHECK(strcmp(json_string_value(json_array_get(json_object_get(label, "values"), 0)),
                 "setosa") == 0);
    CHECK(s.frame.payload_length == sizeof(p));
    memcpy(p, s.frame.payload, sizeof(p));
    CHECK(p[0] > 0.9 && p[0] + p[1] + p[2] > 0.999999999);
    json_decref(a);
    CHECK(leave(&s));
}

static void outlives_bad_requests(void)
{
    static const char *const bad[][2] = {
        {"{\"id\":8,\"rows\":1,\"inputs\":[]}", "\"features\" is missing"},
        {FEATURES("[1,8]"), "ends 32 bytes too early"},
        {FEATURES("[1,3]"), "8 bytes more than the inputs take"},
        {FEATURES("[2,2]"), "must begin with \"rows\""},
        {FEATURES("[1,2,2]"), "has 2 dimensions, not 3"},
        {FEATURES("[1,4611686018427387904]"), "fit a frame"},
        {FEATURES("[1,-4]"), "no size"},
        {"{\"id\":8,\"rows\":1,\"inputs\":[{\"name\":\"nose\"}]}", "none of the model's"},
        {"{\"id\":8,\"rows\":1,\"inputs\":[{\"name\":\"features\",\"datatype\":\"BYTES\"}]}",
         "must have the datatype FP64"},
        {"{\"id\":8,\"rows\":-1,\"inputs\":[]}", "\"rows\""},
        {"{\"id\":8,\"rows\":1,\"inputs\":[],\"hat\":1}", "\"hat\""},
    };
    struct served s;

    CHECK(serve_iris(&s));
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        json_t *a = ask(&s, bad[i][0], 4);

        CHECK(strcmp(text_of(a, "event"), "error") == 0 && number_of(a, "id") == 8);
        CHECK(strstr(text_of(a, "message"), bad[i][1]) != NULL);
        json_decref(a);
    }
    json_decref(ask(&s, FEATURES("[1,4]"), 4));
    CHECK(s.frame.payload_length == 24);
    CHECK(leave(&s));
}

/* A model whose one feature is text. */
static void answers_texts(void)
{
    int input =
        text_file("shape,weight\nround,1\nsquare,5\nround,1\nsquare,5\nround,1\nsquare,5\n");
    int model = memory_file("", 0);
    struct engine_command c = command("train", input, model, -1);
    struct served s;
    double p[2];
    json_t *a;

    json_decref(run_job(&c, "{\"trainer\":\"ridge\",\"target\":\"weight\",\"test_fraction\":0,"
                            "\"l2\":0.000001}"));
    CHECK(serve(&s, model));
    a = ask(&s,
            "{\"id\":1,\"rows\":2,\"inputs\":[{\"name\":\"shape\",\"datatype\":\"BYTES\","
            "\"shape\":[2,1],\"values\":[\"square\",\"round\"]}]}",
            0);
    CHECK(s.frame.payload_length == sizeof(p));
    memcpy(p, s.frame.payload, sizeof(p));
    CHECK(p[0] > 4.99 && p[0] < 5.01 && p[1] > 0.99 && p[1] < 1.01);
    json_decref(a);
    CHECK(leave(&s));
    (void)close(input), (void)close(model);
}

static void hostile_models_are_refused(void)
{
    int model = text_file("\x08\x08\x3a\xff\xff\xff\x7f gotcha");
    struct engine_exit how;
    struct served s;

    CHECK(!serve(&s, model));
    CHECK(strcmp(text_of(s.ready, "event"), "error") == 0);
    CHECK(strcmp(text_of(s.ready, "code"), "content") == 0);
    CHECK(engine_wait(&s.engine, 5000, &how) == OK && !how.by_signal && how.code == 0);
    json_decref(s.ready);
    frame_free(&s.frame);
    (void)close(model);
}

int main(void)
{
    RUN(says_what_it_takes_and_gives);
    RUN(answers_a_row);
    RUN(outlives_bad_requests);
    RUN(answers_texts);
    RUN(hostile_models_are_refused);
    return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
