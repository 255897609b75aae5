/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MLFLOW_TRACE_SPAN_H
#define MLFLOW_TRACE_SPAN_H

#include "core/db.h"

struct trace_spans {
    int64_t experiment_id;
    const char *records; /* of otlp_read */
    const char *run;     /* 32 digits of the run that its traces are linked to, or NULL */
    const char *by;      /* principal's id */
};
/* Keep spans, and make the traces they are the first to tell of; a span that comes again replaces
 * what it was. *kept of them: those of traces of other experiments are not. ERR_NOT_FOUND without
 * such an active experiment. TX_WRITE. */
MUST_CHECK enum err trace_spans_keep(struct db *db, const char *project_id,
                                     const struct trace_spans *s, int64_t *kept);

#endif
