/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/test_engine.h"

/* Real engines, started as the service starts them. */

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

/* Columns named as the graph's own values, with slashes, line ends, commas and quotes. */
static void odd_column_names_survive(void)
{
    int input = text_file("label,text/1,\"a\nb\",\"c,\"\"d\",probabilities,y\n"
                          "u,x,k,1,m,0\nv,x,l,2,m,1\nu,z,k,3,n,0\nv,z,l,4,n,1\n");
    int model = memory_file("", 0), output = memory_file("", 0);
    struct engine_command c = command("train", input, model, -1);
    json_t *a = run_job(&c, "{\"trainer\":\"logistic\",\"target\":\"y\",\"test_fraction\":0}"), *b;
    char head[1024];

    CHECK(strcmp(text_of(a, "event"), "done") == 0 && metric(a, "accuracy") == 1);
    c = command("predict", input, output, model);
    b = run_job(&c, "{}");
    CHECK(number_of(b, "rows") == 4);
    CHECK(strstr(content(output, head, sizeof(head)),
                 "label,text/1,\"a\nb\",\"c,\"\"d\",probabilities,y,label_2,probability_0,"
                 "probability_1\nu,x,k,1,m,0,0,") == head);
    json_decref(a), json_decref(b);
    (void)close(input), (void)close(model), (void)close(output);
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

int main(void)
{
    RUN(trains_breast_cancer_well);
    RUN(trains_iris_as_multinomial);
    RUN(trains_diabetes_within_reason);
    RUN(same_seed_gives_the_same_model);
    RUN(bad_specs_are_refused_by_member);
    RUN(predicts_into_a_table);
    RUN(prediction_names_the_missing_column);
    RUN(odd_column_names_survive);
    RUN(profiles_columns);
    return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
