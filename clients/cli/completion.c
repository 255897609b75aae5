/* SPDX-License-Identifier: Apache-2.0 */
#include "clients/cli/run.h"

#include <stdio.h>
#include <string.h>

static void options_of(const char *notation)
{
    struct word w;

    while (word_next(&notation, &w))
        if (w.at[0] == '-')
            (void)printf(" %.*s", (int)w.length, w.at);
}

/* What may follow the words typed so far: next words, else options. */
static void table(void)
{
    (void)puts("_chancery_words() {\n    case \"$1\" in");
    for (size_t i = 0; i < commands_count; i++) {
        (void)printf("    '%s') echo '", commands[i].name);
        options_of(commands[i].options);
        options_of(global_options);
        (void)puts("';;");
    }
    for (size_t i = 0; i < commands_count; i++) {
        size_t first = strcspn(commands[i].name, " ");

        if (commands[i].name[first] == '\0' ||
            (i > 0 && strncmp(commands[i].name, commands[i - 1].name, first + 1) == 0))
            continue;
        (void)printf("    '%.*s') echo '", (int)first, commands[i].name);
        for (size_t j = i; j < commands_count; j++)
            if (strncmp(commands[j].name, commands[i].name, first + 1) == 0)
                (void)printf(" %s", commands[j].name + first + 1);
        (void)puts("';;");
    }
    (void)fputs("    '') echo '", stdout);
    for (size_t i = 0; i < commands_count; i++) {
        size_t first = strcspn(commands[i].name, " ");

        if (i == 0 || strncmp(commands[i].name, commands[i - 1].name, first + 1) != 0)
            (void)printf(" %.*s", (int)first, commands[i].name);
    }
    (void)puts("';;\n    esac\n}");
}

/* Two words name a command; if they do not, one does; files complete what is not an option. */
static const char bash[] =
    "_chancery() {\n"
    "    local current=${COMP_WORDS[COMP_CWORD]} typed=() word words\n"
    "    for word in \"${COMP_WORDS[@]:1:COMP_CWORD-1}\"; do\n"
    "        [[ $word == -* ]] || typed+=(\"$word\")\n"
    "    done\n"
    "    words=$(_chancery_words \"${typed[*]:0:2}\")\n"
    "    [[ -n $words ]] || words=$(_chancery_words \"${typed[0]:-}\")\n"
    "    COMPREPLY=($(compgen -W \"$words\" -- \"$current\"))\n"
    "    [[ ${#COMPREPLY[@]} -gt 0 ]] || COMPREPLY=($(compgen -f -- \"$current\"))\n"
    "}\n"
    "complete -F _chancery chancery\n";

static const char zsh[] = "_chancery() {\n"
                          "    local -a typed words_\n"
                          "    typed=(${${words[2,CURRENT-1]}:#-*})\n"
                          "    words_=(${=$(_chancery_words \"${typed[1,2]}\")})\n"
                          "    (( $#words_ )) || words_=(${=$(_chancery_words \"${typed[1]}\")})\n"
                          "    compadd -a words_ || _files\n"
                          "}\n"
                          "compdef _chancery chancery\n";

int run_completion(struct cli *c)
{
    const char *shell = c->args.values[0];
    bool is_bash = strcmp(shell, "bash") == 0;

    if (!is_bash && strcmp(shell, "zsh") != 0)
        die(USAGE, "usage: completion knows bash and zsh");
    (void)printf("%s# chancery completion %s\n", is_bash ? "" : "#compdef chancery\n", shell);
    table();
    (void)fputs(is_bash ? bash : zsh, stdout);
    return DONE;
}
