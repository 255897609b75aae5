/* SPDX-License-Identifier: Apache-2.0 */
#include "compute/engine/train_spec.h"

#include <string.h>

struct range {
    const char *name;
    double low;
    double high;
};

/* The member when it is there; value keeps what it has when not. */
static enum err read_number(const json_t *spec, struct range r, double *value, struct refusal *why)
{
    const json_t *member = json_object_get(spec, r.name);

    if (member == NULL)
        return OK;
    if (!json_is_number(member) || !(json_number_value(member) >= r.low) ||
        !(json_number_value(member) <= r.high))
        return refuse(why, ERR_INVALID, "\"%s\" must be a number from %g to %g", r.name, r.low,
                      r.high);
    *value = json_number_value(member);
    return OK;
}

static enum err read_whole(const json_t *spec, struct range r, double *value, struct refusal *why)
{
    TRY(read_number(spec, r, value, why));
    if (*value != (double)(int64_t)*value)
        return refuse(why, ERR_INVALID, "\"%s\" must be an integer", r.name);
    return OK;
}

static enum err add_column(struct train_spec *s, const json_t *name, struct refusal *why)
{
    size_t before = s->columns.count;
    struct span text;

    if (!json_is_string(name))
        return refuse(why, ERR_INVALID, "\"features\" must be a list of column names");
    text = (struct span){json_string_value(name), json_string_length(name)};
    if (dict_add(&s->columns, text) < 0)
        return refuse(why, ERR_INVALID, "\"features\" has more than %d names", CSV_MAX_COLUMNS);
    if (s->columns.count == before)
        return refuse(why, ERR_INVALID,
                      "the column \"%.*s\" is named twice among features and target",
                      (int)text.length, text.data);
    return OK;
}

static enum err read_columns(struct train_spec *s, const json_t *spec, struct refusal *why)
{
    const json_t *target = json_object_get(spec, "target");
    const json_t *features = json_object_get(spec, "features");

    if (!json_is_string(target))
        return refuse(why, ERR_INVALID, "\"target\" must be the name of a column");
    s->target = (struct span){json_string_value(target), json_string_length(target)};
    if (features == NULL || json_is_null(features))
        return OK;
    if (!json_is_array(features) || json_array_size(features) == 0)
        return refuse(why, ERR_INVALID, "\"features\" must be a list of column names");
    for (size_t i = 0; i < json_array_size(features); i++)
        TRY(add_column(s, json_array_get(features, i), why));
    return add_column(s, target, why);
}

enum err train_spec_read(struct train_spec *s, json_t *spec, struct pool *pool, struct refusal *why)
{
    static const char *const members[] = {"trainer",        "target",        "features",
                                          "seed",           "test_fraction", "l2",
                                          "max_iterations", "tolerance",     NULL};
    const char *trainer = json_string_value(json_object_get(spec, "trainer"));
    double seed = 0, iterations = 200;

    *s = (struct train_spec){.test_fraction = 0.2, .l2 = 1.0, .limits = {.tolerance = 1e-6}};
    s->columns = dict_new(pool, CSV_MAX_COLUMNS);
    TRY(json_only(spec, members, why));
    if (trainer == NULL || (strcmp(trainer, "logistic") != 0 && strcmp(trainer, "ridge") != 0))
        return refuse(why, ERR_INVALID, "\"trainer\" must be \"logistic\" or \"ridge\"");
    s->classify = strcmp(trainer, "logistic") == 0;
    TRY(read_columns(s, spec, why));
    TRY(read_whole(spec, (struct range){"seed", 0, 0x1p53}, &seed, why));
    TRY(read_number(spec, (struct range){"test_fraction", 0, 0.9}, &s->test_fraction, why));
    TRY(read_number(spec, (struct range){"l2", 0, 1e12}, &s->l2, why));
    TRY(read_whole(spec, (struct range){"max_iterations", 1, 100000}, &iterations, why));
    TRY(read_number(spec, (struct range){"tolerance", 1e-14, 1}, &s->limits.tolerance, why));
    s->seed = (uint64_t)seed;
    s->limits.max_iterations = (size_t)iterations;
    return OK;
}
