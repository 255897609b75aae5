/* SPDX-License-Identifier: Apache-2.0 */
#include "compute/engine/op_classes.h"

#include <math.h>
#include <string.h>

/* ai.onnx.ml LinearClassifier and LinearRegressor: scores in double, results in float. */

static double product(const float *w, const struct tensor *x, size_t at, size_t width)
{
    double sum = 0;

    for (size_t j = 0; j < width; j++)
        sum += (double)w[j] * tensor_get(x, at + j);
    return sum;
}

static enum err linear_scores(struct step *s, size_t targets, double **scores, size_t *rows)
{
    const struct tensor *x = s->in[0];
    const struct attribute *w = node_attribute(s->node, "coefficients");
    const struct attribute *b = node_attribute(s->node, "intercepts");
    size_t width;

    if (!tensor_is_number(x) || x->rank == 0 || x->rank > 2)
        return step_refuse(s, "a matrix of numbers was expected");
    width = (size_t)x->dims[x->rank - 1];
    *rows = x->rank == 2 ? (size_t)x->dims[0] : 1;
    if (targets == 0 || w == NULL || w->real_count != targets * width)
        return step_refuse(s, "the coefficients do not fit the columns of the input");
    if (b != NULL && b->real_count != 0 && b->real_count != targets)
        return step_refuse(s, "there are not as many intercepts as results");
    TRY(pool_get(s->pool, *rows * targets, sizeof(**scores), scores, s->why));
    for (size_t i = 0; i < *rows; i++)
        for (size_t t = 0; t < targets; t++)
            (*scores)[i * targets + t] =
                (b != NULL && b->real_count != 0 ? (double)b->reals[t] : 0) +
                product(w->reals + t * width, x, i * width, width);
    return OK;
}

enum err op_linear_regressor(struct step *s)
{
    size_t targets = (size_t)step_number(s, "targets", 1), rows;
    const struct attribute *after = node_attribute(s->node, "post_transform");
    double *scores;

    if (after != NULL && !span_is(after->text, "NONE"))
        return step_refuse(s, "only the post_transform NONE is supported");
    TRY(linear_scores(s, targets, &scores, &rows));
    TRY(step_make(s, 0, ELEMENT_FLOAT, &(struct shape){2, {(int64_t)rows, (int64_t)targets}}));
    for (size_t i = 0; i < rows * targets; i++)
        s->out[0]->f[i] = (float)scores[i];
    return OK;
}

enum err op_linear_classifier(struct step *s)
{
    const struct attribute *w = node_attribute(s->node, "coefficients");
    const struct attribute *b = node_attribute(s->node, "intercepts");
    const struct tensor *x = s->in[0];
    size_t width = x->rank == 0 ? 0 : (size_t)x->dims[x->rank - 1];
    struct votes v = {0};

    /* without intercepts, the coefficients tell how many scores there are */
    if (b != NULL && b->real_count > 0)
        v.width = b->real_count;
    else
        v.width = w == NULL || width == 0 ? 0 : w->real_count / width;
    TRY(linear_scores(s, v.width, &v.scores, &v.rows));
    return classes_decide(s, &v);
}
