/* SPDX-License-Identifier: Apache-2.0 */
#include "compute/engine/forest.h"
#include "compute/engine/op_classes.h"

#include <math.h>

enum aggregate { AGGREGATE_SUM, AGGREGATE_AVERAGE, AGGREGATE_MIN, AGGREGATE_MAX };

static enum err find_aggregate(struct step *s, enum aggregate *out)
{
    static const char *const names[] = {"SUM", "AVERAGE", "MIN", "MAX"};
    const struct attribute *a = node_attribute(s->node, "aggregate_function");

    *out = AGGREGATE_SUM;
    for (int i = 0; a != NULL && i < 4; i++)
        if (span_is(a->text, names[i])) {
            *out = (enum aggregate)i;
            return OK;
        }
    return a == NULL ? OK : step_refuse(s, "that aggregate_function is not supported");
}

static double join(double sum, double weight, enum aggregate how)
{
    if (how == AGGREGATE_MIN)
        return fmin(sum, weight);
    return how == AGGREGATE_MAX ? fmax(sum, weight) : sum + weight;
}

/* All trees' votes for one row, one output after the other. */
static void score_row(const struct forest *f, const double *row, enum aggregate how, double *out)
{
    double start = how == AGGREGATE_MIN ? INFINITY : how == AGGREGATE_MAX ? -INFINITY : 0;

    for (size_t i = 0; i < f->outputs; i++)
        out[i] = start;
    for (size_t t = 0; t < f->trees; t++) {
        const struct forest_node *leaf = forest_leaf(f, t, row);

        for (uint32_t v = 0; v < leaf->votes; v++) {
            const struct forest_vote *vote = &f->votes[leaf->first_vote + v];

            out[vote->output] = join(out[vote->output], vote->weight, how);
        }
    }
    for (size_t i = 0; i < f->outputs; i++) {
        if (how == AGGREGATE_AVERAGE)
            out[i] /= (double)f->trees;
        if (!isfinite(out[i]) && how >= AGGREGATE_MIN)
            out[i] = 0; /* nobody voted */
        if (f->base_count == f->outputs)
            out[i] += f->base[i];
    }
}

static enum err score_all(struct step *s, double **scores, size_t *rows)
{
    const struct forest *f = s->node->prepared;
    const struct tensor *x = s->in[0];
    enum aggregate how;
    size_t width;
    double *row;

    TRY(find_aggregate(s, &how));
    if (!tensor_is_number(x) || x->rank != 2 || (size_t)x->dims[1] < f->width)
        return step_refuse(s, "a matrix with a column for every feature was expected");
    *rows = (size_t)x->dims[0];
    width = (size_t)x->dims[1];
    TRY(pool_get(s->pool, width, sizeof(*row), &row, s->why));
    TRY(pool_get(s->pool, *rows * f->outputs, sizeof(**scores), scores, s->why));
    for (size_t i = 0; i < *rows; i++) {
        for (size_t j = 0; j < width; j++)
            row[j] = tensor_get(x, i * width + j);
        score_row(f, row, how, *scores + i * f->outputs);
    }
    return OK;
}

enum err op_forest_regressor(struct step *s)
{
    const struct forest *f = s->node->prepared;
    const struct attribute *after = node_attribute(s->node, "post_transform");
    double *scores;
    size_t rows;

    if (after != NULL && !span_is(after->text, "NONE"))
        return step_refuse(s, "only the post_transform NONE is supported");
    TRY(score_all(s, &scores, &rows));
    TRY(step_make(s, 0, ELEMENT_FLOAT, &(struct shape){2, {(int64_t)rows, (int64_t)f->outputs}}));
    for (size_t i = 0; i < s->out[0]->count; i++)
        s->out[0]->f[i] = (float)scores[i];
    return OK;
}

/* Two classes whose votes are all for one of them: that sum is the score of the second, compared
 * with 1/2 when it is a probability (no negative weights), else with 0. */
static enum err decide_one(struct step *s, const double *scores, size_t rows)
{
    const struct forest *f = s->node->prepared;
    struct votes v = {.rows = rows, .width = 1, .threshold = f->all_positive ? 0.5 : 0.0};

    v.mirrored = !f->all_positive;
    TRY(pool_get(s->pool, rows, sizeof(*v.scores), &v.scores, s->why));
    for (size_t i = 0; i < rows; i++) {
        v.scores[i] = scores[2 * i] + scores[2 * i + 1];
        /* of two base values the second counts, whichever class the votes name */
        if (f->base_count == 2)
            v.scores[i] -= f->base[0];
        else if (f->base_count == 1)
            v.scores[i] += f->base[0];
    }
    return classes_decide(s, &v);
}

enum err op_forest_classifier(struct step *s)
{
    const struct forest *f = s->node->prepared;
    struct votes v = {.width = f->outputs};

    TRY(score_all(s, &v.scores, &v.rows));
    if (f->outputs == 2 && f->one_output)
        return decide_one(s, v.scores, v.rows);
    return classes_decide(s, &v);
}
