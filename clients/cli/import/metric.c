/* SPDX-License-Identifier: Apache-2.0 */
#include "clients/cli/import/import.h"

#include "clients/cli/import/ours.h"
#include "clients/cli/import/seen.h"

#include <float.h>
#include <math.h>
#include <string.h>

enum { POINTS = 10000 };

/* One value of a metric, the same bytes for the same value on either side. */
struct point {
    double value;
    int64_t at;
    int64_t step;
};

/* Not a number is one value; the infinities are the largest numbers, as in MLflow's own store; and
 * there is one zero. */
static bool point_read(const json_t *item, struct point *p)
{
    const json_t *value = json_object_get(item, "value");
    const char *text = json_string_value(value);

    memset(p, 0, sizeof(*p));
    p->at = number_at(item, "timestamp");
    p->step = number_at(item, "step");
    p->value = json_number_value(value);
    if (text != NULL && strcmp(text, "NaN") == 0)
        p->value = (double)NAN;
    else if (text != NULL && strcmp(text, "Infinity") == 0)
        p->value = DBL_MAX;
    else if (text != NULL && strcmp(text, "-Infinity") == 0)
        p->value = -DBL_MAX;
    else if (!json_is_number(value))
        return false;
    if (p->value == 0)
        p->value = 0;
    return true;
}

static json_t *point_json(const char *key, const struct point *p)
{
    json_t *value = isnan(p->value) ? json_string("NaN") : json_real(p->value);

    return json_pack("{s:s, s:o, s:I, s:I}", "key", key, "value", value, "timestamp",
                     (json_int_t)p->at, "step", (json_int_t)p->step);
}

/* A history that is read, on either side. */
struct history {
    struct import *im;
    struct mine *mine;
    const char *key;
    struct seen *points;
    const struct seen *others; /* what is here already */
    bool send;
    size_t known; /* of points, how many others has */
    size_t wrong; /* could not be read */
};

static void history_page(struct history *h, const json_t *page)
{
    json_t *missing = keep(&h->im->work, json_array());
    const json_t *item;
    size_t i;

    json_array_foreach(json_object_get(page, "metrics"), i, item)
    {
        struct point p;

        if (!point_read(item, &p)) {
            h->wrong++;
            continue;
        }
        if (!seen_add(h->points, &p, sizeof(p)))
            continue;
        if (h->others != NULL && seen_has(h->others, &p, sizeof(p)))
            h->known++;
        else if (h->send)
            (void)json_array_append_new(missing, point_json(h->key, &p));
    }
    report_wrote(h->im->report, METRICS, (int64_t)json_array_size(missing));
    batch_send(h->im, h->mine, "metrics", missing);
}

/* The next page, NULL with *why when there is none. */
static const json_t *ask(struct history *h, bool ours, const char *token, const char **why)
{
    struct import *im = h->im;
    const char *id = ours ? h->mine->id : h->mine->source_id;
    const char *path = path_query(&im->work, OURS "/metrics/get-history", "run_id", id);
    struct said s;

    path = path_query(&im->work, path, "metric_key", h->key);
    path = path_query(&im->work, path, "max_results", arena_printf(im->work.arena, "%d", POINTS));
    path = path_query(&im->work, path, "page_token", token);
    if (!ours)
        return source_ask(&im->work, im->source, path, NULL, why);
    s = ours_ask(im, "GET", path, NULL);
    *why = s.why;
    return s.code == NULL ? s.json : NULL;
}

/* Every page; NULL, or why not. */
static const char *history_read(struct history *h, bool ours)
{
    struct import *im = h->im;
    const char *why = NULL;
    char token[256] = "";
    bool more = true;

    while (more && why == NULL) {
        struct arena *kept = unit_begin(im);
        size_t before = seen_count(h->points);
        const char *said = NULL;
        const json_t *page = ask(h, ours, *token == '\0' ? NULL : token, &said);
        const char *next = text_at(page, "next_page_token");

        if (page != NULL)
            history_page(h, page);
        more = page != NULL && next != NULL && *next != '\0';
        if (page == NULL)
            why = arena_text(kept, said);
        else if (more && (seen_count(h->points) == before || strlen(next) >= sizeof(token)))
            why = "its pages have no end";
        (void)snprintf(token, sizeof(token), "%s", next == NULL ? "" : next);
        unit_end(im, kept);
    }
    return why;
}

static struct seen *points_here(struct import *im, struct mine *m, const char *key)
{
    struct history here = {.im = im, .mine = m, .key = key, .points = seen_new()};
    const char *why = history_read(&here, true);

    if (why != NULL)
        report_differs(im->report, arena_printf(im->work.arena, "run %s", m->source_id),
                       "metric %.300s cannot be read here: %s", key, why);
    return here.points;
}

/* What is here and not there, or there and not here. */
static void compare(struct import *im, struct mine *m, const struct history *there)
{
    struct seen *here = points_here(im, m, there->key);
    struct history again = {
        .im = im, .mine = m, .key = there->key, .points = seen_new(), .others = here};
    const char *why = history_read(&again, false);
    size_t count = seen_count(again.points);
    const char *what = arena_printf(im->work.arena, "run %s", m->source_id);

    report_count(im->report, METRICS, (int64_t)count, (int64_t)again.known);
    if (why != NULL)
        report_differs(im->report, what, "metric %.300s: %s", there->key, why);
    else if (again.wrong > 0)
        report_differs(im->report, what, "metric %.300s has %zu values that are no numbers",
                       there->key, again.wrong);
    else if (again.known != count || seen_count(here) != count)
        report_differs(im->report, what, "metric %.300s: the source has %zu values, here are %zu",
                       there->key, count, seen_count(here));
    seen_free(again.points);
    seen_free(here);
}

void metric_import(struct import *im, struct mine *m, const char *key)
{
    struct arena *kept = unit_begin(im);
    struct seen *here = points_here(im, m, key);
    struct history there = {
        .im = im, .mine = m, .key = key, .points = seen_new(), .others = here, .send = true};
    const char *why = history_read(&there, false);
    size_t count = seen_count(there.points);

    /* What had to be written is read back, on both sides. */
    if (why == NULL && there.wrong == 0 && there.known == count && seen_count(here) == count)
        report_count(im->report, METRICS, (int64_t)count, (int64_t)count);
    else
        compare(im, m, &there);
    seen_free(there.points);
    seen_free(here);
    unit_end(im, kept);
}
