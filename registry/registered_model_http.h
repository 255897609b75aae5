/* SPDX-License-Identifier: Apache-2.0 */
#ifndef REGISTRY_REGISTERED_MODEL_HTTP_H
#define REGISTRY_REGISTERED_MODEL_HTTP_H

#include "core/request.h"
#include "registry/version.h"

/* The parameter name, with the right to it: the route's line allows in the project, this at the
 * model. ERR_INVALID for what can be no name here. */
MUST_CHECK enum err registered_model_name(struct request *rq, const char **name);
/* ERR_NOT_FOUND in MLflow's words; every other e as it is. */
enum err registered_model_absent(struct request *rq, enum err e, const char *name);
/* The version that the parameters name and version mean, locked in a write. */
MUST_CHECK enum err model_version_of(struct request *rq, struct version *v);
enum err model_version_reply(struct request *rq, const struct version *v);

#endif
