/* SPDX-License-Identifier: Apache-2.0 */
#include "clients/cli/import/registry.h"

#include "clients/cli/import/seen.h"

#include <stdlib.h>
#include <string.h>

/* A version on both sides. */
struct numbered {
    const struct registered *model;
    const json_t *source;
    const char *number;
    const char *what;
    const char *from;        /* where its files are here: one of our URIs; NULL for nowhere */
    const char *owner;       /* the source's id of the run or model that has them, or NULL */
    const char *description; /* within our limits */
    json_t *tags;
    const json_t *ours;
    bool held; /* it waits for files, or for a lower number that does: numbers only grow here */
};

static const char *after(const char *text, const char *prefix)
{
    size_t length = strlen(prefix);

    return text != NULL && strncmp(text, prefix, length) == 0 ? text + length : NULL;
}

/* "runs:/RUN/PATH" with the run's id here. */
static const char *of_run(struct import *im, struct numbered *v, const char *rest)
{
    size_t length = strcspn(rest, "/");

    v->owner = arena_copy(im->work.arena, rest, length);
    return arena_printf(im->work.arena, "runs:/%s%s", id_here(im, v->owner, false), rest + length);
}

static const char *of_model(struct import *im, struct numbered *v, const char *id, size_t length)
{
    v->owner = arena_copy(im->work.arena, id, length);
    return arena_printf(im->work.arena, "models:/%s", id_here(im, v->owner, true));
}

/* "models:/m-ID" or "models:/NAME/VERSION", a copy. */
static const char *of_models(struct import *im, struct numbered *v, const char *rest)
{
    const char *slash = strrchr(rest, '/');

    if (slash == NULL)
        return of_model(im, v, rest, strlen(rest));
    return arena_printf(im->work.arena, "models:/%s%s",
                        name_here(im, arena_copy(im->work.arena, rest, (size_t)(slash - rest))),
                        slash);
}

/* Any URI that ends in EXPERIMENT/RUN/artifacts/PATH or EXPERIMENT/models/m-ID/artifacts, as MLflow
 * lays things out in every store: what counts is that the id is one of ours. */
static const char *of_place(struct import *im, struct numbered *v, const char *source)
{
    const char *mark = strstr(source, "/artifacts");
    const char *id = mark;

    if (mark == NULL || (mark[10] != '\0' && mark[10] != '/'))
        return NULL;
    while (id > source && id[-1] != '/')
        id--;
    if (strncmp(id, "m-", 2) == 0)
        return of_model(im, v, id, (size_t)(mark - id));
    if (text_at(v->source, "run_id") == NULL)
        return NULL;
    return of_run(im, v, arena_printf(im->work.arena, "%.*s%s", (int)(mark - id), id, mark + 10));
}

static const char *origin(struct import *im, struct numbered *v)
{
    const char *source = text_at(v->source, "source");
    const char *model = text_at(v->source, "model_id");
    const char *rest;

    if (model != NULL && *model != '\0')
        return of_model(im, v, model, strlen(model));
    rest = after(source, "models:/");
    if (rest != NULL)
        return of_models(im, v, rest);
    rest = after(source, "runs:/");
    if (rest != NULL)
        return of_run(im, v, rest);
    return source == NULL ? NULL : of_place(im, v, source);
}

/* A version is sealed when it is made, so all of its files have to be here by then. */
static bool complete(const struct import *im, const struct numbered *v)
{
    if (v->owner == NULL)
        return true;
    return seen_has(im->whole, v->owner, strlen(v->owner)) &&
           !seen_has(im->broken, v->owner, strlen(v->owner));
}

static struct said show(struct import *im, const struct numbered *v)
{
    const char *path = path_query(&im->work, OURS "/model-versions/get", "name", v->model->name);

    return ours_ask(im, "GET", path_query(&im->work, path, "version", v->number), NULL);
}

static json_t *draft(struct import *im, const struct numbered *v)
{
    const char *run = text_at(v->source, "run_id");

    return keep(&im->work, json_pack("{s:s, s:s, s:s*, s:s*, s:s, s:O}", "name", v->model->name,
                                     "version", v->number, "source", v->from, "run_id",
                                     run == NULL || *run == '\0' ? NULL : id_here(im, run, false),
                                     "description", v->description, "tags", v->tags));
}

static bool find(struct import *im, struct numbered *v)
{
    struct said s = show(im, v);
    const char *source = text_at(v->source, "source");

    if (s.code != NULL && v->held) {
        s.why = "it waits for a lower number whose files are not all here";
    } else if (s.code != NULL && !complete(im, v)) {
        v->held = true;
        s.why = arena_printf(im->work.arena, "the files of %s are not all here", v->owner);
    } else if (s.code != NULL && (v->from != NULL || v->model->prompt)) {
        s = ours_ask(im, "POST", OURS "/model-versions/create", draft(im, v));
        report_wrote(im->report, VERSIONS, s.code == NULL ? 1 : 0);
    } else if (s.code != NULL) {
        s.why = arena_printf(im->work.arena,
                             "its files are at %.300s, which is no run or model of the source",
                             source == NULL ? "no place" : source);
    }
    if (s.code != NULL) {
        report_differs(im->report, v->what, "%s", s.why);
        return false;
    }
    v->ours = json_object_get(s.json, "model_version");
    return true;
}

/* A chat is a list here, and comes back as one. */
static bool value_same(const char *key, const char *a, const char *b)
{
    json_t *x, *y;
    bool same;

    if (strcmp(a, b) == 0 || strcmp(key, "mlflow.prompt.text") != 0)
        return strcmp(a, b) == 0;
    x = json_loads(a, 0, NULL);
    y = json_loads(b, 0, NULL);
    same = x != NULL && y != NULL && json_equal(x, y);
    json_decref(x);
    json_decref(y);
    return same;
}

static bool set_tags(struct import *im, const struct numbered *v)
{
    const json_t *item;
    bool good = true;
    size_t i;

    json_array_foreach(v->tags, i, item)
    {
        const char *key = text_at(item, "key");
        const char *value = text_at(item, "value");
        const char *old = pair_value(json_object_get(v->ours, "tags"), key);
        json_t *body;

        if (old != NULL && value_same(key, value, old))
            continue;
        body = json_pack("{s:s, s:s, s:s, s:s}", "name", v->model->name, "version", v->number,
                         "key", key, "value", value);
        good = ours_tell(im, "POST", OURS "/model-versions/set-tag", body, v->what) && good;
    }
    return good;
}

/* A link to the run that made it, as the source has it. */
static bool run_same(struct import *im, const struct numbered *v)
{
    const char *there = text_at(v->source, "run_id");
    const char *here = text_at(v->ours, "run_id");

    if (there == NULL || *there == '\0')
        return true;
    if (here != NULL && strcmp(here, id_here(im, there, false)) == 0)
        return true;
    report_differs(im->report, v->what, "it is not linked to run %s here", there);
    return false;
}

static bool words_same(struct import *im, const struct numbered *v)
{
    const char *words = text_at(v->ours, "description");

    if (strcmp(words == NULL ? "" : words, v->description) == 0)
        return true;
    return ours_tell(im, "PATCH", OURS "/model-versions/update",
                     json_pack("{s:s, s:s, s:s}", "name", v->model->name, "version", v->number,
                               "description", v->description),
                     v->what);
}

static void version_import(struct import *im, struct numbered *v)
{
    const char *stage = text_at(v->source, "current_stage");
    const char *status = text_at(v->source, "status");
    bool good;

    if (status != NULL && strcmp(status, "READY") != 0) {
        report_differs(im->report, v->what, "it is %.40s at the source", status);
        return;
    }
    v->from = v->model->prompt ? "prompt" : origin(im, v);
    v->tags = registry_tags(im, v->source,
                            v->model->prompt ? VERSION_TAG_LONGEST : REGISTRY_TAG_LONGEST, v->what);
    pairs_add(v->tags, TAG_SOURCE, text_at(v->source, "source"));
    if (stage != NULL && strcmp(stage, "None") != 0)
        pairs_add(v->tags, TAG_STAGE, stage);
    v->description = description_here(im, v->source, v->what);
    if (!find(im, v))
        return;
    good = set_tags(im, v);
    good = words_same(im, v) && good;
    good = (v->model->prompt || run_same(im, v)) && good;
    report_count(im->report, VERSIONS, 0, good ? 1 : 0);
}

struct collected {
    json_t *items;
};

/* Versions come by pages in an order that is the source's. */
static void on_version(void *context, json_t *item)
{
    const struct collected *all = context;

    (void)json_array_append_new(all->items, json_deep_copy(item));
}

struct ordered {
    const json_t *item;
};

static int by_number(const void *a, const void *b)
{
    int64_t x = number_at(((const struct ordered *)a)->item, "version");
    int64_t y = number_at(((const struct ordered *)b)->item, "version");

    return (x > y) - (x < y);
}

static const struct ordered *sorted(struct import *im, const json_t *items)
{
    size_t count = json_array_size(items);
    struct ordered *out = arena_alloc(im->work.arena, (count + 1) * sizeof(*out));

    for (size_t i = 0; i < count; i++)
        out[i].item = json_array_get(items, i);
    qsort(out, count, sizeof(*out), by_number);
    return out;
}

static const char *list_versions(struct import *im, const struct registered *r, json_t *items)
{
    const char *quote = strchr(r->source_name, '\'') == NULL ? "'" : "\"";
    const char *filter =
        arena_printf(im->work.arena, "name=%s%s%s%s", quote, r->source_name, quote,
                     r->prompt ? " AND tags.`mlflow.prompt.is_prompt` = 'true'" : "");
    struct collected all = {.items = items};
    struct list l = {.path = path_query(&im->work, OURS "/model-versions/search?max_results=200",
                                        "filter", filter),
                     .member = "model_versions",
                     .id = "version",
                     .on_item = on_version,
                     .context = &all};

    return source_list(im, &l);
}

/* Numbers only grow, so that a model comes whole or not at all. */
bool versions_wanted(struct import *im, const struct registered *r)
{
    json_t *items = keep(&im->work, json_array());
    const json_t *item;
    size_t i;

    if (option(&im->work, "--experiment") == NULL)
        return true;
    if (r->prompt || im->dry || list_versions(im, r, items) != NULL)
        return false;
    json_array_foreach(items, i, item)
    {
        const char *run = text_at(item, "run_id");
        struct mine m = {.id = run == NULL ? "" : id_here(im, run, false)};

        if (!mine_load(im, &m))
            return false;
    }
    return json_array_size(items) > 0;
}

void versions_import(struct import *im, const struct registered *r)
{
    json_t *items = keep(&im->work, json_array());
    const char *why = list_versions(im, r, items);
    const struct ordered *versions = sorted(im, items);
    bool held = false;

    if (why != NULL)
        report_differs(im->report, r->what, "its versions could not all be listed: %s", why);
    for (size_t i = 0; i < json_array_size(items); i++) {
        struct arena *kept = unit_begin(im);
        struct numbered v = {.model = r, .source = versions[i].item, .held = held};

        v.number = arena_printf(im->work.arena, "%lld", (long long)number_at(v.source, "version"));
        v.what = arena_printf(im->work.arena, "%s version %s", r->what, v.number);
        report_count(im->report, VERSIONS, 1, 0);
        if (!im->dry)
            version_import(im, &v);
        held = v.held;
        unit_end(im, kept);
    }
}
