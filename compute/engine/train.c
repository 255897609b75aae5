/* SPDX-License-Identifier: Apache-2.0 */
#include "compute/engine/job.h"
#include "compute/engine/output.h"
#include "compute/engine/ridge.h"
#include "compute/engine/scores.h"
#include "compute/engine/split.h"
#include "compute/engine/target.h"
#include "compute/engine/train_spec.h"
#include "compute/engine/trained.h"

#include <cblas.h>
#include <math.h>
#include <time.h>

/* A training job on its way. */
struct training {
    struct job *job;
    struct train_spec spec;
    struct table table;
    size_t column; /* the target's */
    struct target target;
    struct split split;
    struct encoder encoder;
    struct matrix x; /* training rows */
    struct linear model;
    struct lbfgs_result fit;
    double mark; /* when the last part ended */
    json_t *timing;
    json_t *done;
};

static double now(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Books the time since the last mark under name. */
static double lap(struct training *t, const char *name)
{
    double at = now(), spent = at - t->mark;

    t->mark = at;
    (void)json_object_set_new(t->timing, name, json_real(spent));
    return spent;
}

static enum err find_target(struct training *t)
{
    struct refusal *why = &t->job->why;
    const struct column *c;

    while (t->column < t->table.columns &&
           span_compare(t->table.column[t->column].name, t->spec.target) != 0)
        t->column++;
    if (t->column == t->table.columns)
        return refuse(why, ERR_INVALID, "the table has no column \"%.*s\", which is the target",
                      (int)t->spec.target.length, t->spec.target.data);
    if (t->table.rows < 2)
        return refuse(why, ERR_CONTENT, "the table has %zu rows; at least two are needed",
                      t->table.rows);
    c = &t->table.column[t->column];
    if (!t->spec.classify)
        return target_numbers(c, why);
    return target_classes(&t->target, c, t->table.rows, &t->job->pool, why);
}

static enum err load(struct training *t)
{
    struct job *job = t->job;
    struct split_plan plan;

    channel_progress(&job->channel, 0, "reading the table");
    TRY(table_load(&t->table, job->input, t->spec.columns.count > 0 ? &t->spec.columns : NULL,
                   &job->pool, &job->why));
    TRY(find_target(t));
    plan = (struct split_plan){.rows = t->table.rows,
                               .classes = t->target.code,
                               .class_count = t->target.classes,
                               .fraction = t->spec.test_fraction,
                               .seed = t->spec.seed};
    TRY(split_rows(&t->split, &plan, &job->pool, &job->why));
    (void)lap(t, "load");
    return OK;
}

static struct rows train_rows(const struct training *t)
{
    return (struct rows){&t->table, t->split.train, t->split.train_count};
}

static enum err prepare(struct training *t)
{
    struct job *job = t->job;
    struct rows rows = train_rows(t);

    TRY(encoder_learn(&t->encoder, &rows, t->column, &job->pool, &job->why));
    TRY(encoder_apply(&t->encoder, &rows, &t->x, &job->pool, &job->why));
    (void)lap(t, "prepare");
    channel_progress(&job->channel, 0.3, "fitting");
    return OK;
}

static enum err fit_classes(struct training *t)
{
    struct job *job = t->job;
    uint32_t *y;
    struct logistic l = {.x = t->x,
                         .classes = t->target.classes,
                         .l2 = t->spec.l2,
                         .limits = t->spec.limits,
                         .channel = &job->channel};

    TRY(pool_get(&job->pool, t->x.rows, sizeof(*y), &y, &job->why));
    for (size_t i = 0; i < t->x.rows; i++)
        y[i] = t->target.code[t->split.train[i]];
    l.y = y;
    return logistic_fit(&l, &t->model, &t->fit, &job->pool, &job->why);
}

static enum err fit_numbers(struct training *t)
{
    const double *target = t->table.column[t->column].number;
    struct job *job = t->job;
    double *y;
    bool by_svd;
    struct ridge r = {.x = t->x, .l2 = t->spec.l2};

    TRY(pool_get(&job->pool, t->x.rows, sizeof(*y), &y, &job->why));
    for (size_t i = 0; i < t->x.rows; i++)
        y[i] = target[t->split.train[i]];
    r.y = y;
    t->fit = (struct lbfgs_result){.iterations = 1, .converged = true};
    TRY(ridge_fit(&r, &t->model, &by_svd, &job->pool, &job->why));
    (void)json_object_set_new(t->done, "solver", json_string(by_svd ? "svd" : "cholesky"));
    return OK;
}

/* Null where a score has no meaning: JSON has no NaN. */
static json_t *score_json(double x)
{
    return isfinite(x) ? json_real(x) : json_null();
}

static enum err score_classes(struct training *t, struct matrix x, const struct rows *rows,
                              json_t *metrics)
{
    struct job *job = t->job;
    size_t k = t->target.classes;
    uint32_t *right;
    double *p;
    struct class_scores s;
    json_t *confusion = json_array();

    (void)json_object_set_new(t->done, "confusion", confusion);
    TRY(pool_get(&job->pool, x.rows, sizeof(*right), &right, &job->why));
    TRY(pool_get(&job->pool, x.rows * k, sizeof(*p), &p, &job->why));
    for (size_t i = 0; i < x.rows; i++)
        right[i] = t->target.code[rows->row[i]];
    logistic_predict(&t->model, x, k, p);
    TRY(scores_classes(&s, &(struct answers){right, p, x.rows, k}, &job->pool, &job->why));
    for (size_t a = 0; a < k; a++) {
        json_t *line = json_array();

        for (size_t b = 0; b < k; b++)
            (void)json_array_append_new(line, json_integer((json_int_t)s.confusion[a * k + b]));
        (void)json_array_append_new(confusion, line);
    }
    (void)json_object_set_new(metrics, "accuracy", score_json(s.accuracy));
    (void)json_object_set_new(metrics, "log_loss", score_json(s.log_loss));
    if (k == 2)
        (void)json_object_set_new(metrics, "auc", score_json(s.auc));
    (void)json_object_set_new(metrics, "precision", score_json(s.precision));
    (void)json_object_set_new(metrics, "recall", score_json(s.recall));
    (void)json_object_set_new(metrics, "f1", score_json(s.f1));
    return OK;
}

static enum err score_numbers(struct training *t, struct matrix x, const struct rows *rows,
                              json_t *metrics)
{
    const double *target = t->table.column[t->column].number;
    struct job *job = t->job;
    struct number_scores s;
    double *right, *said;

    TRY(pool_get(&job->pool, x.rows, sizeof(*right), &right, &job->why));
    TRY(pool_get(&job->pool, x.rows, sizeof(*said), &said, &job->why));
    for (size_t i = 0; i < x.rows; i++)
        right[i] = target[rows->row[i]];
    ridge_predict(&t->model, x, said);
    s = scores_numbers(right, said, x.rows);
    (void)json_object_set_new(metrics, "rmse", score_json(s.rmse));
    (void)json_object_set_new(metrics, "mae", score_json(s.mae));
    (void)json_object_set_new(metrics, "r2", score_json(s.r2));
    return OK;
}

/* On the rows held out; on the training rows when none were. */
static enum err score(struct training *t)
{
    bool held = t->split.test_count > 0;
    struct rows rows = train_rows(t);
    struct matrix x = t->x;
    json_t *metrics = json_object();

    (void)json_object_set_new(t->done, "metrics", metrics);
    (void)json_object_set_new(t->done, "metrics_on", json_string(held ? "test" : "train"));
    if (held) {
        rows = (struct rows){&t->table, t->split.test, t->split.test_count};
        TRY(encoder_apply(&t->encoder, &rows, &x, &t->job->pool, &t->job->why));
    }
    if (t->spec.classify)
        TRY(score_classes(t, x, &rows, metrics));
    else
        TRY(score_numbers(t, x, &rows, metrics));
    (void)lap(t, "evaluate");
    return OK;
}

static enum err save(struct training *t, const struct trained *trained)
{
    struct job *job = t->job;
    struct output *out;
    struct text file;
    json_t *about;
    enum err e;

    TRY(pool_get(&job->pool, 1, sizeof(*out), &out, &job->why));
    TRY(trained_export(trained, &file, &job->why));
    output_begin(out, job->output);
    e = output_add(out, file.data, file.length, &job->why);
    text_free(&file);
    if (e == OK)
        e = output_end(out, &about, &job->why);
    output_drop(out);
    if (e == OK)
        (void)json_object_set_new(t->done, "model", about);
    return e;
}

static struct trained describe(const struct training *t)
{
    const char *classes = t->target.classes == 2 ? "binary" : "multiclass";

    return (struct trained){.trainer = t->spec.classify ? "logistic" : "ridge",
                            .task = t->spec.classify ? classes : "regression",
                            .target = t->spec.target,
                            .target_kind = t->table.column[t->column].kind,
                            .encoder = &t->encoder,
                            .linear = &t->model,
                            .classes = t->target.classes,
                            .class_number = t->target.number,
                            .class_text = t->target.text};
}

static enum err finish(struct training *t, double seconds)
{
    struct trained trained = describe(t);
    json_t *about = json_pack(
        "{s:s, s:o, s:o, s:I, s:I, s:I, s:b, s:f, s:s, s:O}", "task", trained.task, "target",
        json_stringn(t->spec.target.data, t->spec.target.length), "features",
        trained_features(&trained), "rows_train", (json_int_t)t->split.train_count, "rows_test",
        (json_int_t)t->split.test_count, "iterations", (json_int_t)t->fit.iterations, "converged",
        t->fit.converged, "seconds", seconds, "blas", openblas_get_corename(), "timing", t->timing);

    if (t->spec.classify)
        (void)json_object_set_new(about, "classes", trained_classes(&trained));
    (void)json_object_update(t->done, about);
    json_decref(about);
    return save(t, &trained);
}

static enum err train(struct training *t)
{
    double seconds;

    TRY(load(t));
    TRY(prepare(t));
    if (t->spec.classify)
        TRY(fit_classes(t));
    else
        TRY(fit_numbers(t));
    seconds = lap(t, "fit");
    TRY(score(t));
    return finish(t, seconds);
}

enum err mode_train(struct job *job, json_t *spec, json_t **done)
{
    struct training t = {.job = job, .mark = now()};
    enum err e;

    TRY(train_spec_read(&t.spec, spec, &job->pool, &job->why));
    t.timing = json_object();
    t.done = json_object();
    e = train(&t);
    json_decref(t.timing);
    if (e == OK)
        *done = t.done;
    else
        json_decref(t.done);
    return e;
}
