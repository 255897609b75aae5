/* SPDX-License-Identifier: Apache-2.0 */
#include "compute/engine/op_classes.h"

#include <math.h>

enum transform { TRANSFORM_NONE, TRANSFORM_LOGISTIC, TRANSFORM_SOFTMAX, TRANSFORM_SOFTMAX_ZERO };

/* The labels, which are integers or strings. */
struct labels {
    const int64_t *numbers;
    const struct span *texts;
    size_t count;
};

static enum err find_labels(struct step *s, struct labels *l)
{
    static const char *const numbers[] = {"classlabels_int64s", "classlabels_ints"};
    const struct attribute *texts = node_attribute(s->node, "classlabels_strings");

    *l = (struct labels){0};
    if (texts != NULL && texts->text_count > 0) {
        *l = (struct labels){NULL, texts->texts, texts->text_count};
        return OK;
    }
    for (size_t i = 0; i < 2; i++) {
        const struct attribute *a = node_attribute(s->node, numbers[i]);

        if (a != NULL && a->number_count > 0)
            *l = (struct labels){a->numbers, NULL, a->number_count};
    }
    return l->count > 0 ? OK : step_refuse(s, "there are no class labels");
}

static enum err find_transform(struct step *s, enum transform *t)
{
    static const char *const names[] = {"NONE", "LOGISTIC", "SOFTMAX", "SOFTMAX_ZERO"};
    const struct attribute *a = node_attribute(s->node, "post_transform");

    *t = TRANSFORM_NONE;
    if (a == NULL)
        return OK;
    for (size_t i = 0; i < 4; i++)
        if (span_is(a->text, names[i])) {
            *t = (enum transform)i;
            return OK;
        }
    return step_refuse(s, "that post_transform is not supported");
}

static void transform_row(double *row, size_t n, enum transform t)
{
    double highest = -INFINITY, total = 0;

    for (size_t i = 0; i < n && t == TRANSFORM_LOGISTIC; i++)
        row[i] = 1 / (1 + exp(-row[i]));
    if (t != TRANSFORM_SOFTMAX && t != TRANSFORM_SOFTMAX_ZERO)
        return;
    for (size_t i = 0; i < n; i++)
        highest = fmax(highest, row[i]);
    for (size_t i = 0; i < n; i++) {
        if (t != TRANSFORM_SOFTMAX_ZERO || fabs(row[i]) > 1e-7)
            row[i] = exp(row[i] - highest);
        total += row[i];
    }
    for (size_t i = 0; i < n; i++)
        row[i] /= total;
}

static size_t decide_row(const double *row, const struct votes *v)
{
    size_t best = 0;

    if (v->width == 1)
        return row[0] > v->threshold;
    for (size_t i = 1; i < v->width; i++)
        if (row[i] > row[best])
            best = i;
    return best;
}

/* A single score gets its counterpart: 1 - score, or the sigmoid of each. */
static void write_row(struct step *s, const struct votes *v, size_t row, enum transform t)
{
    double *from = v->scores + row * v->width;
    float *to;

    if (v->width > 1) {
        transform_row(from, v->width, t);
        to = s->out[1]->f + row * v->width;
        for (size_t i = 0; i < v->width; i++)
            to[i] = (float)from[i];
        return;
    }
    to = s->out[1]->f + row * 2;
    to[0] = (float)(t == TRANSFORM_LOGISTIC ? 1 / (1 + exp(from[0]))
                    : v->mirrored           ? -from[0]
                                            : 1 - from[0]);
    to[1] = (float)(t == TRANSFORM_LOGISTIC ? 1 / (1 + exp(-from[0])) : from[0]);
}

enum err classes_decide(struct step *s, const struct votes *v)
{
    int64_t columns = v->width == 1 ? 2 : (int64_t)v->width, rows = (int64_t)v->rows;
    struct labels labels;
    enum transform t;

    TRY(find_labels(s, &labels));
    TRY(find_transform(s, &t));
    if (labels.count != (size_t)columns)
        return step_refuse(s, "there are not as many class labels as scores");
    TRY(step_make(s, 0, labels.numbers != NULL ? ELEMENT_INT64 : ELEMENT_STRING,
                  &(struct shape){1, {rows}}));
    TRY(step_make(s, 1, ELEMENT_FLOAT, &(struct shape){2, {rows, columns}}));
    for (size_t i = 0; i < v->rows; i++) {
        size_t best = decide_row(v->scores + i * v->width, v);

        if (labels.numbers != NULL)
            s->out[0]->l[i] = labels.numbers[best];
        else if (labels.texts != NULL)
            s->out[0]->s[i] = labels.texts[best];
        write_row(s, v, i, t);
    }
    return OK;
}
