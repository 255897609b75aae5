/* SPDX-License-Identifier: Apache-2.0 */
#include "clients/cli/cli.h"

#include "clients/cli/progress.h"
#include "clients/cli/table.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

void die(enum verdict code, const char *format, ...)
{
    struct arena *a = arena_new();
    va_list args;

    va_start(args, format);
    progress_end();
    (void)fflush(stdout);
    (void)fprintf(stderr, "chancery: %s\n", clean_text(a, arena_vprintf(a, format, args)));
    va_end(args);
    arena_free(a);
    exit((int)code); /* NOLINT(concurrency-mt-unsafe): one thread */
}

const char *option(const struct cli *c, const char *name)
{
    const char *value = NULL;

    for (size_t i = 0; i < c->args.options_count; i++)
        if (strcmp(c->args.options[i].name, name) == 0)
            value = c->args.options[i].value;
    return value;
}

json_t *option_number(const struct cli *c, const char *name, double least, double most)
{
    const char *text = option(c, name);
    json_t *number;

    if (text == NULL)
        return NULL;
    number = json_loads(text, JSON_DECODE_ANY, NULL);
    if (!json_is_number(number) || json_number_value(number) < least ||
        json_number_value(number) > most)
        die(USAGE, "usage: %s takes a number from %g to %g", name, least, most);
    return number;
}

const char *project_name(const struct cli *c)
{
    if (c->profile.project == NULL)
        die(USAGE, "usage: which project? give --project P, or choose one: chancery project use P");
    return c->profile.project;
}

bool progress_wanted(const struct cli *c)
{
    return !c->quiet && !c->json && isatty(STDERR_FILENO);
}

bool colour_wanted(void)
{
    const char *no = getenv("NO_COLOR"); /* NOLINT(concurrency-mt-unsafe): one thread */

    return (no == NULL || *no == '\0') && isatty(STDOUT_FILENO);
}

void pause_seconds(unsigned seconds)
{
    struct timespec t = {.tv_sec = (time_t)seconds};

    (void)nanosleep(&t, NULL);
}
