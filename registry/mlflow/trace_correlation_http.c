/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/mlflow/trace_search.h"

#include "auth/auth.h"
#include "registry/handlers.h"
#include "registry/mlflow/mlflow.h"

#include <math.h>

enum { PLACES_MAX = 100 };

/* How many traces there are, meet each condition, and meet both. */
struct counts {
    int64_t all;
    int64_t first;
    int64_t second;
    int64_t both;
};

/* Normalized pointwise mutual information (G. Bouma, 2009): log(p(x,y) / (p(x) p(y))) over
 * -log p(x,y); 1 for always together, 0 for independent. Each of the four cells of the table is
 * taken to have so much more, which steadies small samples (Jeffreys: a half). NaN when it means
 * nothing. */
static double npmi(const struct counts *c, double more)
{
    double all = (double)c->all + 4 * more;
    double both = (double)c->both + more;
    double first = (double)c->first + 2 * more;
    double second = (double)c->second + 2 * more;
    double value;

    if (c->first == 0 || c->second == 0 || c->first + c->second - c->both > c->all)
        return (double)NAN;
    if (c->both == 0 && more == 0)
        return -1;
    if (c->both == c->all)
        return 1;
    value = (log(both) + log(all) - log(first) - log(second)) / (log(all) - log(both));
    return fmax(-1, fmin(1, value));
}

static enum err count_traces(struct request *rq, const struct trace_place *in,
                             const char *const filters[3], int64_t *out)
{
    struct where *w = where_new(rq->arena);
    uint64_t number = 0;
    const char *json;

    where_add(w, "SELECT to_json(count(*))");
    trace_where_begin(rq, w, in);
    for (size_t i = 0; i < 3; i++)
        if (filters[i] != NULL)
            TRY(trace_where(rq, w, in, filters[i]));
    TRY(where_json(rq->db, w, &json));
    (void)uint_parse(json, INT64_MAX, &number);
    *out = (int64_t)number;
    return OK;
}

static enum err read_place(struct request *rq, struct trace_place *in)
{
    struct texts names;
    int64_t *ids;

    TRY(mlflow_texts(rq, "experiment_ids", PLACES_MAX, &names));
    if (names.count == 0)
        return mlflow_missing(rq, "experiment_ids");
    ids = arena_alloc(rq->arena, names.count * sizeof(*ids));
    for (size_t i = 0; i < names.count; i++)
        TRY(mlflow_experiment_id(rq, names.items[i], &ids[i]));
    *in = (struct trace_place){ids, names.count};
    return OK;
}

static void set_real(json_t *out, const char *name, double value)
{
    if (!isnan(value))
        (void)json_object_set_new(out, name, json_real(value));
}

/* POST …/traces/calculate-filter-correlation */
enum err post_mlflow_trace_correlation(struct request *rq)
{
    const char *base, *first, *second;
    struct trace_place in;
    struct counts c;
    json_t *out;

    TRY(read_place(rq, &in));
    TRY(mlflow_need(rq, "filter_string1", FILTER_TEXT_MAX, &first));
    TRY(mlflow_need(rq, "filter_string2", FILTER_TEXT_MAX, &second));
    TRY(mlflow_text(rq, "base_filter", FILTER_TEXT_MAX, &base));
    TRY(count_traces(rq, &in, (const char *const[3]){base, NULL, NULL}, &c.all));
    TRY(count_traces(rq, &in, (const char *const[3]){base, first, NULL}, &c.first));
    TRY(count_traces(rq, &in, (const char *const[3]){base, second, NULL}, &c.second));
    TRY(count_traces(rq, &in, (const char *const[3]){base, first, second}, &c.both));
    out = json_pack("{s:I, s:I, s:I, s:I}", "filter1_count", (json_int_t)c.first, "filter2_count",
                    (json_int_t)c.second, "joint_count", (json_int_t)c.both, "total_count",
                    (json_int_t)c.all);
    set_real(out, "npmi", npmi(&c, 0));
    set_real(out, "npmi_smoothed", npmi(&c, 0.5));
    return request_reply_json(rq, out);
}
