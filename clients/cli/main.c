/* SPDX-License-Identifier: Apache-2.0 */
#include "clients/cli/cli.h"
#include "clients/cli/help.h"
#include "clients/cli/http.h"

#include <curl/curl.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>

static int run(struct cli *c, int argc, char *argv[])
{
    const char *wrong = args_parse(c->arena, argc - 1, argv + 1, &c->command, &c->args);

    if (wrong != NULL)
        die(USAGE, "usage: %s (see chancery help%s%s)", wrong, c->command == NULL ? "" : " ",
            c->command == NULL ? "" : c->command->name);
    if (option(c, "--help") != NULL)
        return c->command == NULL ? run_help(c) : help_command(c, c->command);
    if (c->command == NULL) {
        help_usage(stderr);
        return USAGE;
    }
    c->json = option(c, "--json") != NULL;
    c->quiet = option(c, "--quiet") != NULL;
    profile_load(c);
    return c->command->run(c);
}

int main(int argc, char *argv[])
{
    struct cli c = {.arena = arena_new()};
    int code;

    /* Widths of names, whatever the caller's locale. NOLINTNEXTLINE(concurrency-mt-unsafe) */
    (void)setlocale(LC_CTYPE, "C.UTF-8");
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        die(FAILED, "libcurl does not start");
    code = run(&c, argc, argv);
    http_end();
    curl_global_cleanup();
    arena_free(c.arena);
    if (fflush(stdout) != 0 || ferror(stdout))
        die(USAGE, "the output could not be written");
    return code;
}
