/* SPDX-License-Identifier: Apache-2.0 */
#include "compute/engine/lbfgs.h"

#include <cblas.h>
#include <math.h>
#include <string.h>

enum { PAIRS = 10, MAX_TRIALS = 30 };

static const double DECREASE = 1e-4, CURVATURE = 0.9;

/* One point along a search direction. */
struct point {
    double step;
    double value;
    double slope;
};

struct search {
    const struct objective *o;
    int n;
    double *x;         /* the point reached */
    double *g;         /* its gradient */
    double *direction; /* where to go from there */
    double *trial_x;
    double *trial_g;
    double *s[PAIRS]; /* steps taken, newest at pairs - 1 */
    double *y[PAIRS]; /* changes of the gradient */
    double rho[PAIRS];
    int pairs;
    double scale; /* of the preconditioner, so that it fits the last step */
    size_t evaluations;
};

static double dot(int n, const double *a, const double *b)
{
    return cblas_ddot(n, a, 1, b, 1);
}

static void precondition(const struct search *s, double *direction)
{
    if (s->o->precondition != NULL)
        s->o->precondition(s->o->context, direction);
}

/* direction = -H g by the two-loop recursion. */
static void find_direction(struct search *s)
{
    double alpha[PAIRS] = {0};

    cblas_dcopy(s->n, s->g, 1, s->direction, 1);
    for (int i = s->pairs - 1; i >= 0; i--) {
        alpha[i] = s->rho[i] * dot(s->n, s->s[i], s->direction);
        cblas_daxpy(s->n, -alpha[i], s->y[i], 1, s->direction, 1);
    }
    precondition(s, s->direction);
    cblas_dscal(s->n, s->scale, s->direction, 1);
    for (int i = 0; i < s->pairs; i++) {
        double beta = s->rho[i] * dot(s->n, s->y[i], s->direction);

        cblas_daxpy(s->n, alpha[i] - beta, s->s[i], 1, s->direction, 1);
    }
    cblas_dscal(s->n, -1.0, s->direction, 1);
}

static struct point try_step(struct search *s, double step)
{
    struct point p = {.step = step};

    cblas_dcopy(s->n, s->x, 1, s->trial_x, 1);
    cblas_daxpy(s->n, step, s->direction, 1, s->trial_x, 1);
    p.value = s->o->value(s->o->context, s->trial_x, s->trial_g);
    p.slope = dot(s->n, s->trial_g, s->direction);
    s->evaluations++;
    return p;
}

/* The minimum of the cubic through both points, kept away from their ends. */
static double between(struct point a, struct point b)
{
    double d1 = a.slope + b.slope - 3 * (a.value - b.value) / (a.step - b.step);
    double inside = d1 * d1 - a.slope * b.slope;
    double width = b.step - a.step;
    double t = 0.5;

    if (inside >= 0) {
        double d2 = copysign(sqrt(inside), width);

        t = 1 - (b.slope + d2 - d1) / (b.slope - a.slope + 2 * d2);
    }
    if (!(t > 0.1))
        t = 0.1;
    return a.step + (t < 0.9 ? t : 0.9) * width;
}

/* Whether the value has fallen as far as rounding lets it be seen. */
static bool lower(struct point start, struct point p)
{
    double noise = 4 * 2.2e-16 * fabs(start.value);

    return p.value <= start.value + DECREASE * p.step * start.slope + noise;
}

static bool flat(struct point start, struct point p)
{
    return fabs(p.slope) <= -CURVATURE * start.slope;
}

/* Algorithm 3.6: low is the best so far, and the minimum lies between it and high. */
static struct point zoom(struct search *s, struct point start, struct point low, struct point high)
{
    for (int trial = 0; trial < MAX_TRIALS; trial++) {
        struct point p = try_step(s, between(low, high));

        if (!lower(start, p) || p.value > low.value) {
            high = p;
            continue;
        }
        if (flat(start, p))
            return p;
        if (p.slope * (high.step - low.step) >= 0)
            high = low;
        low = p;
    }
    return low.step > 0 ? try_step(s, low.step) : low;
}

/* Algorithm 3.5. The point returned is the one in trial_x; step 0 means that none was found. */
static struct point line_search(struct search *s, struct point start, double first)
{
    struct point before = start;
    double step = first;

    for (int trial = 0; trial < MAX_TRIALS; trial++) {
        struct point p = try_step(s, step);

        if (!isfinite(p.value)) {
            step = before.step + 0.1 * (step - before.step);
            continue;
        }
        if (!lower(start, p) || (trial > 0 && p.value > before.value))
            return zoom(s, start, before, p);
        if (flat(start, p))
            return p;
        if (p.slope >= 0)
            return zoom(s, start, p, before);
        before = p;
        step *= 3;
    }
    return (struct point){0};
}

/* Takes the trial point, and remembers the pair if it bends the right way. */
static void accept(struct search *s)
{
    double *new_s = s->pairs < PAIRS ? s->s[s->pairs] : s->s[0];
    double *new_y = s->pairs < PAIRS ? s->y[s->pairs] : s->y[0];
    double sy, yhy;

    if (s->pairs == PAIRS) {
        memmove(&s->s[0], &s->s[1], (PAIRS - 1) * sizeof(s->s[0]));
        memmove(&s->y[0], &s->y[1], (PAIRS - 1) * sizeof(s->y[0]));
        memmove(&s->rho[0], &s->rho[1], (PAIRS - 1) * sizeof(s->rho[0]));
        s->pairs--;
        s->s[s->pairs] = new_s;
        s->y[s->pairs] = new_y;
    }
    for (int i = 0; i < s->n; i++) {
        new_s[i] = s->trial_x[i] - s->x[i];
        new_y[i] = s->trial_g[i] - s->g[i];
    }
    cblas_dcopy(s->n, s->trial_x, 1, s->x, 1);
    cblas_dcopy(s->n, s->trial_g, 1, s->g, 1);
    cblas_dcopy(s->n, new_y, 1, s->trial_x, 1);
    precondition(s, s->trial_x);
    sy = dot(s->n, new_s, new_y);
    yhy = dot(s->n, new_y, s->trial_x);
    if (sy > 1e-16 * yhy && yhy > 0) {
        s->rho[s->pairs++] = 1 / sy;
        s->scale = sy / yhy;
    }
}

static double largest(int n, const double *g)
{
    return n == 0 ? 0 : fabs(g[cblas_idamax(n, g, 1)]);
}

static void minimise(struct search *s, struct lbfgs_limits limits, struct lbfgs_result *r)
{
    r->value = s->o->value(s->o->context, s->x, s->g);
    r->gradient = largest(s->n, s->g);
    s->evaluations = 1;
    while (r->gradient > limits.tolerance && r->iterations < limits.max_iterations) {
        struct point start = {.value = r->value}, reached;

        find_direction(s);
        start.slope = dot(s->n, s->g, s->direction);
        if (!(start.slope < 0))
            break;
        reached = line_search(s, start, 1.0);
        if (reached.step <= 0)
            break;
        accept(s);
        r->value = reached.value;
        r->gradient = largest(s->n, s->g);
        r->iterations++;
        if (s->o->progress != NULL)
            s->o->progress(s->o->context, r->iterations, r->value);
    }
    r->converged = r->gradient <= limits.tolerance;
    r->evaluations = s->evaluations;
}

enum err lbfgs_minimise(const struct objective *o, double *x, struct lbfgs_limits limits,
                        struct lbfgs_result *result, struct refusal *why)
{
    struct search s = {.o = o, .n = (int)o->n, .scale = 1};
    struct pool pool = pool_new((size_t)-1 / 4);
    double *memory;
    enum err e;

    *result = (struct lbfgs_result){0};
    e = pool_get(&pool, (2 * PAIRS + 4) * o->n, sizeof(*memory), &memory, why);
    if (e != OK)
        return e;
    s.x = x;
    s.g = memory;
    s.direction = s.g + o->n;
    s.trial_x = s.direction + o->n;
    s.trial_g = s.trial_x + o->n;
    for (size_t i = 0; i < PAIRS; i++) {
        s.s[i] = s.trial_g + (2 * i + 1) * o->n;
        s.y[i] = s.trial_g + (2 * i + 2) * o->n;
    }
    minimise(&s, limits, result);
    pool_free(&pool);
    return OK;
}
