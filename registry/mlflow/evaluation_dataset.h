/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MLFLOW_EVALUATION_DATASET_H
#define MLFLOW_EVALUATION_DATASET_H

#include "core/request.h"

/* Examples by which applications are judged, as MLflow's JSON texts. Ids are UUIDs here, "d-" (of
 * records "dr-") and 32 digits there. What is not there is ERR_NOT_FOUND. */
enum { EVALUATION_EXPERIMENTS_MAX = 100, EVALUATION_RECORDS_MAX = 10000 };

/* SQL for the JSON of row d. Its digest changes whenever it does. */
#define EVALUATION_DATASET_JSON                                                                    \
    "json_build_object('dataset_id', 'd-' || replace(d.id::text, '-', ''), 'name', d.name,"        \
    " 'tags', d.tags::text, 'profile', json_build_object('num_records', (SELECT count(*)"          \
    " FROM evaluation_record r WHERE r.tenant_id = d.tenant_id AND r.dataset_id = d.id))::text,"   \
    " 'digest', left(encode(sha256(convert_to(d.id || '/' || d.updated_ms, 'UTF8')), 'hex'), 8),"  \
    " 'created_time', d.created_ms, 'last_update_time', d.updated_ms, 'created_by', (SELECT"       \
    " p.name FROM principal p WHERE p.tenant_id = d.tenant_id AND p.id = d.created_by),"           \
    " 'last_updated_by', (SELECT p.name FROM principal p WHERE p.tenant_id = d.tenant_id"          \
    " AND p.id = d.updated_by), 'experiment_ids', (SELECT coalesce(json_agg(x.experiment_id::text" \
    " ORDER BY x.experiment_id), '[]') FROM evaluation_experiment x"                               \
    " WHERE x.tenant_id = d.tenant_id AND x.dataset_id = d.id))"

/* The parameter dataset_id of the path as a UUID; the object of the request. */
MUST_CHECK enum err evaluation_of_path(struct request *rq, const char **id);
enum err evaluation_absent(struct request *rq, enum err e);

struct evaluation_draft {
    const char *id;
    const char *name;
    const json_t *tags;
    const char *by; /* principal's id */
};
MUST_CHECK enum err evaluation_create(struct db *db, const char *project_id,
                                      const struct evaluation_draft *d);
/* {"dataset":…} */
MUST_CHECK enum err evaluation_get(struct db *db, const char *project_id, const char *id,
                                   const char **json);
MUST_CHECK enum err evaluation_delete(struct db *db, const char *project_id, const char *id);
/* tags are added; key, if any, is removed. */
MUST_CHECK enum err evaluation_tag(struct db *db, const char *project_id, const char *id,
                                   const json_t *tags, const char *key, const char *by);
/* *count of the experiments are there. */
MUST_CHECK enum err evaluation_join(struct db *db, const char *project_id, const char *id,
                                    const int64_t *experiments, size_t number, int64_t *count);
MUST_CHECK enum err evaluation_leave(struct db *db, const char *project_id, const char *id,
                                     const int64_t *experiments, size_t number);
/* {"experiment_ids":[…]} */
MUST_CHECK enum err evaluation_experiments(struct db *db, const char *project_id, const char *id,
                                           const char **json);

/* records: [{"id","hash","inputs","outputs","expectations","tags","source"}]; the same hash is the
 * same record. {"inserted_count":…,"updated_count":…} */
MUST_CHECK enum err evaluation_upsert(struct db *db, const char *project_id, const char *id,
                                      const json_t *records, const char *by, const char **json);
/* {"records":"[…]","next_page_token":…} beyond the record after, a UUID. */
MUST_CHECK enum err evaluation_records(struct db *db, const char *project_id, const char *id,
                                       const char *after, int64_t limit, const char **json);
/* {"deleted_count":…} */
MUST_CHECK enum err evaluation_forget(struct db *db, const char *project_id, const char *id,
                                      const struct texts *records, const char **json);

#endif
