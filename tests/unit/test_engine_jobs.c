/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test_engine.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <time.h>

/* Real engines, started as the service starts them. */

static double now(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Trains on one of the real tables; the model is in *model, which the caller closes. */
static json_t *train(const char *table, const char *spec, int *model)
{
    int input = table_file(table);
    struct engine_command c;
    json_t *answer;

    *model = memory_file("", 0);
    c = command("train", input, *model, -1);
    answer = run_job(&c, spec);
    (void)close(input);
    return answer;
}

static double metric(const json_t *answer, const char *name)
{
    return number_of(json_object_get(answer, "metrics"), name);
}

static void trains_breast_cancer_well(void)
{
    int model;
    json_t *a =
        train("breast_cancer", "{\"trainer\":\"logistic\",\"target\":\"diagnosis\"}", &model);

    CHECK(strcmp(text_of(a, "event"), "done") == 0 && strcmp(text_of(a, "task"), "binary") == 0);
    CHECK(metric(a, "accuracy") >= 0.95 && metric(a, "auc") >= 0.98);
    CHECK(json_is_true(json_object_get(a, "converged")));
    CHECK(number_of(a, "rows_train") == 456 && number_of(a, "rows_test") == 113);
    CHECK(json_array_size(json_object_get(a, "features")) == 30);
    (void)close(model);
    json_decref(a);
}

static void trains_iris_as_multinomial(void)
{
    int model;
    json_t *a =
        train("iris", "{\"trainer\":\"logistic\",\"target\":\"species\",\"seed\":3}", &model);

    CHECK(strcmp(text_of(a, "task"), "multiclass") == 0 && metric(a, "accuracy") >= 0.9);
    CHECK(json_array_size(json_object_get(a, "confusion")) == 3);
    (void)close(model);
    json_decref(a);
}

static void trains_diabetes_within_reason(void)
{
    int model;
    json_t *a =
        train("diabetes", "{\"trainer\":\"ridge\",\"target\":\"progression\",\"test_fraction\":0}",
              &model);

    /* the full-fit R2 of least squares is 0.51775, and a little penalty takes little off */
    CHECK(metric(a, "r2") > 0.515 && metric(a, "r2") < 0.5178);
    CHECK(strcmp(text_of(a, "metrics_on"), "train") == 0);
    (void)close(model);
    json_decref(a);
}

static void same_seed_gives_the_same_model(void)
{
    static const char *const specs[] = {
        "{\"trainer\":\"logistic\",\"target\":\"diagnosis\",\"seed\":9}",
        "{\"trainer\":\"logistic\",\"target\":\"diagnosis\",\"seed\":9}",
        "{\"trainer\":\"logistic\",\"target\":\"diagnosis\",\"seed\":10}"};
    char digests[3][80];

    for (size_t i = 0; i < 3; i++) {
        int model;
        json_t *a = train("breast_cancer", specs[i], &model);

        (void)snprintf(digests[i], 80, "%s", text_of(json_object_get(a, "model"), "sha256"));
        (void)close(model);
        json_decref(a);
    }
    CHECK(strlen(digests[0]) == 64 && strcmp(digests[0], digests[1]) == 0);
    CHECK(strcmp(digests[0], digests[2]) != 0);
}

/* A spec that is refused: the words say which member. */
static bool spec_refused(const char *spec, const char *words)
{
    int model;
    json_t *a = train("iris", spec, &model);
    bool fine =
        strcmp(text_of(a, "event"), "error") == 0 && strstr(text_of(a, "message"), words) != NULL;

    if (!fine)
        (void)printf("%s: %s\n", spec, text_of(a, "message"));
    (void)close(model);
    json_decref(a);
    return fine;
}

static void bad_specs_are_refused_by_member(void)
{
    CHECK(spec_refused("[1]", "not an object"));
    CHECK(spec_refused("{\"trainer\":\"logistic\",\"trainer\":\"x\"}", "duplicate"));
    CHECK(spec_refused("{\"trainer\":\"forest\",\"target\":\"species\"}", "\"trainer\""));
    CHECK(spec_refused("{\"trainer\":\"logistic\"}", "\"target\""));
    CHECK(spec_refused("{\"trainer\":\"logistic\",\"target\":\"spezies\"}", "\"spezies\""));
    CHECK(spec_refused("{\"trainer\":\"logistic\",\"target\":\"species\",\"depth\":3}",
                       "unknown member \"depth\""));
    CHECK(spec_refused("{\"trainer\":\"logistic\",\"target\":\"species\",\"test_fraction\":1}",
                       "\"test_fraction\" must be a number from 0 to 0.9"));
    CHECK(
        spec_refused("{\"trainer\":\"logistic\",\"target\":\"species\",\"seed\":1.5}", "\"seed\""));
    CHECK(spec_refused("{\"trainer\":\"logistic\",\"target\":\"species\",\"features\":[\"nose\"]}",
                       "no column \"nose\""));
    CHECK(
        spec_refused("{\"trainer\":\"logistic\",\"target\":\"species\",\"features\":[\"species\"]}",
                     "named twice"));
    CHECK(spec_refused("{\"trainer\":\"logistic\",\"target\":\"petal_width_cm\"}", "real numbers"));
    CHECK(spec_refused("{\"trainer\":\"ridge\",\"target\":\"species\"}",
                       "a regression takes numbers"));
}

/* The first bytes of a file in memory. */
static const char *content(int fd, char *out, size_t room)
{
    ssize_t n = pread(fd, out, room - 1, 0);

    out[n < 0 ? 0 : n] = '\0';
    return out;
}

static void predicts_into_a_table(void)
{
    int model, output = memory_file("", 0), input = table_file("iris");
    json_t *a = train("iris", "{\"trainer\":\"logistic\",\"target\":\"species\"}", &model), *b;
    struct engine_command c = command("predict", input, output, model);
    char head[4096];

    b = run_job(&c, "{\"columns_out\":\"append\"}");
    CHECK(strcmp(text_of(b, "event"), "done") == 0 && number_of(b, "rows") == 150);
    (void)content(output, head, sizeof(head));
    CHECK(strstr(head,
                 "sepal_length_cm,sepal_width_cm,petal_length_cm,petal_width_cm,species,label,"
                 "probability_setosa,probability_versicolor,probability_virginica\n"
                 "5.1,3.5,1.4,0.2,setosa,setosa,0.9") == head);
    CHECK(ftruncate(output, 0) == 0 && lseek(output, 0, SEEK_SET) == 0);
    json_decref(b);
    b = run_job(&c, "{\"columns_out\":\"only\"}");
    (void)content(output, head, sizeof(head));
    CHECK(strstr(head, "label,probability_setosa,") == head &&
          strstr(head, "\nsetosa,0.9") != NULL);
    json_decref(a);
    json_decref(b);
    (void)close(model), (void)close(output), (void)close(input);
}

static void prediction_names_the_missing_column(void)
{
    int model, output = memory_file("", 0);
    int fewer = text_file("sepal_length_cm,sepal_width_cm,petal_width_cm\n1,2,3\n");
    int worse = text_file("sepal_length_cm,sepal_width_cm,petal_length_cm,petal_width_cm\n"
                          "1,2,3,4\n1,2,x,4\n");
    json_t *a = train("iris", "{\"trainer\":\"logistic\",\"target\":\"species\"}", &model);
    struct engine_command c = command("predict", fewer, output, model);
    json_t *b = run_job(&c, "{}"), *d;

    CHECK(strcmp(text_of(b, "code"), "content") == 0);
    CHECK(strstr(text_of(b, "message"), "no column \"petal_length_cm\"") != NULL);
    c.input = worse;
    d = run_job(&c, "{}");
    CHECK(strstr(text_of(d, "message"), "line 3, column \"petal_length_cm\": a number") != NULL);
    json_decref(a), json_decref(b), json_decref(d);
    (void)close(model), (void)close(output), (void)close(fewer), (void)close(worse);
}

static void profiles_columns(void)
{
    int input = text_file("n,r,b,t\n1,0.5,true,x\n2,NA,false,y\n,1.5,true,x\n3,2,,x\n");
    struct engine_command c = command("profile", input, -1, -1);
    json_t *a = run_job(&c, "{}"), *columns = json_object_get(a, "columns"), *t;

    CHECK(number_of(a, "rows") == 4 && json_array_size(columns) == 4);
    CHECK(strcmp(text_of(json_array_get(columns, 0), "type"), "integer") == 0);
    CHECK(number_of(json_array_get(columns, 0), "mean") == 2);
    CHECK(number_of(json_array_get(columns, 0), "missing") == 1);
    CHECK(strcmp(text_of(json_array_get(columns, 1), "type"), "real") == 0);
    CHECK(number_of(json_array_get(columns, 1), "max") == 2);
    CHECK(strcmp(text_of(json_array_get(columns, 2), "type"), "boolean") == 0);
    t = json_array_get(columns, 3);
    CHECK(strcmp(text_of(t, "type"), "text") == 0 && number_of(t, "distinct") == 2);
    t = json_array_get(json_object_get(t, "top"), 0);
    CHECK(strcmp(json_string_value(json_array_get(t, 0)), "x") == 0 &&
          json_integer_value(json_array_get(t, 1)) == 3);
    json_decref(a);
    (void)close(input);
}

/* Sends a request of one row of four numbers to a served iris model. */
static bool ask(const struct engine *e, const char *json, size_t numbers)
{
    static double row[16] = {5.1, 3.5, 1.4, 0.2};
    struct frame f = {.json = (char *)(uintptr_t)json,
                      .json_length = strlen(json),
                      .payload = (unsigned char *)row,
                      .payload_length = 8 * numbers};

    return frame_write(e->control, &f, 5000) == OK;
}

static void serves_requests_and_outlives_bad_ones(void)
{
    static const char good[] =
        "{\"id\":7,\"rows\":1,\"inputs\":[{\"name\":\"features\",\"datatype\":"
        "\"FP64\",\"shape\":[1,4]}]}";
    static const char *const bad[][2] = {
        {"{\"id\":8,\"rows\":1,\"inputs\":[]}", "\"features\" is missing"},
        {"{\"id\":8,\"rows\":2,\"inputs\":[{\"name\":\"features\",\"datatype\":\"FP64\",\"shape\":["
         "2,4]}]}",
         "ends 32 bytes too early"},
        {"{\"id\":8,\"rows\":1,\"inputs\":[{\"name\":\"nose\",\"datatype\":\"FP64\",\"shape\":[1,4]"
         "}]}",
         "none of the model's"},
        {"{\"id\":8,\"rows\":1,\"inputs\":[{\"name\":\"features\",\"datatype\":\"BYTES\",\"shape\":"
         "[1,4]}]}",
         "must have the datatype FP64"},
        {"{\"id\":8,\"rows\":4,\"inputs\":[{\"name\":\"features\",\"datatype\":\"FP64\",\"shape\":["
         "4,1]}]}",
         "dimension 1 of input"},
        {"{\"id\":8,\"rows\":1,\"inputs\":[{\"name\":\"features\",\"datatype\":\"FP64\",\"shape\":"
         "[1,4611686018427387904]}]}",
         "fit a frame"},
        {"{\"id\":8,\"rows\":-1,\"inputs\":[]}", "\"rows\""},
        {"{\"id\":8,\"rows\":1,\"inputs\":[],\"hat\":1}", "\"hat\""},
    };
    struct engine_exit how;
    struct frame f = {0};
    struct engine_command c;
    struct engine e;
    json_t *a, *b;
    double p[3];
    int model;

    json_decref(train("iris", "{\"trainer\":\"logistic\",\"target\":\"species\"}", &model));
    c = command("serve", -1, -1, model);
    CHECK(engine_spawn(&e, &c) == OK);
    a = hear(&e, &f);
    CHECK(strcmp(text_of(a, "event"), "ready") == 0);
    CHECK(strcmp(text_of(json_array_get(json_object_get(a, "inputs"), 0), "datatype"), "FP64") ==
          0);
    CHECK(json_array_size(json_object_get(a, "features")) == 4);
    json_decref(a);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        CHECK(ask(&e, bad[i][0], 4));
        b = hear(&e, &f);
        CHECK(strcmp(text_of(b, "event"), "error") == 0 && number_of(b, "id") == 8);
        CHECK(strstr(text_of(b, "message"), bad[i][1]) != NULL);
        json_decref(b);
    }
    CHECK(ask(&e, good, 4));
    b = hear(&e, &f);
    CHECK(number_of(b, "id") == 7 && json_array_size(json_object_get(b, "outputs")) == 2);
    CHECK(f.payload_length == sizeof(p));
    memcpy(p, f.payload, sizeof(p));
    CHECK(p[0] > 0.9 && p[0] + p[1] + p[2] > 0.999999999);
    json_decref(b);
    CHECK(shutdown(e.control, SHUT_WR) == 0);
    CHECK(engine_wait(&e, 5000, &how) == OK && !how.by_signal && how.code == 0);
    frame_free(&f);
    (void)close(model);
}

static void hostile_models_are_refused(void)
{
    int model = text_file("\x08\x08\x3a\xff\xff\xff\x7f gotcha");
    struct engine_command c = command("serve", -1, -1, model);
    struct engine_exit how;
    struct frame f = {0};
    struct engine e;
    json_t *a;

    CHECK(engine_spawn(&e, &c) == OK);
    a = hear(&e, &f);
    CHECK(strcmp(text_of(a, "event"), "error") == 0 && strcmp(text_of(a, "code"), "content") == 0);
    CHECK(engine_wait(&e, 5000, &how) == OK && how.code == 0);
    json_decref(a);
    frame_free(&f);
    (void)close(model);
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)

static void sandbox_refuses_everything_else(void)
{
    static const char *const calls[] = {"open", "socket", "fork",   "unlink",
                                        "kill", "ptrace", "execve", "mmap_exec"};
    struct engine_command c = command("self-test", -1, -1, -1);
    json_t *a = run_job(&c, "{}"), *report = json_object_get(a, "calls");

    for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
        CHECK(strcmp(text_of(report, calls[i]), "EPERM") == 0);
    json_decref(a);
}

/* A table whose columns need more memory than the job has: an answer, not a death. */
static void too_large_a_table_is_told(void)
{
    enum { COLUMNS = 4000, ROWS = 4000 };
    size_t length = 0, room = (size_t)COLUMNS * (2 * ROWS + 8);
    char *table = malloc(room);
    struct engine_command c;
    int input, model = memory_file("", 0);
    json_t *a;

    for (int i = 0; i < COLUMNS; i++)
        length += (size_t)snprintf(table + length, 8, "c%d%c", i, i + 1 < COLUMNS ? ',' : '\n');
    for (int r = 0; r < ROWS; r++)
        for (int i = 0; i < COLUMNS; i++) {
            table[length++] = (char)('0' + (r + i) % 10);
            table[length++] = i + 1 < COLUMNS ? ',' : '\n';
        }
    input = memory_file(table, length);
    free(table);
    c = command("train", input, model, -1);
    c.memory_bytes = (uint64_t)256 << 20;
    a = run_job(&c, "{\"trainer\":\"ridge\",\"target\":\"c0\"}");
    CHECK(strcmp(text_of(a, "code"), "limit") == 0);
    CHECK(strstr(text_of(a, "message"), "more memory than it may have") != NULL);
    json_decref(a);
    (void)close(input), (void)close(model);
}

#endif

static void too_large_an_output_is_told(void)
{
    int input = table_file("breast_cancer"), model = memory_file("", 0);
    struct engine_command c = command("train", input, model, -1);
    json_t *a;

    c.file_size_bytes = 1000;
    a = run_job(&c, "{\"trainer\":\"logistic\",\"target\":\"diagnosis\"}");
    CHECK(strcmp(text_of(a, "code"), "limit") == 0);
    CHECK(strstr(text_of(a, "message"), "1000 bytes") != NULL);
    json_decref(a);
    (void)close(input), (void)close(model);
}

/* An engine that waits for its spec. */
static bool idle(struct engine *e)
{
    int input = table_file("iris");
    struct engine_command c = command("profile", input, -1, -1);
    bool fine = engine_spawn(e, &c) == OK;

    (void)close(input);
    return fine;
}

static void death_is_seen_at_once(void)
{
    struct engine_exit how;
    struct frame f = {0};
    struct engine e;
    double start;

    CHECK(idle(&e));
    CHECK(engine_wait(&e, 100, &how) == ERR_TIMEOUT);
    start = now();
    CHECK(kill(e.pid, SIGKILL) == 0);
    CHECK(frame_read(e.control, &f, 5000) == ERR_UNAVAILABLE);
    CHECK(engine_wait(&e, 5000, &how) == OK);
    CHECK(now() - start < 1 && how.by_signal && how.code == SIGKILL);
    CHECK(e.pid == -1 && e.control == -1);
    engine_kill(&e); /* harmless now */
}

static void cancel_and_kill_end_it(void)
{
    struct engine_exit how;
    struct engine e;

    CHECK(idle(&e));
    engine_cancel(&e);
    CHECK(engine_wait(&e, 5000, &how) == OK && how.by_signal && how.code == SIGTERM);
    CHECK(strcmp(engine_exit_text(&how), "was cancelled") == 0);
    CHECK(idle(&e));
    engine_kill(&e);
    CHECK(e.pid == -1 && e.pidfd == -1);
}

static void a_program_that_is_not_there_is_told(void)
{
    struct engine_command c = command("profile", -1, -1, -1);
    struct engine e;

    c.program = "/nowhere/chancery-engine";
    CHECK(engine_spawn(&e, &c) == ERR_ENGINE && e.control == -1);
}

static void an_unprivileged_user_can_run_it(void)
{
    struct engine_command c = command("profile", -1, -1, -1);
    json_t *a;

    c.uid = c.gid = 65534;
    c.input = table_file("iris");
    a = run_job(&c, "{}");
    CHECK(number_of(a, "rows") == 150);
    json_decref(a);
    (void)close(c.input);
}

/* With the parent's end of the stream gone, the engine has nobody to work for. */
static void an_orphan_ends(void)
{
    struct engine_exit how;
    struct engine e;

    CHECK(idle(&e));
    (void)close(e.control);
    e.control = -1;
    CHECK(engine_wait(&e, 5000, &how) == OK && !how.by_signal && how.code == 1);
}

int main(void)
{
    RUN(trains_breast_cancer_well);
    RUN(trains_iris_as_multinomial);
    RUN(trains_diabetes_within_reason);
    RUN(same_seed_gives_the_same_model);
    RUN(bad_specs_are_refused_by_member);
    RUN(predicts_into_a_table);
    RUN(prediction_names_the_missing_column);
    RUN(profiles_columns);
    RUN(serves_requests_and_outlives_bad_ones);
    RUN(hostile_models_are_refused);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    RUN(sandbox_refuses_everything_else);
    RUN(too_large_a_table_is_told);
#endif
    RUN(too_large_an_output_is_told);
    RUN(death_is_seen_at_once);
    RUN(cancel_and_kill_end_it);
    RUN(a_program_that_is_not_there_is_told);
    RUN(an_unprivileged_user_can_run_it);
    RUN(an_orphan_ends);
    return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
