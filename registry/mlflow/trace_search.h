/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MLFLOW_TRACE_SEARCH_H
#define MLFLOW_TRACE_SEARCH_H

#include "registry/where.h"

/* Experiments of the request's project. */
struct trace_place {
    const int64_t *experiments;
    size_t count;
};
/* " FROM trace t WHERE …" of these. */
void trace_where_begin(struct request *rq, struct where *w, const struct trace_place *in);
/* " AND …" for each clause of a filter in MLflow's language for traces. ERR_INVALID. */
MUST_CHECK enum err trace_where(struct request *rq, struct where *w, const struct trace_place *in,
                                const char *text);

#endif
