/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COMPUTE_JOB_SPEC_H
#define COMPUTE_JOB_SPEC_H

#include "core/request.h"
#include "registry/version.h"

/* What a client asked for, checked against what is there. */
struct job_plan {
    bool trains;
    json_t *spec; /* canonical members; owned by the arena */
    struct digest digest;
    struct version input;
    struct version model; /* predict only */
};

/* Read the body: ERR_INVALID names the member, ERR_NOT_FOUND hides a version that is not there,
 * ERR_UNAPPROVED when the model of a prediction has no approval in force. */
MUST_CHECK enum err job_plan_read(struct request *rq, struct job_plan *out);

/* What an approver of a training job is shown; owned by the arena. */
json_t *job_plan_evidence(struct request *rq, const struct job_plan *plan);

#endif
