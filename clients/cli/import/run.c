/* SPDX-License-Identifier: Apache-2.0 */
#include "clients/cli/import/import.h"

#include "clients/cli/import/ours.h"
#include "clients/cli/import/seen.h"

#include <string.h>

static const char *name_of(struct import *im, const struct mine *m)
{
    return arena_printf(im->work.arena, "run %s", m->source_id);
}

bool mine_open(struct import *im, struct mine *m)
{
    bool closed = m->experiment->deleted;

    if (!experiment_open(im, m->experiment))
        return false;
    if (closed) /* its runs came back with it */
        m->deleted = false;
    if (m->deleted)
        m->deleted = !ours_tell(im, "POST", OURS "/runs/restore",
                                json_pack("{s:s}", "run_id", m->id), name_of(im, m));
    return !m->deleted;
}

static struct said show(struct import *im, const char *id)
{
    return ours_ask(im, "GET", path_query(&im->work, OURS "/runs/get", "run_id", id), NULL);
}

static void mine_set(struct mine *m, json_t *run)
{
    const char *stage = text_at(run, "info.lifecycle_stage");

    m->run = run;
    m->deleted = stage != NULL && strcmp(stage, "deleted") == 0;
}

static json_t *draft(struct import *im, const struct mine *m, const json_t *source)
{
    const char *name = text_at(source, "info.run_name");
    const char *user = text_at(source, "info.user_id");
    json_t *tags = json_pack("[o, o]", pair_new(TAG_RUN, m->source_id),
                             pair_new(TAG_FROM, source_uri(im->source)));

    if (name == NULL || *name == '\0')
        name = m->source_id;
    return json_pack("{s:s, s:s, s:s, s:s*, s:I, s:o}", "run_id", m->id, "experiment_id",
                     m->experiment->id, "run_name", text_cut(im, name, TAG_LONGEST), "user_id",
                     user != NULL && *user != '\0' ? text_cut(im, user, 256) : NULL, "start_time",
                     (json_int_t)number_at(source, "info.start_time"), "tags", tags);
}

bool mine_load(struct import *im, struct mine *m)
{
    struct said s = show(im, m->id);

    if (s.code == NULL)
        mine_set(m, json_object_get(s.json, "run"));
    return s.code == NULL;
}

void mine_close(struct import *im, struct mine *m, bool deleted)
{
    if (deleted && !m->deleted && !m->experiment->gone)
        m->deleted = ours_tell(im, "POST", OURS "/runs/delete", json_pack("{s:s}", "run_id", m->id),
                               name_of(im, m));
}

/* Our run, made if it is not there. Its id may be another's: of a run in a project that we do not
 * see, or of one that was not imported. */
static bool find(struct import *im, struct mine *m, const json_t *source)
{
    struct said s = show(im, m->id);
    const char *known, *place;

    if (ours_absent(&s)) {
        s = ours_ask(im, "POST", OURS "/runs/create", keep(&im->work, draft(im, m, source)));
        report_wrote(im->report, RUNS, s.code == NULL ? 1 : 0);
    }
    if (s.code != NULL && strcmp(s.code, "RESOURCE_ALREADY_EXISTS") == 0)
        s.why = "its id is taken outside of this project; say --new-ids to give all runs and "
                "models ids of their own here";
    if (s.code != NULL) {
        report_differs(im->report, name_of(im, m), "%s", s.why);
        return false;
    }
    mine_set(m, json_object_get(s.json, "run"));
    known = pair_value(json_object_get(json_object_get(m->run, "data"), "tags"), TAG_RUN);
    place = text_at(m->run, "info.experiment_id");
    if (known != NULL && strcmp(known, m->source_id) == 0 && place != NULL &&
        strcmp(place, m->experiment->id) == 0)
        return true;
    report_differs(im->report, name_of(im, m),
                   "a run of its id is here that was not imported from "
                   "this experiment");
    return false;
}

/* A name and its value as they will be here. */
struct wanted {
    const char *list; /* "params" or "tags" */
    size_t longest;
    enum kind kind;
};

/* What the source has of the list and ours has not, or otherwise; how many there are at the source,
 * and how many are here as they should be. */
static json_t *missing(struct import *im, const struct mine *m, const json_t *source,
                       const struct wanted *w, int64_t counts[2])
{
    const json_t *ours = json_object_get(json_object_get(m->run, "data"), w->list);
    json_t *out = keep(&im->work, json_array());
    struct seen *names = seen_new();
    const json_t *item;
    size_t i;

    json_array_foreach(json_object_get(json_object_get(source, "data"), w->list), i, item)
    {
        const char *key = text_at(item, "key");
        const char *value = text_at(item, "value");
        const char *old = key == NULL ? NULL : pair_value(ours, key);

        if (key == NULL || !seen_add(names, key, strlen(key)))
            continue;
        value = text_cut(im, value == NULL ? "" : value, w->longest);
        counts[0]++;
        if (old != NULL && strcmp(old, value) == 0)
            counts[1]++;
        else
            (void)json_array_append_new(out, pair_new(key, value));
    }
    seen_free(names);
    return out;
}

static const struct wanted lists[] = {{"params", PARAM_LONGEST, PARAMETERS},
                                      {"tags", TAG_LONGEST, TAGS}};

static void values_import(struct import *im, struct mine *m, const json_t *source)
{
    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
        int64_t counts[2] = {0, 0};
        json_t *items = missing(im, m, source, &lists[i], counts);

        report_wrote(im->report, lists[i].kind, (int64_t)json_array_size(items));
        batch_send(im, m, lists[i].list, items);
    }
}

static void cut_note(struct import *im, const struct mine *m, const json_t *source)
{
    for (size_t n = 0; n < sizeof(lists) / sizeof(lists[0]) && !im->shorten; n++) {
        const json_t *item;
        size_t i;

        json_array_foreach(json_object_get(json_object_get(source, "data"), lists[n].list), i, item)
        {
            const char *value = text_at(item, "value");

            if (value != NULL && strlen(value) > lists[n].longest)
                report_differs(im->report, name_of(im, m),
                               "%s.%.300s is longer than %zu bytes and was cut; --shorten accepts "
                               "that",
                               lists[n].list, text_at(item, "key"), lists[n].longest);
        }
    }
}

static bool dataset_same(const json_t *a, const json_t *b)
{
    static const char *const members[] = {"name",   "digest", "source_type",
                                          "source", "schema", "profile"};

    for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
        const char *x = text_at(json_object_get(a, "dataset"), members[i]);
        const char *y = text_at(json_object_get(b, "dataset"), members[i]);

        if (strcmp(x == NULL ? "" : x, y == NULL ? "" : y) != 0)
            return false;
    }
    return json_array_size(json_object_get(a, "tags")) ==
           json_array_size(json_object_get(b, "tags"));
}

static const json_t *inputs_of(const json_t *run)
{
    return json_object_get(json_object_get(run, "inputs"), "dataset_inputs");
}

static bool input_here(const struct mine *m, const json_t *input)
{
    const json_t *item;
    size_t i;

    json_array_foreach(inputs_of(m->run), i, item) if (dataset_same(item, input)) return true;
    return false;
}

static void inputs_import(struct import *im, struct mine *m, const json_t *source)
{
    const json_t *item;
    size_t i;

    json_array_foreach(inputs_of(source), i, item)
    {
        if (input_here(m, item) || !mine_open(im, m))
            continue;
        m->wrote = true;
        if (ours_tell(im, "POST", OURS "/runs/log-inputs",
                      json_pack("{s:s, s:[O]}", "run_id", m->id, "datasets", item), name_of(im, m)))
            report_wrote(im->report, INPUTS, 1);
    }
}

static bool text_same(const json_t *a, const json_t *b, const char *path)
{
    const char *x = text_at(a, path);
    const char *y = text_at(b, path);

    return x != NULL && y != NULL && strcmp(x, y) == 0;
}

static void end_import(struct import *im, struct mine *m, const json_t *source)
{
    const char *status = text_at(source, "info.status");
    int64_t end = number_at(source, "info.end_time");
    json_t *body;

    if (status == NULL ||
        (text_same(source, m->run, "info.status") && end == number_at(m->run, "info.end_time")))
        return;
    if (!mine_open(im, m))
        return;
    m->wrote = true;
    body = json_pack("{s:s, s:s}", "run_id", m->id, "status", status);
    if (end > 0)
        (void)json_object_set_new(body, "end_time", json_integer((json_int_t)end));
    (void)ours_tell(im, "POST", OURS "/runs/update", body, name_of(im, m));
}

/* Everything that was asked for, as our service shows it now. */
static bool verify(struct import *im, struct mine *m, const json_t *source)
{
    int64_t there = 0, here = 0;
    const json_t *item;
    bool good = true;
    size_t i;

    for (size_t n = 0; n < sizeof(lists) / sizeof(lists[0]); n++) {
        int64_t counts[2] = {0, 0};

        (void)missing(im, m, source, &lists[n], counts);
        report_count(im->report, lists[n].kind, counts[0], counts[1]);
        good = good && counts[0] == counts[1];
    }
    json_array_foreach(inputs_of(source), i, item)
    {
        there++;
        here += input_here(m, item) ? 1 : 0;
    }
    report_count(im->report, INPUTS, there, here);
    return good && there == here && text_same(source, m->run, "info.status") &&
           number_at(source, "info.end_time") == number_at(m->run, "info.end_time") &&
           number_at(source, "info.start_time") == number_at(m->run, "info.start_time");
}

static void metrics_import(struct import *im, struct mine *m, const json_t *source)
{
    const json_t *item;
    size_t i;

    json_array_foreach(json_object_get(json_object_get(source, "data"), "metrics"), i, item)
    {
        const char *key = text_at(item, "key");

        if (key != NULL)
            metric_import(im, m, key);
    }
}

static void run_files(struct import *im, const struct mine *m, const json_t *source)
{
    struct files f = {.what = name_of(im, m),
                      .source_id = m->source_id,
                      .source_uri = text_at(source, "info.artifact_uri"),
                      .id = m->id};

    if (!im->dry)
        f.place = arena_printf(im->work.arena, "%s/%s/artifacts", m->experiment->id, m->id);
    (void)files_import(im, &f);
}

static void content_import(struct import *im, struct mine *m, const json_t *source)
{
    const char *stage = text_at(source, "info.lifecycle_stage");
    bool good;

    values_import(im, m, source);
    metrics_import(im, m, source);
    inputs_import(im, m, source);
    run_files(im, m, source);
    end_import(im, m, source);
    if (m->wrote)
        (void)mine_load(im, m);
    good = verify(im, m, source);
    report_count(im->report, RUNS, 1, good ? 1 : 0);
    if (!good)
        report_differs(im->report, name_of(im, m),
                       "what is here of its parameters, tags, inputs, status or times is not what "
                       "the source has");
    cut_note(im, m, source);
    mine_close(im, m, stage != NULL && strcmp(stage, "deleted") == 0);
    link_note(im, m->experiment, m->source_id, source);
}

static void count_only(struct import *im, const json_t *source)
{
    const json_t *data = json_object_get(source, "data");

    report_count(im->report, RUNS, 1, 0);
    report_count(im->report, PARAMETERS, (int64_t)json_array_size(json_object_get(data, "params")),
                 0);
    report_count(im->report, TAGS, (int64_t)json_array_size(json_object_get(data, "tags")), 0);
    report_count(im->report, METRICS, (int64_t)json_array_size(json_object_get(data, "metrics")),
                 0);
    report_count(im->report, INPUTS, (int64_t)json_array_size(inputs_of(source)), 0);
}

void run_import(struct import *im, struct experiment *e, const char *source_id)
{
    struct arena *kept = unit_begin(im);
    struct mine m = {.source_id = arena_text(im->work.arena, source_id), .experiment = e};
    const char *why;
    const json_t *source = json_object_get(
        source_ask(&im->work, im->source,
                   path_query(&im->work, OURS "/runs/get", "run_id", source_id), NULL, &why),
        "run");

    m.id = id_here(im, source_id, false);
    if (source == NULL) {
        report_count(im->report, RUNS, 1, 0);
        report_differs(im->report, name_of(im, &m), "%s", why == NULL ? "there is no run" : why);
    } else if (im->dry) {
        count_only(im, source);
        run_files(im, &m, source);
    } else if (find(im, &m, source)) {
        content_import(im, &m, source);
    } else {
        report_count(im->report, RUNS, 1, 0);
    }
    unit_end(im, kept);
}
