/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MLFLOW_LOGGED_MODEL_H
#define MLFLOW_LOGGED_MODEL_H

#include "registry/mlflow/run.h"

#include <jansson.h>

/* Models as runs leave them, before anybody registers them. Ids are UUIDs here and m- and 32 digits
 * there; answers are MLflow's JSON texts. */
#define PAIRS_JSON(column)                                                                         \
    "(SELECT coalesce(json_agg(json_build_object('key', t.key, 'value', t.value)), '[]')"          \
    " FROM jsonb_each_text(" column ") t)"
/* clang-format off */
#define LOGGED_MODEL_JSON                                                                          \
    "json_build_object("                                                                           \
    "'info', json_strip_nulls(json_build_object("                                                  \
    "'model_id', 'm-' || " RUN_HEX("m.id") ", 'experiment_id', m.experiment_id::text, 'name', m.name,"\
    " 'creation_timestamp_ms', m.created_ms, 'last_updated_timestamp_ms', m.updated_ms, 'artifact_uri',"\
    " 'mlflow-artifacts:/' || m.experiment_id || '/models/m-' || " RUN_HEX("m.id") " || '/artifacts',"\
    " 'status', m.status, 'model_type', m.model_type, 'source_run_id', " RUN_HEX("m.run_id") ","   \
    " 'tags', " PAIRS_JSON("m.tags") ")),"                                                         \
    " 'data', json_build_object('params', " PAIRS_JSON("m.params") ","                             \
    " 'metrics', (SELECT coalesce(json_agg(json_build_object("                                     \
    "'key', x.key, 'value', x.value, 'timestamp', x.at, 'step', x.step,"                           \
    " 'model_id', 'm-' || " RUN_HEX("m.id") ", 'run_id', " RUN_HEX("x.run_id") ","                 \
    " 'dataset_name', nullif(x.dataset_name, ''), 'dataset_digest', nullif(x.dataset_digest, ''))), '[]')"\
    " FROM (SELECT DISTINCT ON (y.key, y.dataset_name, y.dataset_digest, y.run_id) y.* FROM logged_model_metric y"\
    " WHERE y.tenant_id = m.tenant_id AND y.model_id = m.id ORDER BY y.key, y.dataset_name, y.dataset_digest,"\
    " y.run_id, y.step DESC, y.at DESC, y.value DESC) x)))"
/* clang-format on */

struct logged_model_draft {
    const char *id;
    int64_t experiment_id;
    const char *name;
    const char *type;   /* or NULL */
    const char *run_id; /* or NULL */
    const json_t *params;
    const json_t *tags;
    const char *by;
};
/* ERR_NOT_FOUND without such an active experiment; ERR_CONFLICT without such a run. */
MUST_CHECK enum err logged_model_create(struct db *db, const char *project_id,
                                        const struct logged_model_draft *d);
MUST_CHECK enum err logged_model_get(struct db *db, const char *project_id, const char *id,
                                     const char **json);
MUST_CHECK enum err logged_model_finish(struct db *db, const char *project_id, const char *id,
                                        const char *status);
MUST_CHECK enum err logged_model_delete(struct db *db, const char *project_id, const char *id);
/* Join these to what is there. */
MUST_CHECK enum err logged_model_add(struct db *db, const char *project_id, const char *id,
                                     const json_t *params, const json_t *tags);
MUST_CHECK enum err logged_model_remove_tag(struct db *db, const char *project_id, const char *id,
                                            const char *key);
/* The run that made it, NULL for none. */
MUST_CHECK enum err logged_model_run(struct db *db, const char *project_id, const char *id,
                                     const char **run_id);
/* The newest of that name that the run made. */
MUST_CHECK enum err logged_model_of_run(struct db *db, const char *project_id, const char *run_id,
                                        const char *name, const char **id);

#endif
