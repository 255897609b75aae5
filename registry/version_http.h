/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REGISTRY_VERSION_HTTP_H
#define REGISTRY_VERSION_HTTP_H

#include "registry/version.h"

/* What the handlers below …/versions/{version} share: the version that the path names, with the
 * audit entry told about it. ERR_NOT_FOUND also for a part that is neither number nor @alias. */
MUST_CHECK enum err version_of_path(struct request *rq, struct version *v);
/* The same, locked. */
MUST_CHECK enum err version_lock_path(struct request *rq, struct version *v);
/* The same to work on: ERR_CONFLICT unless it is pending; the caller becomes a contributor. */
MUST_CHECK enum err version_lock_pending(struct request *rq, struct version *v);
/* What the files (struct version_file) of a version tell of it: columns, a model's inputs, what
 * pickles would run. *facts is an object or NULL, and gets more. ERR_CONTENT for what is not what
 * it says it is, or what the project's policy refuses. Slow: not within a transaction. */
MUST_CHECK enum err version_look_into(struct request *rq, const struct version *v,
                                      const struct rows *files, json_t **facts);

#endif
