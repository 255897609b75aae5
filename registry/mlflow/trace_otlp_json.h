/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MLFLOW_TRACE_OTLP_JSON_H
#define MLFLOW_TRACE_OTLP_JSON_H

#include "core/err.h"
#include "core/text.h"

/* How much JSON is read, once unpacked: what it becomes in memory is many times as large. */
enum { OTLP_JSON_MAX = 4 << 20 };

/* An ExportTraceServiceRequest as JSON (opentelemetry.io/docs/specs/otlp, JSON Protobuf Encoding:
 * ids in hexadecimal, 64-bit integers as texts or numbers, enumerations as numbers; unknown members
 * are passed over) as the same message in protobuf's form, for otlp_read. What is no id becomes an
 * empty one, so that only its span is refused. out is the caller's to free, whatever is returned.
 * ERR_INVALID, with *why naming the member; ERR_TOO_LARGE. */
MUST_CHECK enum err otlp_json_read(const struct text *json, struct text *out, const char **why);

#endif
