/* SPDX-License-Identifier: Apache-2.0 */
#include "clients/cli/import/import.h"

#include "clients/cli/import/ours.h"

#include <string.h>

/* --experiment NAME, which may be given more than once; without it all are meant. */
static bool wanted(const struct import *im, const char *name)
{
    bool any = false;

    for (size_t i = 0; i < im->work.args.options_count; i++) {
        const struct given *o = &im->work.args.options[i];

        if (strcmp(o->name, "--experiment") != 0)
            continue;
        any = true;
        if (strcmp(o->value, name) == 0)
            return true;
    }
    return !any;
}

static bool is_default(const char *source_id, const char *name)
{
    return strcmp(source_id, "0") == 0 && strcmp(name, "Default") == 0;
}

static json_t *tags_of(struct import *im, const json_t *source, const char *id)
{
    json_t *tags = json_array();
    const json_t *item;
    size_t i;

    json_array_foreach(json_object_get(source, "tags"), i, item)
    {
        const char *key = text_at(item, "key");
        const char *value = text_at(item, "value");

        if (key != NULL)
            (void)json_array_append_new(tags, pair_new(key, text_cut(im, value == NULL ? "" : value,
                                                                     EXPERIMENT_TAG_LONGEST)));
    }
    (void)json_array_append_new(tags, pair_new(TAG_EXPERIMENT, id));
    (void)json_array_append_new(tags, pair_new(TAG_FROM, source_uri(im->source)));
    (void)json_array_append_new(
        tags, pair_new(TAG_CREATED, arena_printf(im->work.arena, "%lld",
                                                 (long long)number_at(source, "creation_time"))));
    return keep(&im->work, tags);
}

static struct said by_name(struct import *im, const char *name)
{
    return ours_ask(im, "GET",
                    path_query(&im->work, OURS "/experiments/get-by-name", "experiment_name", name),
                    NULL);
}

/* Tags that differ; how many are as they should be. Where we import from may have another address
 * by now. */
static int64_t set_tags(struct import *im, struct experiment *e, const json_t *ours,
                        const json_t *tags, const char *what)
{
    const json_t *item;
    int64_t good = 0;
    size_t i;

    json_array_foreach(tags, i, item)
    {
        const char *key = text_at(item, "key");
        const char *value = text_at(item, "value");
        const char *old = pair_value(json_object_get(ours, "tags"), key);
        json_t *body;

        if (old != NULL && (strcmp(old, value) == 0 || strcmp(key, TAG_FROM) == 0)) {
            good++;
            continue;
        }
        if (!experiment_open(im, e))
            continue;
        body = json_pack("{s:s, s:s, s:s}", "experiment_id", e->id, "key", key, "value", value);
        if (ours_tell(im, "POST", OURS "/experiments/set-experiment-tag", body, what))
            good++;
    }
    return good;
}

/* Ours of that name, if it is the source's. */
static bool adopt(struct import *im, struct experiment *e, const json_t *ours, const json_t *tags,
                  const char *what)
{
    const char *known = pair_value(json_object_get(ours, "tags"), TAG_EXPERIMENT);
    bool same = known != NULL && strcmp(known, e->source_id) == 0;
    const char *id = text_at(ours, "experiment_id");

    if (!same && !im->merge && (known != NULL || !is_default(e->source_id, e->name))) {
        report_differs(im->report, what,
                       "%s; rename one of them, or say --merge to have its runs join those here",
                       known == NULL ? "an experiment of this name is here and was not imported"
                                     : "an experiment of this name came from elsewhere");
        return false;
    }
    e->id = arena_text(im->work.arena, id == NULL ? "" : id);
    e->deleted = strcmp(text_at(ours, "lifecycle_stage"), "deleted") == 0;
    if (e->deleted && !e->gone && !experiment_open(im, e))
        return false;
    report_count(im->report, TAGS, (int64_t)json_array_size(tags),
                 set_tags(im, e, ours, tags, what));
    return true;
}

static bool create(struct import *im, const struct experiment *e, const json_t *tags,
                   const char *what)
{
    if (!ours_tell(im, "POST", OURS "/experiments/create",
                   json_pack("{s:s, s:O}", "name", e->name, "tags", tags), what))
        return false;
    report_wrote(im->report, EXPERIMENTS, 1);
    return true;
}

static bool take(struct import *im, const json_t *source, struct experiment *e, const char *what)
{
    const json_t *tags = tags_of(im, source, e->source_id);
    struct said s = by_name(im, e->name);

    if (ours_absent(&s)) {
        if (!create(im, e, tags, what))
            return false;
        s = by_name(im, e->name);
    }
    if (s.code != NULL) {
        report_differs(im->report, what, "%s: %s", s.code, s.why);
        return false;
    }
    return adopt(im, e, json_object_get(s.json, "experiment"), tags, what);
}

bool experiment_import(struct import *im, const json_t *source, struct experiment *out)
{
    const char *name = text_at(source, "name");
    const char *id = text_at(source, "experiment_id");
    const char *stage = text_at(source, "lifecycle_stage");
    const char *what =
        arena_printf(im->work.arena, "experiment %s", name == NULL ? "without a name" : name);
    bool taken = false;

    if (name != NULL && !wanted(im, name))
        return false;
    if (name != NULL && id != NULL) {
        *out = (struct experiment){.source_id = arena_text(im->lasting, id),
                                   .name = arena_text(im->lasting, name),
                                   .gone = stage != NULL && strcmp(stage, "deleted") == 0};
        taken = im->dry || take(im, source, out, what);
        out->id = arena_text(im->lasting, out->id);
    } else {
        report_differs(im->report, what, "the source describes it without name or id");
    }
    report_count(im->report, EXPERIMENTS, 1, taken && !im->dry ? 1 : 0);
    return taken;
}

bool experiment_open(struct import *im, struct experiment *e)
{
    if (!e->deleted)
        return true;
    e->deleted = !ours_tell(im, "POST", OURS "/experiments/restore",
                            json_pack("{s:s}", "experiment_id", e->id),
                            arena_printf(im->work.arena, "experiment %s", e->name));
    return !e->deleted;
}

void experiment_close(struct import *im, struct experiment *e)
{
    if (im->dry || !e->gone || e->deleted)
        return;
    e->deleted = ours_tell(im, "POST", OURS "/experiments/delete",
                           json_pack("{s:s}", "experiment_id", e->id),
                           arena_printf(im->work.arena, "experiment %s", e->name));
}
