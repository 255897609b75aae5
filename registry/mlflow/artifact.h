/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MLFLOW_ARTIFACT_H
#define MLFLOW_ARTIFACT_H

#include "core/request.h"

/* Files of runs and logged models: names for bytes of the store. As MLflow writes their places:
 *   EXPERIMENT/RUN/artifacts/PATH
 *   EXPERIMENT/models/m-ID/artifacts/PATH
 *   EXPERIMENT/traces/ID/artifacts/PATH
 *   registered-models/NAME/VERSION/PATH   (read only: the files of a sealed version) */
enum artifact_owner { ARTIFACT_RUN, ARTIFACT_MODEL, ARTIFACT_VERSION, ARTIFACT_TRACE };

struct artifact_place {
    enum artifact_owner owner;
    const char *id;   /* 32 digits of a run, logged model or trace's key; the UUID of a version */
    const char *uuid; /* the same as a UUID */
    const char *path; /* "" for the root */
};

struct artifact_file {
    const char *sha256;
    int64_t size;
};

/* Whether a text from outside is a path that is safe to keep: path_valid, and no percent-encoding
 * left that somebody might decode once more. ERR_INVALID. */
MUST_CHECK enum err artifact_path_check(struct request *rq, const char *path);
/* Find the owner, in the request's project; path is checked too. ERR_NOT_FOUND without one. */
MUST_CHECK enum err artifact_place(struct request *rq, const char *text,
                                   struct artifact_place *out);

MUST_CHECK enum err artifact_owner_find(struct db *db, const char *project_id,
                                        const struct artifact_place *p, int64_t experiment_id);
MUST_CHECK enum err artifact_find(struct db *db, const struct artifact_place *p,
                                  struct artifact_file *out);
/* The members of a directory, {"files":[…]}, each path with prefix before it. */
MUST_CHECK enum err artifact_list(struct db *db, const struct artifact_place *p, const char *prefix,
                                  const char **json);
/* Take the bytes at local_path under this name; what was there is replaced. TX_WRITE. */
MUST_CHECK enum err artifact_put(struct db *db, const struct artifact_place *p,
                                 const struct artifact_file *file, const char *local_path,
                                 const char *by);
/* The file, or everything in the directory. ERR_NOT_FOUND for nothing. */
MUST_CHECK enum err artifact_remove(struct db *db, const struct artifact_place *p);
/* Make what lies at a place, file or directory, the files of a pending version, and whoever put it
 * there contributors. *count files. */
MUST_CHECK enum err artifact_link(struct db *db, const struct artifact_place *p,
                                  const char *version_id, int64_t *count);

#endif
