/* SPDX-License-Identifier: Apache-2.0 */
#include "clients/cli/run.h"

#include "clients/cli/http.h"
#include "clients/cli/print.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BODY_MAX = 1 << 20 };

/* "--as-of" is the query parameter "as_of". */
static const char *parameter(const struct cli *c, const char *name)
{
    char *copy = arena_text(c->arena, name + 2);

    for (char *at = copy; *at != '\0'; at++)
        if (*at == '-')
            *at = '_';
    return copy;
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

/* The bytes of the answer go to standard output whatever the status, to be compared or piped. */
int run_api(struct cli *c)
{
    struct call call = {.method = c->args.values[0], .path = c->args.values[1], .patient = true};
    const struct reply *r;
    size_t length;

    if (call.path[0] != '/')
        die(USAGE, "usage: api needs a PATH that begins with '/'");
    if (c->args.count > 2) {
        const char *text = file_read(c, c->args.values[2], BODY_MAX, &length);
        json_t *body = json_loadb(text, length, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, NULL);

        if (body == NULL)
            die(USAGE, "%s is not JSON", c->args.values[2]);
        call.json = keep(c, body);
    }
    r = http_call(c, &call);
    if (r->problem == NULL)
        (void)fwrite(r->body, 1, r->length, stdout);
    reply_expect(c, r);
    return DONE;
}
