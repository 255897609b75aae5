/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CLI_COMMAND_H
#define CLI_COMMAND_H

#include "core/arena.h"

#include <stdbool.h>
#include <stddef.h>

struct cli;

/* One line of commands.def. args and options are written as help shows them and read by the parser,
 * the help and the completion alike: "NAME [FILE...]", "--reason TEXT --watch". */
struct command {
    const char *name; /* one or two words */
    const char *args;
    const char *options;
    const char *help;
    int (*run)(struct cli *c);
    const char *method; /* of commands that are one request and need no function of their own */
    const char *path;   /* {1}, {2}: arguments; {project} */
    const char *columns;
};

extern const struct command commands[];
extern const size_t commands_count;
/* Options that every command takes, in the same notation. */
extern const char global_options[];

enum { ARGS_MAX = 64, OPTIONS_MAX = 32 };

struct given {
    const char *name; /* "--reason" */
    const char *value;
};

struct args {
    const char *values[ARGS_MAX];
    size_t count;
    struct given options[OPTIONS_MAX]; /* in order; an option may be given more than once */
    size_t options_count;
};

/* A word of a notation, borrowed from it. false at the end. */
struct word {
    const char *at;
    size_t length;
};
bool word_next(const char **notation, struct word *out);

/* Does the notation know an option of that name? value tells whether it takes one. */
bool option_known(const char *notation, const char *name, size_t length, bool *value);
/* How many arguments a notation asks for: at least and at most. */
void args_bounds(const char *notation, size_t *least, size_t *most);

/* Read words (without the program's name) into the command and its arguments. Options may stand
 * anywhere, as --name VALUE or --name=VALUE; "--" ends them. NULL when all is well, else what is
 * wrong, from the arena. *command is NULL when no command was named. */
const char *args_parse(struct arena *a, int argc, char *const argv[],
                       const struct command **command, struct args *out);

#endif
