/* SPDX-License-Identifier: Apache-2.0 */
#ifndef ENGINE_ONNX_PARTS_H
#define ENGINE_ONNX_PARTS_H

#include "compute/engine/onnx.h"
#include "core/protobuf.h"

/* The parts of the reader. Each reads one message of the format. */
MUST_CHECK enum err onnx_read_tensor(struct span message, struct tensor **out, struct span *name,
                                     struct pool *pool, struct refusal *why);
MUST_CHECK enum err onnx_read_attribute(struct span message, struct attribute *out,
                                        struct pool *pool, struct refusal *why);
/* Name, element type and shape of a declared input or output. */
MUST_CHECK enum err onnx_read_value(struct span message, struct value_info *out,
                                    struct refusal *why);
/* A name: UTF-8 without control characters, at most ONNX_MAX_NAME bytes. */
MUST_CHECK enum err onnx_check_name(struct span name, struct refusal *why);
/* What stopped p, as an error; OK when it ended well. */
MUST_CHECK enum err onnx_proto_end(const struct proto *p, const char *what, struct refusal *why);

#endif
