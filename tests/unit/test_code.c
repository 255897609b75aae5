/* SPDX-License-Identifier: Apache-2.0 */
#include "lineage/graph/code.h"

#include "tests/unit/test.h"

#include <stdbool.h>
#include <string.h>

enum { TOO_LONG = CODE_REPOSITORY_MAX + 1 };

static bool names(const char *repository, const char *wanted)
{
    struct arena *a = arena_new();
    const char *got = code_node(a, "credit", repository, "0a1b2c3");
    bool same =
        got != NULL && strcmp(got, arena_printf(a, "projects/credit/code/%s@0a1b2c3", wanted)) == 0;

    if (!same)
        printf("%s: %s\n", repository == NULL ? "" : repository, got == NULL ? "none" : got);
    arena_free(a);
    return same;
}

static void one_repository_has_one_name(void)
{
    static const char *const ways[] = {
        "https://git.example/team/repo.git",      "https://Git.Example/team/repo/",
        "git@git.example:team/repo.git",          "ssh://git@git.example/team/repo",
        "git+https://git.example/team/repo#main", "git.example/team/repo?x=1",
        "git://git.example/team/repo.git",
    };

    for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++)
        CHECK(names(ways[i], "git.example/team/repo"));
    CHECK(names("https://git.example:8443/Team/Repo", "git.example:8443/Team/Repo"));
    CHECK(names("git.example:repo", "git.example/repo"));
    CHECK(names(NULL, ""));
    CHECK(names("", ""));
}

static void who_signs_in_is_no_part_of_it(void)
{
    CHECK(names("https://ann:s3cret@git.example/team/repo", "git.example/team/repo"));
    CHECK(names("https://ann:s3/cr?e#t@git.example/team/repo", "git.example/team/repo"));
    CHECK(names("https://t0ken@git.example/repo.git", "git.example/repo"));
    CHECK(names("ann:a@b@git.example/repo", "git.example/repo"));
    CHECK(code_has_credentials("https://t0ken@git.example/repo"));
    CHECK(code_has_credentials("https://git:pw@git.example/repo"));
    CHECK(code_has_credentials("https://gitter@git.example/repo"));
    CHECK(!code_has_credentials("git@git.example:repo"));
    CHECK(!code_has_credentials("ssh://git@git.example/repo"));
    CHECK(!code_has_credentials("https://git.example/repo"));
}

static void local_places_are_not_told(void)
{
    CHECK(names("/home/ann/secret/repo/", "local/repo"));
    CHECK(names("file:///home/ann/repo.git", "local/repo"));
    CHECK(names("./repo", "local/repo"));
    CHECK(names(".", "local"));
}

static void what_is_no_commit_is_refused(void)
{
    struct arena *a = arena_new();
    char long_name[TOO_LONG + 1];

    memset(long_name, 'a', TOO_LONG);
    long_name[TOO_LONG] = '\0';
    CHECK(code_node(a, "p", "git.example/r", "") == NULL);
    CHECK(code_node(a, "p", "git.example/r", NULL) == NULL);
    CHECK(code_node(a, "p", "git.example/r", "a/b") == NULL);
    CHECK(code_node(a, "p", "git.example/r", "a b") == NULL);
    CHECK(code_node(a, "p", "git.example/r\n", "abc") == NULL);
    CHECK(code_node(a, "p", long_name, "abc") == NULL);
    CHECK(strcmp(code_node(a, "", "git.example/r", "abc"), "code/git.example/r@abc") == 0);
    arena_free(a);
}

int main(void)
{
    RUN(one_repository_has_one_name);
    RUN(who_signs_in_is_no_part_of_it);
    RUN(local_places_are_not_told);
    RUN(what_is_no_commit_is_refused);
    return failures != 0;
}
