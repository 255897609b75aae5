/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MLFLOW_REGISTERED_MODEL_HTTP_H
#define MLFLOW_REGISTERED_MODEL_HTTP_H

#include "core/request.h"
#include "registry/rules.h"
#include "registry/version.h"

/* Kind (model, or prompt when one has the name) and asset of the parameter name, with the right to
 * it: the route's line allows in the project, this at the asset. ERR_INVALID for what can be no
 * name here. */
MUST_CHECK enum err registered_model_key(struct request *rq, struct version_key *key);
/* That right for a kind and name. */
MUST_CHECK enum err registered_model_allow(struct request *rq, const struct version_key *key);
/* ERR_NOT_FOUND in MLflow's words; every other e as it is. */
enum err registered_model_absent(struct request *rq, enum err e, const char *name);
/* The version that the parameters name and version mean, locked in a write. */
MUST_CHECK enum err model_version_of(struct request *rq, struct version *v);
enum err model_version_reply(struct request *rq, const struct version *v);

/* The right to this alias of this model or prompt, conditions on aliases included. */
MUST_CHECK enum err registered_alias_allow(struct request *rq, const struct version *v,
                                           const char *alias);
/* File the request that would let the alias mean the version: its id, or that of the one that waits
 * already. */
MUST_CHECK enum err promotion_ask(struct request *rq, const struct version *v, const char *alias,
                                  const struct rules *rules, const char **approval);
/* The request is kept, nothing is moved: the transaction commits with a refusal as its answer,
 * which says what happens once it is granted. */
enum err promotion_wait(struct request *rq, const char *approval, const char *what);

/* The parameters key and value (NULL when not wanted): a tag that may be set on a kind. What says
 * that a prompt is one, and its text, are no tags to be set. */
MUST_CHECK enum err registered_tag(struct request *rq, const char *kind, const char **key,
                                   const char **value);

#endif
