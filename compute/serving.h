/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COMPUTE_SERVING_H
#define COMPUTE_SERVING_H

#include "compute/endpoint.h"
#include "compute/frame.h"
#include "core/request.h"
#include "core/service.h"

/* Engines that serve: one process for each model file of a tenant, started at its first use, which
 * checks the bytes against their digest, and kept while it is used. What may be served is decided
 * before, by endpoint_target, for every request. */
MUST_CHECK enum err serving_start(const struct service *service);
void serving_stop(void);

/* What the model's inputs and outputs are: {"inputs", "outputs", …}; owned by the arena. */
MUST_CHECK enum err serving_describe(struct request *rq, const struct target *target,
                                     json_t **ready);

/* Ask it. answer is zeroed before; its memory is freed with frame_free. An engine that died is
 * started anew once. ERR_INVALID with the engine's words, ERR_ENGINE, ERR_TIMEOUT, ERR_BUSY. */
MUST_CHECK enum err serving_ask(struct request *rq, const struct target *target,
                                const struct frame *question, struct frame *answer);

#endif
