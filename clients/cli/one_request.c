/* SPDX-License-Identifier: Apache-2.0 */
#include "clients/cli/run.h"

#include "clients/cli/http.h"
#include "clients/cli/print.h"

#include <stdlib.h>
#include <string.h>

enum { LIST_MAX = 10000 };

/* "--as-of" is the query parameter "as_of". */
static const char *parameter(const struct cli *c, const char *name)
{
    char *copy = arena_text(c->arena, name + 2);

    for (char *at = copy; *at != '\0'; at++)
        if (*at == '-')
            *at = '_';
    return copy;
}

static size_t list_limit(const struct cli *c)
{
    uint64_t limit = LIST_MAX;
    const char *text = option(c, "--limit");

    if (text != NULL && (!uint_parse(text, LIST_MAX, &limit) || limit == 0))
        die(USAGE, "usage: --limit takes a number from 1 to %d", LIST_MAX);
    return (size_t)limit;
}

int run_list(struct cli *c)
{
    const char *path = path_of(c, c->command->path, NULL);

    for (size_t i = 0; i < c->args.options_count; i++) {
        const struct given *o = &c->args.options[i];
        bool global, value;

        global = option_known(global_options, o->name, strlen(o->name), &value);
        if (strcmp(o->name, "--project") == 0 && strstr(c->command->path, "{project}") == NULL)
            global = false;
        if (!global && strcmp(o->name, "--limit") != 0)
            path = path_query(c, path, parameter(c, o->name), o->value);
    }
    print_list(c, api_list(c, path, list_limit(c)), c->command->columns);
    return DONE;
}

int run_show(struct cli *c)
{
    print_object(c, api(c, "GET", path_of(c, c->command->path, NULL), NULL));
    return DONE;
}

int run_act(struct cli *c)
{
    bool posts = strcmp(c->command->method, "POST") == 0;
    json_t *body = posts ? keep(c, json_object()) : NULL;
    json_t *answer = api(c, c->command->method, path_of(c, c->command->path, NULL), body);

    if (answer != NULL)
        print_object(c, answer);
    else
        say(c, "%s %s: done", c->command->name, c->args.count > 0 ? c->args.values[0] : "");
    return DONE;
}
