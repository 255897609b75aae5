/* SPDX-License-Identifier: Apache-2.0 */
#include "clients/cli/import/import.h"

#include "clients/cli/import/ours.h"
#include "clients/cli/import/seen.h"
#include "clients/cli/table.h"

#include <string.h>

enum { PAGE = 50 };

/* A logged model on both sides. */
struct logged {
    struct experiment *experiment;
    const json_t *source;
    const char *source_id;
    const char *id;
    const char *what;
    const json_t *ours;
};

static struct said show(struct import *im, const char *id)
{
    return ours_ask(im, "GET", path_of(&im->work, OURS "/logged-models/{}", id, NULL), NULL);
}

/* The source's pairs within our limits, and marks of where they come from. */
static json_t *pairs_of(struct import *im, const json_t *items, size_t longest)
{
    json_t *out = json_array();
    const json_t *item;
    size_t i;

    json_array_foreach(items, i, item)
    {
        const char *key = text_at(item, "key");
        const char *value = text_at(item, "value");

        if (key != NULL)
            (void)json_array_append_new(
                out, pair_new(key, text_cut(im, value == NULL ? "" : value, longest)));
    }
    return out;
}

static json_t *tags_of(struct import *im, const struct logged *m)
{
    json_t *tags = pairs_of(im, member_at(m->source, "info.tags"), TAG_LONGEST);
    int64_t made = number_at(m->source, "info.creation_timestamp_ms");

    (void)json_array_append_new(tags, pair_new(TAG_MODEL, m->source_id));
    (void)json_array_append_new(
        tags, pair_new(TAG_CREATED, arena_printf(im->work.arena, "%lld", (long long)made)));
    return keep(&im->work, tags);
}

static json_t *draft(struct import *im, const struct logged *m)
{
    const char *run = text_at(m->source, "info.source_run_id");
    const char *name = text_at(m->source, "info.name");

    return keep(&im->work, json_pack("{s:s, s:s, s:s*, s:s*, s:s*}", "model_id", m->id,
                                     "experiment_id", m->experiment->id, "name", name, "model_type",
                                     text_at(m->source, "info.model_type"), "source_run_id",
                                     run == NULL || *run == '\0' ? NULL : id_here(im, run, false)));
}

static bool find(struct import *im, struct logged *m)
{
    struct said s = show(im, m->id);
    json_t *body;
    const char *known;

    if (ours_absent(&s) && experiment_open(im, m->experiment)) {
        body = draft(im, m);
        (void)json_object_set_new(body, "tags", json_incref(tags_of(im, m)));
        s = ours_ask(im, "POST", OURS "/logged-models", body);
        report_wrote(im->report, LOGGED_MODELS, s.code == NULL ? 1 : 0);
    }
    if (s.code != NULL && strcmp(s.code, "RESOURCE_ALREADY_EXISTS") == 0)
        s.why = "its id is taken outside of this project; say --new-ids to give all runs and "
                "models ids of their own here";
    if (s.code != NULL) {
        report_differs(im->report, m->what, "%s", s.why);
        return false;
    }
    m->ours = json_object_get(s.json, "model");
    known = pair_value(member_at(m->ours, "info.tags"), TAG_MODEL);
    if (known != NULL && strcmp(known, m->source_id) == 0)
        return true;
    report_differs(im->report, m->what, "a logged model of its id is here that was not imported");
    return false;
}

static json_t *missing(struct import *im, const json_t *wanted, const json_t *ours)
{
    json_t *out = keep(&im->work, json_array());
    const json_t *item;
    size_t i;

    json_array_foreach(wanted, i, item)
    {
        const char *old = pair_value(ours, text_at(item, "key"));

        if (old == NULL || strcmp(old, text_at(item, "value")) != 0)
            (void)json_array_append(out, (json_t *)item);
    }
    return out;
}

static bool add_pairs(struct import *im, const struct logged *m)
{
    const json_t *tags = missing(im, tags_of(im, m), member_at(m->ours, "info.tags"));
    const json_t *params = missing(
        im, keep(&im->work, pairs_of(im, member_at(m->source, "data.params"), PARAM_LONGEST)),
        member_at(m->ours, "data.params"));
    const char *path = path_of(&im->work, OURS "/logged-models/{}", m->id, NULL);
    bool good = true;

    if (json_array_size(tags) > 0)
        good = ours_tell(im, "PATCH", arena_printf(im->work.arena, "%s/tags", path),
                         json_pack("{s:O}", "tags", tags), m->what);
    if (json_array_size(params) > 0)
        good = ours_tell(im, "POST", arena_printf(im->work.arena, "%s/params", path),
                         json_pack("{s:O}", "params", params), m->what) &&
               good;
    return good;
}

static bool metric_here(const struct logged *m, const json_t *wanted, const char *run)
{
    const json_t *item;
    size_t i;

    json_array_foreach(member_at(m->ours, "data.metrics"), i, item)
    {
        const char *key = text_at(item, "key");
        const char *known = text_at(item, "run_id");

        if (key != NULL && known != NULL && strcmp(key, text_at(wanted, "key")) == 0 &&
            strcmp(known, run) == 0 && number_at(item, "step") == number_at(wanted, "step"))
            return true;
    }
    return false;
}

/* What runs measured of the model. The run has the value already; this says whose it is. */
static void add_metrics(struct import *im, const struct logged *m)
{
    const json_t *item;
    size_t i;

    json_array_foreach(member_at(m->source, "data.metrics"), i, item)
    {
        const char *source_run = text_at(item, "run_id");
        const char *run = source_run == NULL ? NULL : id_here(im, source_run, false);
        struct mine mine = {.source_id = source_run, .id = run, .experiment = m->experiment};
        json_t *metric;

        bool gone;

        if (run == NULL || text_at(item, "key") == NULL || metric_here(m, item, run) ||
            !mine_load(im, &mine))
            continue;
        gone = mine.deleted;
        metric = keep(&im->work, json_deep_copy(item));
        (void)json_object_set_new(metric, "model_id", json_string(m->id));
        batch_send(im, &mine, "metrics", keep(&im->work, json_pack("[O]", metric)));
        mine_close(im, &mine, gone);
    }
}

static void model_files(struct import *im, const struct logged *m)
{
    struct files f = {.what = m->what,
                      .model = true,
                      .source_id = m->source_id,
                      .source_uri = text_at(m->source, "info.artifact_uri"),
                      .id = m->id};

    if (!im->dry)
        f.place = arena_printf(im->work.arena, "%s/models/%s/artifacts", m->experiment->id, m->id);
    /* A version can name the run and mean the model. */
    if (!files_import(im, &f) && text_at(m->source, "info.source_run_id") != NULL) {
        const char *run = text_at(m->source, "info.source_run_id");

        (void)seen_add(im->broken, run, strlen(run));
    }
}

/* A model is ready when its files are here. */
static bool finish(struct import *im, const struct logged *m)
{
    const char *status = text_at(m->source, "info.status");
    const char *now = text_at(m->ours, "info.status");

    if (status == NULL || now == NULL || strcmp(status, now) == 0 ||
        strcmp(status, "LOGGED_MODEL_PENDING") == 0)
        return true;
    return ours_tell(im, "PATCH", path_of(&im->work, OURS "/logged-models/{}", m->id, NULL),
                     json_pack("{s:s}", "status", status), m->what);
}

static bool verify(struct import *im, const struct logged *m)
{
    struct said s = show(im, m->id);
    struct logged now = *m;
    const json_t *item;
    bool good;
    size_t i;

    now.ours = json_object_get(s.json, "model");
    good =
        json_array_size(missing(im, tags_of(im, m), member_at(now.ours, "info.tags"))) == 0 &&
        json_array_size(missing(
            im, keep(&im->work, pairs_of(im, member_at(m->source, "data.params"), PARAM_LONGEST)),
            member_at(now.ours, "data.params"))) == 0;
    json_array_foreach(member_at(m->source, "data.metrics"), i, item)
    {
        const char *run = text_at(item, "run_id");

        good = good && (run == NULL || metric_here(&now, item, id_here(im, run, false)));
    }
    if (!good)
        report_differs(
            im->report, m->what,
            "what is here of its parameters, tags or metrics is not what the source has");
    return good;
}

static void content_import(struct import *im, struct logged *m)
{
    bool good = add_pairs(im, m);

    add_metrics(im, m);
    model_files(im, m);
    good = finish(im, m) && good;
    good = verify(im, m) && good;
    report_count(im->report, LOGGED_MODELS, 1, good ? 1 : 0);
}

struct models {
    struct import *im;
    struct experiment *experiment;
};

static void on_model(void *context, json_t *item)
{
    const struct models *all = context;
    struct import *im = all->im;
    struct arena *kept = unit_begin(im);
    struct logged m = {
        .experiment = all->experiment, .source = item, .source_id = text_at(item, "info.model_id")};

    m.id = id_here(im, m.source_id, true);
    m.what = arena_printf(im->work.arena, "logged model %s", m.source_id);
    if (im->dry) {
        model_files(im, &m);
        report_count(im->report, LOGGED_MODELS, 1, 0);
    } else if (find(im, &m)) {
        content_import(im, &m);
    } else {
        report_count(im->report, LOGGED_MODELS, 1, 0);
    }
    unit_end(im, kept);
}

void models_import(struct import *im, struct experiment *e)
{
    struct arena *kept = unit_begin(im);
    struct models all = {.im = im, .experiment = e};
    struct list l = {.path = OURS "/logged-models/search",
                     .body = keep(&im->work, json_pack("{s:[s], s:i}", "experiment_ids",
                                                       e->source_id, "max_results", PAGE)),
                     .member = "models",
                     .id = "info.model_id",
                     .on_item = on_model,
                     .context = &all};
    const char *why = source_list(im, &l);

    /* MLflow before 3 has none. */
    if (why != NULL && !source_absent(im->source))
        report_differs(im->report, arena_printf(im->work.arena, "experiment %s", e->name),
                       "its logged models could not all be listed: %s", why);
    unit_end(im, kept);
}
