/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MLFLOW_TRACE_SEARCH_H
#define MLFLOW_TRACE_SEARCH_H

#include "registry/where.h"

/* " FROM trace t WHERE …" of the request's project and these experiments. */
void trace_where_begin(struct request *rq, struct where *w, const int64_t *experiments,
                       size_t count);
/* " AND …" for each clause of a filter in MLflow's language for traces. ERR_INVALID. */
MUST_CHECK enum err trace_where(struct request *rq, struct where *w, const char *text);

#endif
