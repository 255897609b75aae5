/* SPDX-License-Identifier: Apache-2.0 */
#include "clients/cli/import/registry.h"

#include "clients/cli/print.h"

#include <string.h>

enum { PAGE = 100, DESCRIPTION_LONGEST = 2000, TAGS_AT_ONCE = 90 };

static const char is_prompt[] = "mlflow.prompt.is_prompt";

const char *description_here(struct import *im, const json_t *source, const char *what)
{
    const char *text = text_at(source, "description");

    if (text == NULL)
        return "";
    if (strlen(text) > DESCRIPTION_LONGEST && !im->shorten)
        report_differs(im->report, what,
                       "its description is longer than %d bytes and was cut; --shorten accepts "
                       "that",
                       DESCRIPTION_LONGEST);
    return text_cut(im, text, DESCRIPTION_LONGEST);
}

void pairs_add(json_t *tags, const char *key, const char *value)
{
    if (value != NULL)
        (void)json_array_append_new(tags, pair_new(key, value));
}

json_t *registry_tags(struct import *im, const json_t *source, size_t longest, const char *what)
{
    json_t *out = keep(&im->work, json_array());
    const json_t *item;
    size_t i;

    json_array_foreach(json_object_get(source, "tags"), i, item)
    {
        const char *key = text_at(item, "key");
        const char *value = text_at(item, "value");

        if (key == NULL)
            continue;
        value = value == NULL ? "" : value;
        if (strlen(value) > longest && !im->shorten)
            report_differs(im->report, what,
                           "the tag %.300s is longer than %zu bytes and was cut; --shorten "
                           "accepts that",
                           key, longest);
        pairs_add(out, key, text_cut(im, value, longest));
    }
    pairs_add(
        out, TAG_CREATED,
        arena_printf(im->work.arena, "%lld", (long long)number_at(source, "creation_timestamp")));
    return out;
}

struct said registered_show(struct import *im, const char *name)
{
    return ours_ask(im, "GET", path_query(&im->work, OURS "/registered-models/get", "name", name),
                    NULL);
}

static struct said create(struct import *im, const struct registered *r, const json_t *tags)
{
    json_t *some = keep(&im->work, json_array());
    const json_t *item;
    size_t i;

    /* The name first, by which it is known as imported whenever this ends. */
    pairs_add(some, TAG_NAME, r->source_name);
    if (r->prompt)
        pairs_add(some, is_prompt, "true");
    json_array_foreach(tags, i, item) if (i < TAGS_AT_ONCE &&
                                          strcmp(text_at(item, "key"), is_prompt) != 0)(void)
        json_array_append(some, (json_t *)item);
    return ours_ask(im, "POST", OURS "/registered-models/create",
                    keep(&im->work, json_pack("{s:s, s:s, s:O}", "name", r->name, "description",
                                              r->description, "tags", some)));
}

/* Ours of that name, if it is the source's: two names there can be one here. */
static bool find(struct import *im, struct registered *r, const json_t *tags)
{
    struct said s = registered_show(im, r->name);
    const char *known;

    if (ours_absent(&s)) {
        s = create(im, r, tags);
        report_wrote(im->report, r->kind, s.code == NULL ? 1 : 0);
    }
    if (s.code != NULL) {
        report_differs(im->report, r->what, "%s: %s", s.code, s.why);
        return false;
    }
    r->ours = json_object_get(s.json, "registered_model");
    known = pair_value(json_object_get(r->ours, "tags"), TAG_NAME);
    if ((known != NULL && strcmp(known, r->source_name) == 0) || (known == NULL && im->merge))
        return true;
    report_differs(im->report, r->what,
                   "its name here would be %s, which %s%s; say --rename \"%s=NEW\"", r->name,
                   known == NULL ? "is taken by something that was not imported" : "belongs to ",
                   known == NULL ? "" : known, r->source_name);
    return false;
}

/* Tags and description that differ. */
static bool set_words(struct import *im, const struct registered *r, const json_t *tags)
{
    const char *words = text_at(r->ours, "description");
    const json_t *item;
    bool good = true;
    size_t i;

    json_array_foreach(tags, i, item)
    {
        const char *key = text_at(item, "key");
        const char *value = text_at(item, "value");
        const char *old = pair_value(json_object_get(r->ours, "tags"), key);
        json_t *body;

        if ((old != NULL && strcmp(old, value) == 0) || strcmp(key, is_prompt) == 0)
            continue;
        body = json_pack("{s:s, s:s, s:s}", "name", r->name, "key", key, "value", value);
        good = ours_tell(im, "POST", OURS "/registered-models/set-tag", body, r->what) && good;
    }
    if (strcmp(words == NULL ? "" : words, r->description) != 0)
        good = ours_tell(im, "PATCH", OURS "/registered-models/update",
                         json_pack("{s:s, s:s}", "name", r->name, "description", r->description),
                         r->what) &&
               good;
    return good;
}

struct all {
    struct import *im;
    bool prompts;
};

static void content_import(struct import *im, struct registered *r, const json_t *source)
{
    json_t *tags = registry_tags(im, source, REGISTRY_TAG_LONGEST, r->what);

    pairs_add(tags, TAG_NAME, r->source_name);
    pairs_add(tags, TAG_FROM, source_uri(im->source));
    if (!find(im, r, tags))
        return;
    report_count(im->report, r->kind, 0, set_words(im, r, tags) ? 1 : 0);
    versions_import(im, r);
    aliases_import(im, r, json_object_get(source, "aliases"));
}

static void registered_import(struct import *im, struct registered *r, const json_t *source)
{
    note(&im->work, "%s", r->what);
    report_count(im->report, r->kind, 1, 0);
    if (strcmp(r->name, r->source_name) != 0)
        report_renamed(im->report, r->what, r->name);
    if (im->dry) {
        report_count(im->report, ALIASES,
                     (int64_t)json_array_size(json_object_get(source, "aliases")), 0);
        versions_import(im, r);
    } else {
        r->description = description_here(im, source, r->what);
        content_import(im, r, source);
    }
}

static void on_registered(void *context, json_t *item)
{
    const struct all *all = context;
    struct import *im = all->im;
    struct arena *kept = unit_begin(im);
    const char *name = text_at(item, "name");
    struct registered r = {.source_name = name,
                           .name = name_here(im, name),
                           .prompt = all->prompts,
                           .kind = all->prompts ? PROMPTS : REGISTERED_MODELS};

    r.what = arena_printf(im->work.arena, "%s %s", r.prompt ? "prompt" : "registered model", name);
    if (versions_wanted(im, &r))
        registered_import(im, &r, item);
    unit_end(im, kept);
}

void registry_import(struct import *im, bool prompts)
{
    struct arena *kept = unit_begin(im);
    struct all all = {.im = im, .prompts = prompts};
    struct list l = {
        .path = path_query(&im->work,
                           path_query(&im->work, OURS "/registered-models/search", "max_results",
                                      arena_printf(im->work.arena, "%d", PAGE)),
                           "filter", prompts ? "tags.`mlflow.prompt.is_prompt` = 'true'" : NULL),
        .member = "registered_models",
        .id = "name",
        .on_item = on_registered,
        .context = &all};
    const char *why = source_list(im, &l);

    if (why != NULL)
        report_differs(im->report, prompts ? "prompts" : "registered models",
                       "they could not all be listed: %s", why);
    unit_end(im, kept);
}
