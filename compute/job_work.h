/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COMPUTE_JOB_WORK_H
#define COMPUTE_JOB_WORK_H

#include "core/db.h"

/* A claimed job as its worker sees it. */
struct job_work {
    const char *id;
    const char *kind;
    json_t *spec;
    const char *tenant;
    const char *project_id;
    const char *project;
    const char *requested_by_id;
    const char *requested_by;
    const char *approval; /* id, or NULL */
    const char *input;    /* projects/credit/datasets/cancer/versions/1 */
    const char *input_id;
    const char *input_sha256; /* of its CSV file */
    const char *model;        /* predict only */
    const char *model_id;
    const char *model_sha256; /* of model.onnx; NULL when there is none */
    int64_t attempts;
    int64_t attempts_max;
};
MUST_CHECK enum err job_work_load(struct db *db, const char *id, struct job_work *out);

/* Still ours, still wanted, still approved? Renews the lease and shows the progress. ERR_NOT_FOUND
 * when another worker has it or it has ended; *go says whether to go on. */
MUST_CHECK enum err job_beat(struct db *db, const char *id, int64_t lease_seconds, double progress,
                             const char *message, bool *go);

/* The job's end, in a TX_WRITE: state succeeded, failed, cancelled, or queued for another try.
 * output_id and result may be NULL. ERR_NOT_FOUND when the job is not running any more. */
MUST_CHECK enum err job_finish(struct db *db, const char *id, const char *state,
                               const char *message, const char *output_id, const json_t *result);
/* Close a job that nobody runs: cancelled when that was asked for or its approval is gone, else
 * failed. */
MUST_CHECK enum err job_abandon(struct db *db, const char *id, const char **state);

#endif
