/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REGISTRY_SOURCE_H
#define REGISTRY_SOURCE_H

#include "registry/version.h"

/* What a thing says it was made from, as nodes of the lineage that lead to it. */

/* "environments/base/versions/1" of "projects/other/environments/base/versions/1", and of itself.
 */
const char *source_within(const char *path);
/* A version of the request's project by path ("environments/base/versions/1", or by alias), or of
 * another that shares it with this one ("projects/other/environments/base/versions/1"), ready and
 * one that the caller may read; else ERR_NOT_FOUND, which of these it is not told. */
MUST_CHECK enum err source_find(struct request *rq, const char *path, struct version *out);

/* The commit a thing was made with: {repository, commit, path}. ERR_INVALID names member.…; a
 * repository that is named with a password or a token is refused, since what is said here is kept
 * for ever. */
extern const struct field source_code_fields[];
MUST_CHECK enum err source_code(struct request *rq, const char *member, const json_t *code,
                                const char **node);

/* Everything that a manifest names: component and notebook an environment, a prompt its model, a
 * flow what its nodes use, each of them the versions in uses and the commit in code.
 * What reads as a version must be one that source_find finds: ERR_INVALID names the member. Another
 * text, where one is allowed (the model of a prompt, what a flow's node uses), is a node of its own
 * kind: external. */
struct source {
    const char *kind; /* of a node to be made, or NULL: it is there */
    const char *node;
};
struct sources {
    struct source *items;
    size_t count;
};
MUST_CHECK enum err source_list(struct request *rq, const char *kind, const json_t *manifest,
                                struct sources *out);

/* Their nodes, where there are none, and edges to the node of that name. TX_WRITE. */
MUST_CHECK enum err source_trace(struct request *rq, const struct sources *s, const char *node);

#endif
