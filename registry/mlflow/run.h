/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MLFLOW_RUN_H
#define MLFLOW_RUN_H

#include "core/db.h"

/* Runs of a project's experiments, as MLflow's JSON texts. Ids are UUIDs here and 32 digits there.
 */
#define RUN_HEX(id) "replace(" id "::text, '-', '')"
/* clang-format off */
/* A list of what a table has of the run, where that is. */
#define OF_RUN_JSON(table, members, where)                                                         \
    "(SELECT coalesce(json_agg(json_build_object(" members ")), '[]') FROM " table " x"            \
    " WHERE x.tenant_id = r.tenant_id AND x.run_id = r.id" where ")"
#define VALUE_JSON "'key', x.key, 'value', x.value"
#define MODEL_JSON "'model_id', 'm-' || " RUN_HEX("x.model_id")
#define RUN_JSON                                                                                   \
    "json_build_object("                                                                           \
    "'info', json_strip_nulls(json_build_object("                                                  \
    "'run_id', " RUN_HEX("r.id") ", 'run_uuid', " RUN_HEX("r.id") ","                              \
    " 'experiment_id', r.experiment_id::text, 'run_name', r.name, 'user_id', r.user_name,"         \
    " 'status', r.status, 'start_time', r.start_ms, 'end_time', r.end_ms, 'artifact_uri',"         \
    " 'mlflow-artifacts:/' || r.experiment_id || '/' || " RUN_HEX("r.id") " || '/artifacts',"      \
    " 'lifecycle_stage', r.stage)),"                                                               \
    " 'data', json_build_object('metrics', "                                                       \
    OF_RUN_JSON("metric_latest", VALUE_JSON ", 'timestamp', x.at, 'step', x.step", "") ","         \
    " 'params', " OF_RUN_JSON("run_param", VALUE_JSON, "") ","                                     \
    " 'tags', " OF_RUN_JSON("run_tag", VALUE_JSON, "") "),"                                        \
    " 'inputs', json_build_object('dataset_inputs', "                                              \
    OF_RUN_JSON("run_input", "'dataset', x.dataset, 'tags', x.tags", "") ","                       \
    " 'model_inputs', " OF_RUN_JSON("run_model", MODEL_JSON, " AND NOT x.output") "),"             \
    " 'outputs', json_build_object('model_outputs', "                                              \
    OF_RUN_JSON("run_model", MODEL_JSON ", 'step', x.step", " AND x.output") "))"
/* clang-format on */

MUST_CHECK enum err run_get(struct db *db, const char *project_id, const char *id,
                            const char **json);

/* {"runs":[…],"next_page_token":…} of these runs of db->tenant, in their order. */
MUST_CHECK enum err runs_tell(struct db *db, const char *const *ids, size_t count,
                              const char *token, const char **json);

struct run_draft {
    const char *id;
    int64_t experiment_id;
    const char *name;
    const char *user;
    int64_t start_ms;
    const struct texts *keys; /* of tags, and their values */
    const struct texts *values;
    const char *by; /* principal's id */
};
/* ERR_NOT_FOUND without such an active experiment. */
MUST_CHECK enum err run_create(struct db *db, const char *project_id, const struct run_draft *d);
/* NULL or 0 leaves what is there. */
struct run_change {
    const char *status;
    int64_t end_ms;
    const char *name;
};
MUST_CHECK enum err run_update(struct db *db, const char *project_id, const char *id,
                               const struct run_change *c, const char **json);
MUST_CHECK enum err run_stage(struct db *db, const char *project_id, const char *id,
                              const char **stage);
MUST_CHECK enum err run_set_stage(struct db *db, const char *project_id, const char *id,
                                  const char *stage);
MUST_CHECK enum err run_remove_tag(struct db *db, const char *project_id, const char *id,
                                   const char *key);

/* What one request logs: all or nothing, and the same as once when it comes again. */
struct run_batch {
    struct texts keys; /* of metrics, and their values as text */
    struct texts values;
    const int64_t *at;
    const int64_t *steps;
    struct texts params;
    struct texts param_values;
    struct texts tags;
    struct texts tag_values;
    const char *name; /* the tag mlflow.runName, or NULL */
};
/* ERR_NOT_FOUND without such an active run. ERR_CONFLICT when a parameter has another value: *key
 * and *old say which. TX_WRITE. */
MUST_CHECK enum err run_log(struct db *db, const char *project_id, const char *id,
                            const struct run_batch *b, const char **key, const char **old);
/* Metrics of the batch that are about logged models; models holds their UUIDs, or "". */
struct run_measured {
    struct texts models;
    struct texts names; /* of the dataset, or "" */
    struct texts digests;
};
MUST_CHECK enum err run_log_measured(struct db *db, const char *id, const struct run_batch *b,
                                     const struct run_measured *m);

/* The experiment of an active run; ERR_NOT_FOUND. */
MUST_CHECK enum err run_experiment(struct db *db, const char *project_id, const char *id,
                                   int64_t *experiment_id);
MUST_CHECK enum err run_add_input(struct db *db, const char *id, const json_t *dataset,
                                  const json_t *tags);
MUST_CHECK enum err run_add_model(struct db *db, const char *project_id, const char *id,
                                  const char *model_id, bool output, int64_t step);

/* {"metrics":[…],"next_page_token":…} beyond the key (at, step, value) of the last page. */
struct metric_place {
    int64_t at;
    int64_t step;
    const char *value;
};
MUST_CHECK enum err metric_history(struct db *db, const char *run_id, const char *key,
                                   const struct metric_place *after, int64_t limit,
                                   const char **json);
/* Of several runs, thinned evenly to about limit steps each, the last one kept. */
struct metric_interval {
    struct texts runs;
    const char *key;
    int64_t start;
    int64_t end;
    int64_t limit;
};
MUST_CHECK enum err metric_interval(struct db *db, const char *project_id,
                                    const struct metric_interval *i, const char **json);

#endif
