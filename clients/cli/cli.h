/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include "clients/cli/command.h"
#include "clients/cli/profile.h"
#include "core/arena.h"
#include "core/text.h"

#include <jansson.h>

#define CLIENT_VERSION "0.1.0"

/* What the shell is told. */
enum verdict {
    DONE = 0,
    REFUSED = 1,    /* the service said no (4xx), or the job failed */
    USAGE = 2,      /* the command line, a local file or the profile is at fault */
    FAILED = 3,     /* the service cannot be reached or failed (5xx) */
    UNVERIFIED = 4, /* what was to be proved is not so */
};

/* One run of the program. It is like one request of the service: everything it takes lives in one
 * arena until the end, and the end may come anywhere, by die. */
struct cli {
    struct arena *arena;
    const struct command *command;
    struct args args;
    struct profile profile;
    bool json;  /* print the service's JSON and nothing else */
    bool quiet; /* print nothing that was not asked for */
};

/* "chancery: MESSAGE" on stderr, and the end of the program with that exit code. */
_Noreturn void die(enum verdict code, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* The value of an option of the command; NULL when it was not given, "" for flags. */
const char *option(const struct cli *c, const char *name);
/* An option as a JSON number between least and most, which the caller owns (json_pack with o*);
 * NULL when it was not given; dies naming the option. */
json_t *option_number(const struct cli *c, const char *name, double least, double most);
/* The project meant by --project, CHANCERY_PROJECT or the profile; dies when there is none. */
const char *project_name(const struct cli *c);
void pause_seconds(unsigned seconds);
/* Progress and colours are for people at a terminal. */
bool progress_wanted(const struct cli *c);
bool colour_wanted(void);
/* A whole local file into the arena, at most max bytes; dies naming it. */
char *file_read(const struct cli *c, const char *path, size_t max, size_t *length);
/* Write a file anew, making its folders; dies naming it. */
void file_write(const char *path, const void *data, size_t length);

#endif
