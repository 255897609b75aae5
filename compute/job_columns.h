/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COMPUTE_JOB_COLUMNS_H
#define COMPUTE_JOB_COLUMNS_H

#include "compute/job_end.h"
#include "registry/version.h"

/* Which columns of what a job read became which of what it made, in the lineage. Of training: each
 * feature of the data is an input of the model, the target its output, which comes of them all. Of
 * prediction: columns that were there are taken over, those that were not come of the model's
 * output and of the features it was asked with. TX_WRITE. */
MUST_CHECK enum err job_trace_columns(struct run *r, const struct version *made);

#endif
