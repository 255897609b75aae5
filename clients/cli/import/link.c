/* SPDX-License-Identifier: Apache-2.0 */
#include "clients/cli/import/import.h"

#include "clients/cli/import/ours.h"
#include "clients/cli/table.h"

#include <string.h>

/* The logged models that one run read and made. */
struct link {
    struct link *next;
    struct experiment *experiment;
    const char *run;
    const json_t *lists[2]; /* inputs, outputs */
};

/* How the two lists are called where a run is shown, and where they are said. */
static const struct {
    const char *shown;
    const char *path;
} ends[2] = {{"inputs.model_inputs", OURS "/runs/log-inputs"},
             {"outputs.model_outputs", OURS "/runs/outputs"}};

static json_t *lasting(struct import *im, const json_t *list)
{
    json_t *copy = list == NULL ? json_array() : json_deep_copy(list);

    arena_own(im->lasting, copy, (void (*)(void *))json_decref);
    return copy;
}

void link_note(struct import *im, struct experiment *e, const char *source_id, const json_t *run)
{
    const json_t *inputs = member_at(run, ends[0].shown);
    const json_t *outputs = member_at(run, ends[1].shown);
    struct link *l;

    if (json_array_size(inputs) + json_array_size(outputs) == 0)
        return;
    l = arena_alloc(im->lasting, sizeof(*l));
    *l = (struct link){.next = im->links,
                       .experiment = e,
                       .run = arena_text(im->lasting, source_id),
                       .lists = {lasting(im, inputs), lasting(im, outputs)}};
    im->links = l;
}

static bool here(struct import *im, const struct mine *m, const char *shown, const json_t *wanted)
{
    const char *model = id_here(im, text_at(wanted, "model_id"), true);
    const json_t *item;
    size_t i;

    json_array_foreach(member_at(m->run, shown), i, item)
    {
        const char *known = text_at(item, "model_id");

        if (known != NULL && strcmp(known, model) == 0 &&
            number_at(item, "step") == number_at(wanted, "step"))
            return true;
    }
    return false;
}

/* Of the models that are meant, when only some experiments are. */
static bool meant(struct import *im, const char *model)
{
    struct said s;

    if (option(&im->work, "--experiment") == NULL)
        return true;
    s = ours_ask(im, "GET", path_of(&im->work, OURS "/logged-models/{}", model, NULL), NULL);
    return s.code == NULL;
}

/* How many are meant, and are here; those that are not go into missing. */
struct found {
    int64_t meant;
    int64_t here;
    json_t *missing;
};

static struct found look(struct import *im, const struct mine *m, const struct link *l, size_t end)
{
    struct found f = {.missing = keep(&im->work, json_array())};
    const json_t *item;
    size_t i;

    json_array_foreach(l->lists[end], i, item)
    {
        const char *model = text_at(item, "model_id");

        if (model == NULL || !meant(im, id_here(im, model, true)))
            continue;
        f.meant++;
        if (here(im, m, ends[end].shown, item))
            f.here++;
        else
            (void)json_array_append_new(f.missing, json_pack("{s:s, s:I}", "model_id",
                                                             id_here(im, model, true), "step",
                                                             (json_int_t)number_at(item, "step")));
    }
    return f;
}

static void end_import(struct import *im, struct mine *m, const struct link *l, size_t end)
{
    const char *what = arena_printf(im->work.arena, "run %s", l->run);
    struct found f = look(im, m, l, end);

    if (f.here < f.meant && mine_open(im, m) &&
        ours_tell(im, "POST", ends[end].path,
                  json_pack("{s:s, s:O}", "run_id", m->id, "models", f.missing), what)) {
        report_wrote(im->report, MODEL_LINKS, f.meant - f.here);
        (void)mine_load(im, m);
        f = look(im, m, l, end);
    }
    report_count(im->report, MODEL_LINKS, f.meant, f.here);
    if (f.here < f.meant)
        report_differs(im->report, what, "%lld of the models it read or made are not here",
                       (long long)(f.meant - f.here));
}

static void link_import(struct import *im, const struct link *l)
{
    struct mine m = {
        .source_id = l->run, .id = id_here(im, l->run, false), .experiment = l->experiment};
    bool gone;

    if (!mine_load(im, &m))
        return;
    gone = m.deleted;
    for (size_t end = 0; end < 2; end++)
        end_import(im, &m, l, end);
    mine_close(im, &m, gone);
}

void links_import(struct import *im)
{
    for (const struct link *l = im->links; l != NULL; l = l->next) {
        struct arena *kept = unit_begin(im);

        link_import(im, l);
        unit_end(im, kept);
    }
}
