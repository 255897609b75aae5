/* SPDX-License-Identifier: Apache-2.0 */
#include "clients/cli/import/registry.h"

#include "clients/cli/table.h"

#include <string.h>

static bool holds(struct import *im, const struct registered *r, const char *alias,
                  const char *version)
{
    const char *path = path_query(&im->work, OURS "/registered-models/alias", "name", r->name);
    struct said s = ours_ask(im, "GET", path_query(&im->work, path, "alias", alias), NULL);
    const char *now = text_at(s.json, "model_version.version");

    return now != NULL && strcmp(now, version) == 0;
}

/* Two aliases of the source that would be one here. */
static bool clashes(struct import *im, const json_t *aliases, size_t index, const char *name)
{
    for (size_t i = 0; i < index; i++) {
        const char *other = text_at(json_array_get(aliases, i), "alias");

        if (other != NULL && strcmp(name_here(im, other), name) == 0)
            return true;
    }
    return false;
}

/* Whether it is here. What is protected asks for its approval by that and waits. */
static bool move(struct import *im, const struct registered *r, const char *alias,
                 const char *version)
{
    const char *what = arena_printf(im->work.arena, "%s alias %s", r->what, alias);
    struct said s;

    if (holds(im, r, alias, version))
        return true;
    s = ours_ask(im, "POST", OURS "/registered-models/alias",
                 keep(&im->work, json_pack("{s:s, s:s, s:s}", "name", r->name, "alias", alias,
                                           "version", version)));
    if (s.code == NULL) {
        report_wrote(im->report, ALIASES, 1);
        return true;
    }
    if (text_at(s.json, "approval") != NULL)
        report_waits(im->report, ALIASES, what, "approval %s for version %s",
                     text_at(s.json, "approval"), version);
    else
        report_differs(im->report, what, "%s: %s", s.code, s.why);
    return false;
}

void aliases_import(struct import *im, const struct registered *r, const json_t *aliases)
{
    const json_t *item;
    size_t i;

    json_array_foreach(aliases, i, item)
    {
        const char *alias = text_at(item, "alias");
        int64_t version = number_at(item, "version");
        const char *name = alias == NULL ? "" : name_here(im, alias);

        report_count(im->report, ALIASES, 1, 0);
        if (alias == NULL)
            report_differs(im->report, r->what, "the source describes an alias without a name");
        else if (clashes(im, aliases, i, name))
            report_differs(im->report, r->what, "its alias %s would be %s here, as another is",
                           alias, name);
        else if (move(im, r, name, arena_printf(im->work.arena, "%lld", (long long)version)))
            report_count(im->report, ALIASES, 0, 1);
    }
}
