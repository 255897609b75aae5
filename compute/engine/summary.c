/* SPDX-License-Identifier: Apache-2.0 */
#include "compute/engine/summary.h"

#include "compute/engine/channel.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum err summary_new(struct summary *s, struct span name, struct pool *pool, struct refusal *why)
{
    *s = (struct summary){.name = name, .min = INFINITY, .max = -INFINITY};
    s->distinct = dict_new(pool, SUMMARY_DISTINCT);
    return pool_get(pool, SUMMARY_DISTINCT, sizeof(*s->counts), &s->counts, why);
}

/* The key of a long value: its beginning, then a hash of the whole. */
static struct span shorten(struct span cell, char key[SUMMARY_KEY])
{
    uint64_t h = 0xcbf29ce484222325U;
    int length;

    for (size_t i = 0; i < cell.length; i++)
        h = (h ^ (unsigned char)cell.data[i]) * 0x100000001b3U;
    length = snprintf(key, SUMMARY_KEY, "%.80s%016" PRIx64 "%zu", cell.data, h, cell.length);
    return (struct span){key, (size_t)length};
}

static void count(struct summary *s, struct span cell)
{
    char key[SUMMARY_KEY];
    long number;

    if (s->capped)
        return;
    if (cell.length >= SUMMARY_KEY) {
        s->cut = true;
        cell = shorten(cell, key);
    }
    number = dict_add(&s->distinct, cell);
    if (number < 0)
        s->capped = true;
    else
        s->counts[number]++;
}

void summary_add(struct summary *s, struct span cell)
{
    struct value v = value_read(cell);

    s->cells++;
    if (v.kind == KIND_MISSING) {
        s->missing++;
        return;
    }
    s->kind = kind_join(s->kind, v.kind);
    if (kind_is_number(v.kind)) {
        s->min = fmin(s->min, v.number);
        s->max = fmax(s->max, v.number);
        s->sum += (long double)v.number;
    }
    count(s, cell);
}

static json_t *number_json(const struct summary *s, double x)
{
    return s->kind == KIND_INTEGER ? json_integer((json_int_t)x) : json_real(x);
}

/* The most frequent values, [value, count] each; equal counts keep the order of first sight. */
static json_t *top_json(const struct summary *s)
{
    json_t *top = json_array();
    bool taken[SUMMARY_DISTINCT] = {false};

    for (size_t t = 0; t < SUMMARY_TOP && t < s->distinct.count; t++) {
        size_t best = SUMMARY_DISTINCT;
        struct span key;

        for (size_t i = 0; i < s->distinct.count; i++)
            if (!taken[i] && (best == SUMMARY_DISTINCT || s->counts[i] > s->counts[best]))
                best = i;
        taken[best] = true;
        key = s->distinct.keys[best];
        (void)json_array_append_new(top, json_pack("[o, I]", json_words(key.data, key.length),
                                                   (json_int_t)s->counts[best]));
    }
    return top;
}

json_t *summary_json(const struct summary *s)
{
    size_t present = s->cells - s->missing;
    json_t *out =
        json_pack("{s:o, s:s, s:I, s:I}", "name", json_words(s->name.data, s->name.length), "type",
                  kind_name(s->kind), "missing", (json_int_t)s->missing, "distinct",
                  (json_int_t)s->distinct.count);

    if (s->capped)
        (void)json_object_set_new(out, "distinct_capped", json_true());
    if (kind_is_number(s->kind)) {
        (void)json_object_set_new(out, "min", number_json(s, s->min));
        (void)json_object_set_new(out, "max", number_json(s, s->max));
        (void)json_object_set_new(out, "mean", json_real((double)(s->sum / (long double)present)));
    } else if (present > 0 && !s->capped && !s->cut) {
        (void)json_object_set_new(out, "top", top_json(s));
    }
    return out;
}
