/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MLFLOW_RUN_HTTP_H
#define MLFLOW_RUN_HTTP_H

#include "core/request.h"

/* The parameter run_id (or run_uuid, as it once was) as a UUID, and the object of the request. */
MUST_CHECK enum err run_of_request(struct request *rq, const char **id);
/* ERR_NOT_FOUND in MLflow's words; every other e as it is. */
enum err run_absent(struct request *rq, enum err e, const char *id);
/* A UUID as MLflow's 32 digits, in the arena. */
const char *run_hex(struct arena *a, const char *uuid);
/* Its node in the lineage, made if need be: "projects/P/runs/ID". TX_WRITE. */
MUST_CHECK enum err run_node(struct request *rq, const char *id, const char **name);

#endif
