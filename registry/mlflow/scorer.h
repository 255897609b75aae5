/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MLFLOW_SCORER_H
#define MLFLOW_SCORER_H

#include "core/request.h"

/* Named ways to judge traces of an experiment, in numbered versions of text that is never run here.
 * What is not there is ERR_NOT_FOUND. */

struct scorer_draft {
    const char *id; /* of the scorer, if it is new */
    int64_t experiment_id;
    const char *name;
    const char *serialized;
    const char *by; /* principal's id */
};
/* The next version of the name; *json tells of it. ERR_NOT_FOUND without such an active experiment.
 */
MUST_CHECK enum err scorer_register(struct db *db, const char *project_id,
                                    const struct scorer_draft *d, const char **json);
/* {"scorers":[…]}: the newest version of each of an experiment, or of all where that is -1. */
MUST_CHECK enum err scorer_list(struct db *db, const char *project_id, int64_t experiment_id,
                                const char **json);
/* {"scorers":[…]}: every version of one. */
MUST_CHECK enum err scorer_versions(struct db *db, const char *project_id, int64_t experiment_id,
                                    const char *name, const char **json);
/* {"scorer":…}; version 0 is the newest. */
MUST_CHECK enum err scorer_get(struct db *db, const char *project_id, int64_t experiment_id,
                               const char *name, int64_t version, const char **json);
/* Version 0: all of them. */
MUST_CHECK enum err scorer_delete(struct db *db, const char *project_id, int64_t experiment_id,
                                  const char *name, int64_t version);

#endif
