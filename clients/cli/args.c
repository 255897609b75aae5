/* SPDX-License-Identifier: Apache-2.0 */
#include "clients/cli/command.h"

#include <stdint.h>
#include <string.h>

bool word_next(const char **notation, struct word *out)
{
    *notation += strspn(*notation, " ");
    out->at = *notation;
    out->length = strcspn(*notation, " ");
    *notation += out->length;
    return out->length > 0;
}

static bool is_option(struct word w)
{
    return w.length > 2 && memcmp(w.at, "--", 2) == 0;
}

bool option_known(const char *notation, const char *name, size_t length, bool *value)
{
    struct word w;

    while (word_next(&notation, &w)) {
        const char *rest = notation;
        struct word after;

        if (!is_option(w) || w.length != length || memcmp(w.at, name, length) != 0)
            continue;
        *value = word_next(&rest, &after) && !is_option(after);
        return true;
    }
    return false;
}

void args_bounds(const char *notation, size_t *least, size_t *most)
{
    struct word w;

    *least = *most = 0;
    while (word_next(&notation, &w)) {
        if (w.at[0] != '[')
            ++*least;
        ++*most;
        if (memmem(w.at, w.length, "...", 3) != NULL)
            *most = ARGS_MAX;
    }
}

static bool names_equal(const char *name, const char *first, const char *second)
{
    size_t length = strlen(first);

    if (strncmp(name, first, length) != 0)
        return false;
    if (second == NULL)
        return name[length] == '\0';
    return name[length] == ' ' && strcmp(name + length + 1, second) == 0;
}

/* The command that the first one or two arguments name, which are then taken away. */
static const struct command *find(struct args *args)
{
    for (size_t words = args->count < 2 ? args->count : 2; words > 0; words--) {
        for (size_t i = 0; i < commands_count; i++) {
            if (!names_equal(commands[i].name, args->values[0],
                             words == 2 ? args->values[1] : NULL))
                continue;
            args->count -= words;
            memmove(args->values, args->values + words, args->count * sizeof(args->values[0]));
            return &commands[i];
        }
    }
    return NULL;
}

/* Before the command is known, an option takes a value if any command says so. */
static bool known_anywhere(const char *name, size_t length, bool *value)
{
    if (option_known(global_options, name, length, value))
        return true;
    for (size_t i = 0; i < commands_count; i++)
        if (option_known(commands[i].options, name, length, value))
            return true;
    return false;
}

/* The option at argv[*i], moving over its value. */
static const char *take_option(struct arena *a, int argc, char *const argv[], int *i,
                               struct args *out)
{
    const char *text = argv[*i];
    size_t length = strcspn(text, "=");
    const char *value = "";
    bool wants = false;

    if (!known_anywhere(text, length, &wants))
        return arena_printf(a, "there is no option %.*s", (int)length, text);
    if (!wants && text[length] == '=')
        return arena_printf(a, "%.*s takes no value", (int)length, text);
    if (wants && text[length] == '=') {
        value = text + length + 1;
    } else if (wants) {
        if (*i + 1 >= argc)
            return arena_printf(a, "%s needs a value", text);
        value = argv[++*i];
    }
    if (out->options_count == OPTIONS_MAX)
        return "too many options";
    out->options[out->options_count++] =
        (struct given){.name = arena_copy(a, text, length), .value = value};
    return NULL;
}

static const char *collect(struct arena *a, int argc, char *const argv[], struct args *out)
{
    bool ended = false;

    for (int i = 0; i < argc; i++) {
        const char *wrong = NULL;

        if (!ended && strcmp(argv[i], "--") == 0)
            ended = true;
        else if (!ended && strncmp(argv[i], "--", 2) == 0)
            wrong = take_option(a, argc, argv, &i, out);
        else if (out->count == ARGS_MAX)
            wrong = "too many arguments";
        else
            out->values[out->count++] = argv[i];
        if (wrong != NULL)
            return wrong;
    }
    return NULL;
}

static const char *options_fit(struct arena *a, const struct command *command,
                               const struct args *args)
{
    for (size_t i = 0; i < args->options_count; i++) {
        const char *name = args->options[i].name;
        bool value;

        if (!option_known(command->options, name, strlen(name), &value) &&
            !option_known(global_options, name, strlen(name), &value))
            return arena_printf(a, "%s takes no option %s", command->name, name);
    }
    return NULL;
}

const char *args_parse(struct arena *a, int argc, char *const argv[],
                       const struct command **command, struct args *out)
{
    const char *wrong;
    size_t least, most;

    *out = (struct args){0};
    *command = NULL;
    wrong = collect(a, argc, argv, out);
    if (wrong != NULL)
        return wrong;
    if (out->count == 0)
        return NULL;
    *command = find(out);
    if (*command == NULL)
        return arena_printf(a, "there is no command %s%s%s", out->values[0],
                            out->count > 1 ? " " : "", out->count > 1 ? out->values[1] : "");
    args_bounds((*command)->args, &least, &most);
    if (out->count < least)
        return arena_printf(a, "%s needs %s", (*command)->name, (*command)->args);
    if (out->count > most)
        return arena_printf(a, "%s does not take %s", (*command)->name, out->values[most]);
    return options_fit(a, *command, out);
}
