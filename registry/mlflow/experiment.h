/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MLFLOW_EXPERIMENT_H
#define MLFLOW_EXPERIMENT_H

#include "core/db.h"

/* Experiments of a project, as MLflow's JSON texts. Number 0, Default, is there from the beginning.
 * What is not there is ERR_NOT_FOUND. */
#define EXPERIMENT_JSON                                                                            \
    "json_build_object('experiment_id', e.id::text, 'name', e.name, 'artifact_location',"          \
    " 'mlflow-artifacts:/' || e.id, 'lifecycle_stage', e.stage, 'creation_time', e.created_ms,"    \
    " 'last_update_time', e.updated_ms, 'tags', (SELECT coalesce(json_agg(json_build_object("      \
    "'key', t.key, 'value', t.value)), '[]') FROM jsonb_each_text(e.tags) t))"

MUST_CHECK enum err experiment_get(struct db *db, const char *project_id, int64_t id,
                                   const char **json);
MUST_CHECK enum err experiment_by_name(struct db *db, const char *project_id, const char *name,
                                       const char **json);
/* ERR_EXISTS when the name is taken, by a deleted one too. */
MUST_CHECK enum err experiment_create(struct db *db, const char *project_id, const char *name,
                                      const json_t *tags, int64_t *id);
MUST_CHECK enum err experiment_rename(struct db *db, const char *project_id, int64_t id,
                                      const char *name);
/* To "active" or "deleted", its runs with it. ERR_NOT_FOUND when it is that already. */
MUST_CHECK enum err experiment_set_stage(struct db *db, const char *project_id, int64_t id,
                                         const char *stage);
/* value NULL: remove. */
MUST_CHECK enum err experiment_set_tag(struct db *db, const char *project_id, int64_t id,
                                       const char *key, const char *value);

#endif
