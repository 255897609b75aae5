/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GRAPH_CODE_H
#define GRAPH_CODE_H

#include "core/arena.h"

#include <stdbool.h>

enum { CODE_REPOSITORY_MAX = 1000, CODE_COMMIT_MAX = 64 };

/* The node of a commit: "projects/P/code/git.example/team/repo@COMMIT", or "code/…" with the empty
 * project, in the arena. Whatever way a repository is written (https, ssh, host:path, with .git or
 * without), it has one name. Who signs in with it is no part of the name, nor is the place of a
 * local repository, only its last word; without a repository (NULL or "") the commit stands alone.
 * NULL when the commit is none: 1 to 64 letters, digits, '.', '_', '-'. */
const char *code_node(struct arena *a, const char *project, const char *repository,
                      const char *commit);

/* Whether a repository is named with a user and a password, or a token. "git@" is neither. */
bool code_has_credentials(const char *repository);

#endif
