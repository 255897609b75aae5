/* SPDX-License-Identifier: Apache-2.0 */
#include "compute/engine/link.h"
#include "compute/engine/ridge.h"
#include "compute/engine/scores.h"
#include "compute/engine/split.h"
#include "compute/engine/target.h"
#include "tests/unit/test_engine.h"

#include <math.h>

static struct pool pool;
static struct refusal why;
static uint64_t state = 7;

/* About normal: twelve uniform numbers less six. */
static double normal(void)
{
    double sum = -6;

    for (int i = 0; i < 12; i++)
        sum += (double)(random_next(&state) >> 11) * 0x1p-53;
    return sum;
}

static struct matrix random_matrix(size_t rows, size_t columns)
{
    struct matrix m = {rows, columns, pool_take(&pool, rows * columns, sizeof(double))};

    for (size_t i = 0; i < rows * columns; i++)
        m.data[i] = normal();
    return m;
}

static struct logistic random_problem(size_t rows, size_t columns, size_t classes)
{
    struct logistic l = {.x = random_matrix(rows, columns), .classes = classes, .l2 = 1};
    uint32_t *y = pool_take(&pool, rows, sizeof(*y));

    for (size_t i = 0; i < rows; i++) {
        double score = l.x.data[i * columns] + 0.5 * normal();

        y[i] = i < classes ? (uint32_t)i : (uint32_t)(fabs(score) * 3) % (uint32_t)classes;
    }
    l.y = y;
    l.limits = (struct lbfgs_limits){1e-9, 500};
    return l;
}

static bool near(double a, double b, double tolerance)
{
    return fabs(a - b) <= tolerance * (1 + fabs(b));
}

static void exponential_is_exact_to_two_units(void)
{
    for (double x = 0; x > -700; x -= 0.0371) {
        double want = exp(x);

        CHECK(fabs(link_exp(x) - want) <= 2 * 0x1p-52 * want);
    }
    CHECK(link_exp(-1e9) < 1e-300 && link_exp(0) == 1);
}

static void links_agree_with_reference(void)
{
    static const size_t sizes[] = {1, 7, 8, 100, LINK_BLOCK};
    double z[4 * LINK_BLOCK], z2[4 * LINK_BLOCK], y[LINK_BLOCK], r[LINK_BLOCK], r2[LINK_BLOCK];
    uint32_t class[LINK_BLOCK];

    for (size_t s = 0; s < 5; s++) {
        size_t n = sizes[s];

        for (size_t i = 0; i < n; i++) {
            z[i] = 20 * normal();
            y[i] = i % 2 == 0 ? 0 : 1;
        }
        memcpy(z2, z, sizeof(z));
        CHECK(near(link_binary(z, y, r, n), link_binary_reference(z2, y, r2, n), 1e-12));
        for (size_t i = 0; i < n; i++)
            CHECK(fabs(r[i] - r2[i]) < 1e-15);
        for (size_t i = 0; i < 4 * LINK_BLOCK; i++)
            z[i] = z2[i] = 10 * normal();
        for (size_t i = 0; i < n; i++)
            class[i] = (uint32_t)(i % 4);
        CHECK(near(link_softmax(z, class, n, 4), link_softmax_reference(z2, class, n, 4), 1e-12));
        for (size_t i = 0; i < n; i++)
            CHECK(fabs(z[3 * LINK_BLOCK + i] - z2[3 * LINK_BLOCK + i]) < 1e-14);
    }
}

static void logistic_value_agrees_with_reference(void)
{
    for (size_t classes = 2; classes <= 5; classes++) {
        struct logistic l = random_problem(700, 9, classes);
        double w[60], fast[60], slow[60], value;

        for (size_t i = 0; i < 60; i++)
            w[i] = 0.3 * normal();
        CHECK(logistic_value(&l, w, fast, &value, &why) == OK);
        CHECK(near(value, logistic_value_reference(&l, w, slow), 1e-12));
        for (size_t i = 0; i < 10 * (classes == 2 ? 1 : classes); i++)
            CHECK(near(fast[i], slow[i], 1e-12));
    }
}

static void logistic_gradient_is_the_slope(void)
{
    struct logistic l = random_problem(300, 4, 3);
    double w[15], gradient[15], ignored[15];

    for (size_t i = 0; i < 15; i++)
        w[i] = 0.2 * normal();
    (void)logistic_value_reference(&l, w, gradient);
    for (size_t i = 0; i < 15; i++) {
        double step = 1e-6, up, down;

        w[i] += step;
        up = logistic_value_reference(&l, w, ignored);
        w[i] -= 2 * step;
        down = logistic_value_reference(&l, w, ignored);
        w[i] += step;
        CHECK(fabs((up - down) / (2 * step) - gradient[i]) < 1e-7);
    }
}

static void logistic_reaches_the_minimum(void)
{
    for (size_t classes = 2; classes <= 4; classes++) {
        struct logistic l = random_problem(2000, 12, classes);
        struct lbfgs_result result;
        struct linear model;
        double gradient[60], value;

        CHECK(logistic_fit(&l, &model, &result, &pool, &why) == OK);
        CHECK(result.converged && result.iterations < 60);
        value = logistic_value_reference(&l, model.weights, gradient);
        CHECK(near(result.value, value, 1e-12));
        for (size_t i = 0; i < 13 * model.outputs; i++)
            CHECK(fabs(gradient[i]) < 1e-8);
    }
}

/* Rosenbrock's valley: a minimum that only a working line search finds. */
static double valley(void *context, const double *x, double *g)
{
    double a = 1 - x[0], b = x[1] - x[0] * x[0];

    (void)context;
    g[0] = -2 * a - 400 * x[0] * b;
    g[1] = 200 * b;
    return a * a + 100 * b * b;
}

static void lbfgs_finds_the_valley(void)
{
    struct objective o = {.n = 2, .value = valley};
    double x[2] = {-1.2, 1};
    struct lbfgs_result r;

    CHECK(lbfgs_minimise(&o, x, (struct lbfgs_limits){1e-9, 200}, &r, &why) == OK);
    CHECK(r.converged && fabs(x[0] - 1) < 1e-8 && fabs(x[1] - 1) < 1e-8);
}

static void lbfgs_stops_at_its_limit(void)
{
    struct objective o = {.n = 2, .value = valley};
    double x[2] = {-1.2, 1};
    struct lbfgs_result r;

    CHECK(lbfgs_minimise(&o, x, (struct lbfgs_limits){1e-9, 3}, &r, &why) == OK);
    CHECK(!r.converged && r.iterations == 3);
}

static void ridge_agrees_with_reference(void)
{
    static const double penalties[] = {0, 1, 1000};

    for (size_t k = 0; k < 3; k++) {
        struct ridge r = {.x = random_matrix(5000, 11), .l2 = penalties[k]};
        double *y = pool_take(&pool, 5000, sizeof(*y));
        struct linear fast, slow;
        bool by_svd;

        for (size_t i = 0; i < 5000; i++)
            y[i] = 1e4 + 3 * r.x.data[i * 11] - r.x.data[i * 11 + 5] + normal();
        r.y = y;
        CHECK(ridge_fit(&r, &fast, &by_svd, &pool, &why) == OK && !by_svd);
        CHECK(ridge_fit_reference(&r, &slow, &pool, &why) == OK);
        for (size_t j = 0; j <= 11; j++)
            CHECK(near(fast.weights[j], slow.weights[j], 1e-9));
    }
}

/* Two equal columns and no penalty: the answer of least norm shares the weight between them. */
static void ridge_takes_singular_matrices(void)
{
    struct ridge r = {.x = random_matrix(200, 3)};
    double y[200];
    struct linear model;
    bool by_svd;

    for (size_t i = 0; i < 200; i++) {
        r.x.data[i * 3 + 1] = r.x.data[i * 3];
        y[i] = 4 * r.x.data[i * 3] + r.x.data[i * 3 + 2] + 7;
    }
    r.y = y;
    CHECK(ridge_fit(&r, &model, &by_svd, &pool, &why) == OK && by_svd);
    CHECK(near(model.weights[0], 2, 1e-9) && near(model.weights[1], 2, 1e-9));
    CHECK(near(model.weights[2], 1, 1e-9) && near(model.intercepts[0], 7, 1e-9));
}

static void auc_agrees_with_every_pair(void)
{
    uint32_t right[300];
    double p[600];

    for (size_t i = 0; i < 300; i++) {
        right[i] = normal() > 0.4;
        p[2 * i + 1] = round(4 * (normal() + 0.5 * right[i])) / 4; /* many ties */
    }
    for (size_t rows = 10; rows <= 300; rows += 29) {
        struct answers a = {right, p, rows, 2};
        double auc;

        CHECK(scores_auc(&a, &auc, &pool, &why) == OK);
        CHECK(near(auc, scores_auc_reference(&a), 1e-12));
    }
}

/* By hand: 4 of 6 right; class 1 said 3 times, 2 of them rightly, and 3 rows are of it. */
static void scores_match_hand_counts(void)
{
    static const uint32_t right[] = {0, 0, 0, 1, 1, 1};
    static const double p[] = {.9, .1, .8, .2, .3, .7, .6, .4, .2, .8, .1, .9};
    struct answers a = {right, p, 6, 2};
    struct class_scores s;
    struct number_scores n;

    CHECK(scores_classes(&s, &a, &pool, &why) == OK);
    CHECK(near(s.accuracy, 4.0 / 6, 1e-15) && near(s.precision, 2.0 / 3, 1e-15));
    CHECK(near(s.recall, 2.0 / 3, 1e-15) && near(s.f1, 2.0 / 3, 1e-15));
    CHECK(near(s.auc, 8.0 / 9, 1e-15));
    CHECK(
        near(s.log_loss, -(log(.9) + log(.8) + log(.3) + log(.4) + log(.8) + log(.9)) / 6, 1e-15));
    CHECK(s.confusion[0] == 2 && s.confusion[1] == 1 && s.confusion[2] == 1 && s.confusion[3] == 2);
    n = scores_numbers((const double[]){1, 2, 3}, (const double[]){1, 2, 5}, 3);
    CHECK(near(n.rmse, sqrt(4.0 / 3), 1e-15) && near(n.mae, 2.0 / 3, 1e-15) &&
          near(n.r2, -1, 1e-15));
}

static void split_keeps_every_class(void)
{
    uint32_t classes[1000];
    struct split_plan plan = {1000, classes, 3, 0.2, 42};
    struct split a, b;
    size_t held = 0;

    for (uint32_t i = 0; i < 1000; i++)
        classes[i] = i == 999 ? 2 : i % 10 == 0;
    CHECK(split_rows(&a, &plan, &pool, &why) == OK && split_rows(&b, &plan, &pool, &why) == OK);
    CHECK(a.train_count + a.test_count == 1000 && a.test_count == 200);
    CHECK(memcmp(a.test, b.test, a.test_count * sizeof(*a.test)) == 0);
    for (size_t i = 0; i < a.test_count; i++)
        held += classes[a.test[i]] == 1;
    CHECK(held == 20);
    CHECK(a.train[a.train_count - 1] == 999);
    plan.seed = 43;
    CHECK(split_rows(&b, &plan, &pool, &why) == OK);
    CHECK(memcmp(a.test, b.test, a.test_count * sizeof(*a.test)) != 0);
}

/* What scikit-learn's newton-cholesky reaches on the whole standardised table (its lbfgs stops
 * before, at 0.05339204). */
static void breast_cancer_has_the_known_minimum(void)
{
    struct logistic l = {.classes = 2, .l2 = 1, .limits = {1e-10, 1000}};
    int fd = table_file("breast_cancer");
    struct lbfgs_result result;
    struct linear model;
    struct encoder encoder;
    struct target target;
    struct table table;
    struct answers answers;
    struct class_scores s;
    uint32_t all[600];
    double p[1200];

    for (uint32_t i = 0; i < 600; i++)
        all[i] = i;
    CHECK(table_load(&table, fd, NULL, &pool, &why) == OK && table.rows == 569);
    (void)close(fd);
    CHECK(target_classes(&target, &table.column[30], table.rows, &pool, &why) == OK);
    CHECK(encoder_learn(&encoder, &(struct rows){&table, all, 569}, 30, &pool, &why) == OK);
    CHECK(encoder_apply(&encoder, &(struct rows){&table, all, 569}, &l.x, &pool, &why) == OK);
    l.y = target.code;
    CHECK(logistic_fit(&l, &model, &result, &pool, &why) == OK && result.converged);
    logistic_predict(&model, l.x, 2, p);
    answers = (struct answers){target.code, p, 569, 2};
    CHECK(scores_classes(&s, &answers, &pool, &why) == OK);
    CHECK(near(s.log_loss, 0.0533918575, 1e-9));
    CHECK(near(model.weights[0], 0.36309253, 1e-7) && near(model.weights[1], 0.38767544, 1e-7));
    CHECK(near(model.intercepts[0], -0.21450272, 1e-7));
}

int main(void)
{
    pool = pool_new((size_t)1 << 30);
    RUN(exponential_is_exact_to_two_units);
    RUN(links_agree_with_reference);
    RUN(logistic_value_agrees_with_reference);
    RUN(logistic_gradient_is_the_slope);
    RUN(logistic_reaches_the_minimum);
    RUN(lbfgs_finds_the_valley);
    RUN(lbfgs_stops_at_its_limit);
    RUN(ridge_agrees_with_reference);
    RUN(ridge_takes_singular_matrices);
    RUN(auc_agrees_with_every_pair);
    RUN(scores_match_hand_counts);
    RUN(split_keeps_every_class);
    RUN(breast_cancer_has_the_known_minimum);
    pool_free(&pool);
    return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
