/* SPDX-License-Identifier: Apache-2.0 */
#include "clients/cli/help.h"

#include "clients/cli/http.h"
#include "clients/cli/print.h"
#include "clients/cli/run.h"

#include <string.h>

enum { NAME_WIDTH = 24 };

void help_usage(FILE *out)
{
    (void)fprintf(out, "usage: chancery [--profile NAME] [--url URL] [--ca FILE] [--project P] "
                       "[--json] [--quiet] COMMAND...\n"
                       "chancery help shows the commands, chancery help COMMAND one of them.\n");
}

/* The options of a command, one a line, with what each takes. */
static void options_list(const char *notation)
{
    struct word w;
    bool open = false;

    while (word_next(&notation, &w)) {
        bool name = w.at[0] == '-';

        (void)printf(name ? "%s  %.*s" : "%s%.*s", name ? (open ? "\n" : "") : " ", (int)w.length,
                     w.at);
        open = true;
    }
    if (open)
        (void)putchar('\n');
}

int help_command(const struct cli *c, const struct command *command)
{
    (void)c;
    (void)printf("chancery %s%s%s%s: %s\n", command->name, *command->args == '\0' ? "" : " ",
                 command->args, *command->options == '\0' ? "" : " [options]", command->help);
    options_list(command->options);
    return DONE;
}

static bool begins(const char *name, const char *words)
{
    size_t length = strlen(words);

    return strncmp(name, words, length) == 0 && (name[length] == '\0' || name[length] == ' ');
}

static int help_about(const struct cli *c, const char *words)
{
    size_t found = 0;

    for (size_t i = 0; i < commands_count; i++)
        if (begins(commands[i].name, words)) {
            (void)help_command(c, &commands[i]);
            found++;
        }
    if (found == 0)
        die(USAGE, "usage: there is no command %s", words);
    return DONE;
}

int run_help(struct cli *c)
{
    if (c->args.count == 1)
        return help_about(c, c->args.values[0]);
    if (c->args.count > 1)
        return help_about(c, arena_printf(c->arena, "%s %s", c->args.values[0], c->args.values[1]));
    help_usage(stdout);
    (void)puts("\nCommands:");
    for (size_t i = 0; i < commands_count; i++)
        (void)printf("  %-*s %s\n", NAME_WIDTH, commands[i].name, commands[i].help);
    (void)puts("\nEvery command takes:");
    options_list(global_options);
    (void)puts("\nExit codes: 0 done, 1 refused, 2 usage, 3 service unreachable or failed, "
               "4 verification failed.");
    return DONE;
}

int run_version(struct cli *c)
{
    struct reply *r;

    if (!c->json)
        (void)printf("chancery %s\n", CLIENT_VERSION);
    if (c->profile.url == NULL)
        return DONE;
    r = http_call(c, &(struct call){.method = "GET", .path = "/version"});
    reply_expect(c, r);
    print_object(c, reply_json(c, r));
    return DONE;
}
