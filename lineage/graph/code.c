/* SPDX-License-Identifier: Apache-2.0 */
#include "lineage/graph/code.h"

#include "core/text.h"

#include <ctype.h>
#include <string.h>

static const char commit_letters[] =
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";

/* What follows "https://" or the like. */
static const char *after_scheme(const char *repository)
{
    const char *at = strstr(repository, "://");

    return at == NULL ? repository : at + 3;
}

bool code_has_credentials(const char *repository)
{
    const char *at = after_scheme(repository);
    const char *sign = strrchr(at, '@');

    return sign != NULL && (sign != at + 3 || strncmp(at, "git", 3) != 0);
}

/* "git.example:team/repo" to "git.example/team/repo"; "git.example:8443/team" stays. */
static void colon_to_slash(char *name)
{
    char *colon = strchr(name, ':'), *slash = strchr(name, '/');

    if (colon != NULL && (slash == NULL || colon < slash) && !isdigit((unsigned char)colon[1]))
        *colon = '/';
}

static void cut_end(char *name, const char *end)
{
    size_t length = strlen(name), less = strlen(end);

    if (length >= less && strcmp(name + length - less, end) == 0)
        name[length - less] = '\0';
}

/* Everything before the last @ goes, wherever it is: a password may hold any other sign. */
static const char *plain_name(struct arena *a, const char *repository)
{
    const char *at = after_scheme(repository);
    const char *sign = strrchr(at, '@');
    char *name = arena_text(a, sign == NULL ? at : sign + 1);

    name[strcspn(name, "?#")] = '\0';
    for (size_t length = strlen(name); length > 1 && name[length - 1] == '/';)
        name[--length] = '\0';
    cut_end(name, ".git");
    if (*name == '/' || *name == '.')
        return arena_printf(a, "local%s", strrchr(name, '/') == NULL ? "" : strrchr(name, '/'));
    colon_to_slash(name);
    for (char *c = name; *c != '\0' && *c != '/'; c++)
        *c = (char)tolower((unsigned char)*c);
    return name;
}

static bool has_control(const char *text)
{
    for (; *text != '\0'; text++)
        if ((unsigned char)*text <= 0x20 || *text == 0x7f)
            return true;
    return false;
}

const char *code_node(struct arena *a, const char *project, const char *repository,
                      const char *commit)
{
    const char *place = *project == '\0' ? "" : arena_printf(a, "projects/%s/", project);
    size_t length = commit == NULL ? 0 : strlen(commit);
    const char *name = "";

    if (length == 0 || length > CODE_COMMIT_MAX || strspn(commit, commit_letters) != length)
        return NULL;
    if (repository != NULL && *repository != '\0') {
        if (strlen(repository) > CODE_REPOSITORY_MAX || has_control(repository))
            return NULL;
        name = plain_name(a, repository);
    }
    return arena_printf(a, "%scode/%s@%s", place, name, commit);
}
