/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MLFLOW_TRACE_VALUE_H
#define MLFLOW_TRACE_VALUE_H

#include "core/protobuf.h"

#include <jansson.h>

/* OpenTelemetry's AnyValue (opentelemetry/proto/common/v1/common.proto) into plain JSON, and plain
 * JSON into AnyValue as protobuf's JSON has it. JSON has no bytes, which become Base64 text, and no
 * NaN or infinity, which become text too. */

/* The bytes as a JSON text; what is not UTF-8, and U+0000, becomes U+FFFD. */
void value_write_text(struct text *out, struct span bytes);
/* The KeyValue messages in a field of a message, as an object. *fault says what is malformed; it
 * stays NULL when nothing is. */
void value_write_map(struct text *out, struct span message, uint32_t field, const char **fault);

/* {"string_value":…} and so on. */
void value_write_any(struct text *out, const json_t *value);
/* [{"key":…,"value":…},…] */
void value_write_pairs(struct text *out, const json_t *object);

#endif
