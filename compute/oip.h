/* SPDX-License-Identifier: Apache-2.0 */
#ifndef COMPUTE_OIP_H
#define COMPUTE_OIP_H

#include "compute/frame.h"
#include "core/request.h"

/* The Open Inference Protocol's JSON (KServe, "Predict Protocol - Version 2") to and from the
 * frames of an engine that serves. Numbers become little-endian doubles; null is a missing value
 * (NaN). */
enum { OIP_ROWS_MAX = 100000, OIP_INPUTS_MAX = 1024 };

/* A request for the engine. ready is what the engine said of its inputs: {"inputs":[{name,
 * datatype, shape}], …}. ERR_INVALID (with detail) names the input at fault. The frame's memory is
 * the arena's. */
struct oip_request {
    struct frame frame;
    const char *id; /* the client's own, or NULL */
    int64_t rows;
};
MUST_CHECK enum err oip_read(struct request *rq, const json_t *ready, struct oip_request *out);

/* The client's answer from the engine's; a new object, owned by the caller, or NULL when the engine
 * did not keep to its contract. */
json_t *oip_answer(const struct frame *answer, const char *model, const char *version,
                   const char *id);

/* Metadata of the model: {name, versions, platform, inputs, outputs}; owned by the caller. */
json_t *oip_metadata(const json_t *ready, const char *model, const char *version);

#endif
