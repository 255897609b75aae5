/* SPDX-License-Identifier: Apache-2.0 */
#include "clients/cli/command.h"

#include "clients/cli/cli.h"
#include "clients/cli/http.h"
#include "tests/unit/test.h"

#include <string.h>

static struct arena *arena;
static const struct command *command;
static struct args args;

#define PARSE(...)                                                                                 \
    args_parse(arena, (int)(sizeof((char *[]){__VA_ARGS__}) / sizeof(char *)),                     \
               (char *[]){__VA_ARGS__}, &command, &args)

static void words_name_the_command(void)
{
    CHECK(PARSE("whoami") == NULL && strcmp(command->name, "whoami") == 0 && args.count == 0);
    CHECK(PARSE("user", "show", "ann") == NULL && strcmp(command->name, "user show") == 0);
    CHECK(args.count == 1 && strcmp(args.values[0], "ann") == 0);
    CHECK(PARSE("help") == NULL && strcmp(command->name, "help") == 0);
    CHECK(PARSE("--json") == NULL && command == NULL);
    CHECK(strcmp(PARSE("user", "shave", "ann"), "there is no command user shave") == 0);
    CHECK(strcmp(PARSE("user"), "there is no command user") == 0);
    CHECK(strcmp(PARSE(""), "there is no command ") == 0);
}

static void options_stand_anywhere(void)
{
    struct cli c = {.arena = arena};

    CHECK(PARSE("--project", "p", "approve", "--reason=well, yes", "accept", "7", "--json") ==
          NULL);
    CHECK(strcmp(command->name, "approve accept") == 0 && strcmp(args.values[0], "7") == 0);
    c.args = args;
    CHECK(strcmp(option(&c, "--project"), "p") == 0);
    CHECK(strcmp(option(&c, "--reason"), "well, yes") == 0);
    CHECK(strcmp(option(&c, "--json"), "") == 0 && option(&c, "--quiet") == NULL);
    CHECK(PARSE("user", "show", "--", "--json") == NULL && strcmp(args.values[0], "--json") == 0);
    CHECK(PARSE("dataset", "create", "d", "--tag", "a:b", "--tag", "c:d") == NULL);
    CHECK(args.options_count == 2 && strcmp(args.options[1].value, "c:d") == 0);
    CHECK(PARSE("job", "train", "--seed", "-1") == NULL);
    CHECK(strcmp(args.options[0].value, "-1") == 0);
}

static void wrong_options_are_named(void)
{
    CHECK(strcmp(PARSE("whoami", "--reson", "x"), "there is no option --reson") == 0);
    CHECK(strcmp(PARSE("whoami", "--reason", "x"), "whoami takes no option --reason") == 0);
    CHECK(strcmp(PARSE("approve", "accept", "1", "--reason"), "--reason needs a value") == 0);
    CHECK(strcmp(PARSE("whoami", "--json=yes"), "--json takes no value") == 0);
    CHECK(strcmp(PARSE("user", "show"), "user show needs NAME") == 0);
    CHECK(strcmp(PARSE("user", "show", "a", "b"), "user show does not take b") == 0);
    CHECK(PARSE("dataset", "upload", "1", "2", "3", "4") == NULL && args.count == 4);
    CHECK(strcmp(PARSE("dataset", "upload"), "dataset upload needs FILE...") == 0);
}

static void too_much_is_refused(void)
{
    char *many[ARGS_MAX + 2], *flags[OPTIONS_MAX + 1];

    for (size_t i = 0; i < ARGS_MAX + 2; i++)
        many[i] = "x";
    for (size_t i = 0; i <= OPTIONS_MAX; i++)
        flags[i] = "--json";
    CHECK(strcmp(args_parse(arena, ARGS_MAX + 2, many, &command, &args), "too many arguments") ==
          0);
    CHECK(strcmp(args_parse(arena, OPTIONS_MAX + 1, flags, &command, &args), "too many options") ==
          0);
}

/* What help, parser and completion read must itself be right, and no option may take a value in one
 * command and none in another: the parser meets it before it knows the command. */
static void the_table_is_sound(void)
{
    for (size_t i = 0; i < commands_count; i++) {
        const char *at = commands[i].options;
        struct word w;
        bool takes, also;

        CHECK(commands[i].run != NULL && *commands[i].help != '\0');
        for (size_t j = 0; j < i; j++)
            CHECK(strcmp(commands[i].name, commands[j].name) != 0);
        while (word_next(&at, &w)) {
            if (w.at[0] != '-')
                continue;
            CHECK(option_known(commands[i].options, w.at, w.length, &takes));
            for (size_t j = 0; j < commands_count; j++)
                if (option_known(commands[j].options, w.at, w.length, &also))
                    CHECK(takes == also);
            CHECK(!option_known(global_options, w.at, w.length, &also));
        }
    }
}

static void paths_are_encoded(void)
{
    struct cli c = {.arena = arena, .profile = {.project = "p"}};

    CHECK(PARSE("dataset", "show", "a/b") == NULL);
    c.args = args;
    CHECK(strcmp(path_of(&c, "/v1/projects/{project}/datasets/{1}", NULL),
                 "/v1/projects/p/datasets/a%2Fb") == 0);
    CHECK(strcmp(path_of(&c, "/x/{}/y/{+}", "../ü?", "a b/c", NULL),
                 "/x/..%2F%C3%BC%3F/y/a%20b/c") == 0);
    CHECK(strcmp(path_query(&c, "/x", "a", "b&c=d"), "/x?a=b%26c%3Dd") == 0);
    CHECK(strcmp(path_query(&c, "/x?y=1", "a", "2"), "/x?y=1&a=2") == 0);
    CHECK(strcmp(path_query(&c, "/x", "a", NULL), "/x") == 0);
}

int main(void)
{
    arena = arena_new();
    RUN(words_name_the_command);
    RUN(options_stand_anywhere);
    RUN(wrong_options_are_named);
    RUN(too_much_is_refused);
    RUN(the_table_is_sound);
    RUN(paths_are_encoded);
    arena_free(arena);
    return failures != 0;
}
